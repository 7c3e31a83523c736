"""How many jobs run at once: places, taken in the order in which the jobs were asked for."""

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

Ticket: TypeAlias = threading.Event
"""A position in the line; set when its holder should look again."""


class Places:
    """A limited number of places and the line for them; safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._free = limit
        self._line: deque[Ticket] = deque()

    def queue(self) -> Ticket:
        """Stand in line."""
        ticket = Ticket()
        with self._lock:
            self._line.append(ticket)
        return ticket

    def try_take(self, ticket: Ticket) -> bool:
        """Take a place if one is free and nobody else is first in line."""
        with self._lock:
            return self._take(ticket)

    def take(self, ticket: Ticket, check: Callable[[], None]) -> None:
        """Wait for a place; ``check`` runs at each look and may raise to give up."""
        while True:
            with self._lock:
                check()
                if self._take(ticket):
                    return
                ticket.clear()
            ticket.wait()

    def leave(self, ticket: Ticket) -> None:
        """Get out of the line without a place."""
        with self._lock:
            self._line.remove(ticket)
            self._call_first()

    def nudge(self, ticket: Ticket) -> None:
        """Have the holder look again."""
        with self._lock:
            ticket.set()

    def give_back(self) -> None:
        with self._lock:
            self._free += 1
            self._call_first()

    def _take(self, ticket: Ticket) -> bool:
        if not self._free or self._line[0] is not ticket:
            return False
        self._line.popleft()
        self._free -= 1
        self._call_first()
        return True

    def _call_first(self) -> None:
        if self._line and self._free:
            self._line[0].set()
