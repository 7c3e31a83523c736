"""What a script's standard error says of its end: the line of the exception that ended it."""

from __future__ import annotations

import re

_OF_RANK = re.compile(r"\[(rank\d+)\]:\s?")
_EXCEPTION = re.compile(r"(?!\w+\.py:)[A-Za-z_][\w.]*(?::\s|:$|$)")
_KILLED = re.compile(r"Signal \d+ \((SIG\w+)\) received by PID")
_OF_TORCHRUN = ("torch.distributed.elastic.", "SignalException")
_LINES = 400


def cause(stderr: str) -> str:
    """One line; empty when nothing was said.

    The exception of the last traceback; of several ranks that of the one which failed first, not torchrun's own.
    Without a traceback a worker killed by a signal, else the last words (an `exit("…")`, argparse, a syntax error).
    """
    lines = stderr.splitlines()[-_LINES:]
    raised: dict[str, str] = {}
    within: set[str] = set()
    for line in lines:
        match = _OF_RANK.match(line)
        rank, text = (match[1], line[match.end() :]) if match else ("", line)
        if text.startswith("Traceback (most recent call last):"):
            within.add(rank)
        elif rank in within and _EXCEPTION.match(text):
            within.discard(rank)
            if not text.startswith(_OF_TORCHRUN):
                raised[rank] = text.strip()
    if raised:
        return next(iter(raised.values()))
    if killed := _KILLED.findall(stderr):
        return f"a worker was killed by {killed[-1]}"  # torchrun names the first observed failure last
    return next((line.strip() for line in reversed(lines) if re.search(r"\w", line)), "")
