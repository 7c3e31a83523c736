"""Places for running jobs: a limit, and first come, first served."""

import threading

import pytest

from local.jobs.places import Places


class GoneError(Exception):
    pass


def waiting(places, ticket):
    """A thread that waits for a place."""
    thread = threading.Thread(target=places.take, args=[ticket, lambda: None], daemon=True)
    thread.start()
    return thread


def ended(thread):
    thread.join(10)
    return not thread.is_alive()


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
    thread = waiting(places, second)
    places.give_back()
    assert ended(thread)
    assert not places.try_take(third)


def test_who_gives_up_hears_of_it_and_makes_room_for_the_next():
    places = Places(1)
    holder, quitter, last = (places.queue() for _ in range(3))
    assert places.try_take(holder)
    leaving, gone = threading.Event(), threading.Event()

    def check():
        if leaving.is_set():
            raise GoneError

    def wait_and_leave():
        with pytest.raises(GoneError):
            places.take(quitter, check)
        places.leave(quitter)
        gone.set()

    threading.Thread(target=wait_and_leave, daemon=True).start()
    staying = waiting(places, last)
    leaving.set()
    places.nudge(quitter)
    assert gone.wait(10)
    places.give_back()
    assert ended(staying)


def test_who_leaves_a_free_place_lets_the_next_one_have_it():
    places = Places(1)
    first, second = places.queue(), places.queue()
    staying = waiting(places, second)
    places.leave(first)
    assert ended(staying)


def test_many_waiters_all_get_their_turn_and_as_many_as_allowed_run_at_once():
    limit = 3
    places, together = Places(limit), threading.Barrier(limit)
    running, most, lock = 0, 0, threading.Lock()

    def work(ticket):
        nonlocal running, most
        places.take(ticket, lambda: None)
        with lock:
            running += 1
            most = max(most, running)
        together.wait(20)  # never passed by fewer than the limit
        with lock:
            running -= 1
        places.give_back()

    threads = [threading.Thread(target=work, args=[places.queue()], daemon=True) for _ in range(20 * limit)]
    for thread in threads:
        thread.start()
    assert all(ended(thread) for thread in threads)
    assert not together.broken
    assert most == limit
