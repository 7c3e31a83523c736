"""The hosts of one job while their programs run: what they say, how they end, and the order to end, to all at once."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from local.jobs import logs
from local.jobs.backend import Exit, Running
from local.jobs.grace import stop_grace_s

_KILLED = 137


class Failure(NamedTuple):
    """A host whose program failed."""

    host: str
    ending: Exit


class Cluster:
    """Programs that were started, by the names of their hosts. One that fails ends the others."""

    def __init__(self, running: Mapping[str, Running]) -> None:
        self._running = running
        self._lock = threading.Lock()
        self._failures: list[Failure] = []
        self._errors: list[BaseException] = []
        self._told_to_stop = False
        self._grace_over = float("inf")

    def follow(self, write: Callable[[str, list[str]], None]) -> Failure | None:
        """Pass on what each host writes, line by line, until all have ended; the failure that the job's end is due to.

        ``write`` is called by a thread for each host. What it raises kills all programs, and is raised.
        """
        first, *others = self._running
        threads = [threading.Thread(target=self._attend, args=[host, write], name=host) for host in others]
        for thread in threads:
            thread.start()
        self._attend(first, write)
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return self._failures[0] if self._failures else None

    def stop(self, grace_s: float | None = None) -> None:
        """As ``Running.stop``, to every host."""
        self._told_to_stop = True
        for running in self._running.values():
            running.stop(grace_s)

    def _attend(self, host: str, write: Callable[[str, list[str]], None]) -> None:
        running = self._running[host]
        try:
            try:
                for lines in logs.split_lines(running.logs()):
                    write(host, lines)
            except BaseException:
                running.stop(0)
                raise
            finally:
                ending = running.wait()
        except BaseException as error:  # noqa: BLE001
            self._errors.append(error)
            self.stop(0)
            return
        if ending.code:
            self._fail(Failure(host, ending))

    def _fail(self, failure: Failure) -> None:
        """Note a failure, before those that it caused: a killed host may be outrun by the ones that miss it."""
        with self._lock:
            alone = not self._failures
            killed = failure.ending.out_of_memory or failure.ending.code == _KILLED
            self._failures.insert(0 if killed and time.monotonic() < self._grace_over else len(self._failures), failure)
            if alone:
                self._grace_over = time.monotonic() + stop_grace_s()
        if alone and len(self._running) > 1 and not self._told_to_stop:  # else they have less time left
            self.stop()
