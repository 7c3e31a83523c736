"""Several programs that end as one: whose failure is the job's, and what becomes of the others."""

import threading

import pytest

from local.jobs.backend import Exit
from local.jobs.cluster import Cluster, Failure


class Program:
    """A program that says its lines and ends: with ``code`` once ``after`` is set, else when it is told to stop."""

    def __init__(self, code=0, lines=(), after=None):
        self.code = code
        self.lines = lines
        self.ended = after or threading.Event()
        self.stopped = []

    def logs(self):
        yield from self.lines
        self.ended.wait(20)

    def wait(self):
        return Exit(self.code)

    def stop(self, grace_s=None):
        self.stopped.append(grace_s)
        self.ended.set()


def over():
    event = threading.Event()
    event.set()
    return event


def ignore(host, lines):
    """What they say does not matter."""


def test_lines_are_told_apart_by_host():
    said = []
    programs = {"algo-1": Program(0, [b"one\n"], over()), "algo-2": Program(0, [b"two\nthree"], over())}
    assert Cluster(programs).follow(lambda host, lines: said.extend((host, line) for line in lines)) is None
    assert sorted(said) == [("algo-1", "one"), ("algo-2", "three"), ("algo-2", "two")]
    assert [program.stopped for program in programs.values()] == [[], []]


def test_one_that_fails_stops_the_others_and_is_the_reason():
    programs = {"algo-1": Program(1), "algo-2": Program(3, after=over()), "algo-3": Program(143)}
    assert Cluster(programs).follow(ignore) == Failure("algo-2", Exit(3))
    assert programs["algo-1"].stopped == programs["algo-3"].stopped == [None]


def test_a_killed_host_is_the_reason_also_when_another_was_faster_to_miss_it():
    programs = {"algo-1": Program(1, after=over()), "algo-2": Program(137)}
    assert Cluster(programs).follow(ignore) == Failure("algo-2", Exit(137))


def test_a_host_killed_because_it_would_not_stop_is_not_the_reason(monkeypatch):
    monkeypatch.setenv("DRYDOCK_STOP_GRACE_SECONDS", "0")
    programs = {"algo-1": Program(1, after=over()), "algo-2": Program(137)}
    assert Cluster(programs).follow(ignore) == Failure("algo-1", Exit(1))


def test_a_stop_is_not_prolonged_by_the_first_that_obeys():
    programs = {"algo-1": Program(143), "algo-2": Program(143)}
    cluster = Cluster(programs)
    cluster.stop(10)
    cluster.follow(ignore)
    assert programs["algo-1"].stopped == programs["algo-2"].stopped == [10]


def test_a_log_that_cannot_be_written_kills_all():
    def write(host, lines):
        raise OSError("the disk is full")

    programs = {"algo-1": Program(), "algo-2": Program(0, [b"a line\n"])}
    with pytest.raises(OSError, match="the disk is full"):
        Cluster(programs).follow(write)
    assert programs["algo-1"].stopped == [0]
