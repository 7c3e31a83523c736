"""Places for running jobs: a limit, and first come, first served."""

import threading
import time

from local.jobs.places import Places


def waiting(places, ticket, given_up=lambda: False):
    """A thread that waits for a place, and the list that will hold what it got."""
    got = []
    thread = threading.Thread(target=lambda: got.append(places.take(ticket, given_up)), daemon=True)
    thread.start()
    return thread, got


def test_no_more_than_the_limit_get_a_place():
    places = Places(2)
    tickets = [places.queue() for _ in range(3)]
    assert [places.try_take(ticket) for ticket in tickets] == [True, True, False]
    places.give_back()
    assert places.try_take(tickets[2])


def test_nobody_overtakes():
    places = Places(1)
    first, second, third = (places.queue() for _ in range(3))
    assert not places.try_take(second)
    assert places.try_take(first)
    thread, got = waiting(places, second)
    places.give_back()
    thread.join(10)
    assert got == [True]
    assert not places.try_take(third)


def test_who_gives_up_makes_room_for_the_next():
    places = Places(1)
    holder, quitter, last = (places.queue() for _ in range(3))
    assert places.try_take(holder)
    gone = threading.Event()
    quitting, refused = waiting(places, quitter, gone.is_set)
    staying, got = waiting(places, last)
    gone.set()
    places.nudge(quitter)
    quitting.join(10)
    assert refused == [False]
    places.give_back()
    staying.join(10)
    assert got == [True]


def test_many_waiters_all_get_their_turn():
    places = Places(3)
    running, most, lock = 0, 0, threading.Lock()

    def work(ticket):
        nonlocal running, most
        places.take(ticket, lambda: False)
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1
        places.give_back()

    threads = [threading.Thread(target=work, args=[places.queue()], daemon=True) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert most <= 3
