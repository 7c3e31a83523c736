"""What a script's output says of its end: the line of the exception that ended it, else its last words."""

from __future__ import annotations

import json
import re

_OF_RANK = re.compile(r"\[(rank\d+)\]:\s?")
_EXCEPTION = re.compile(r"(?!\w+\.py:)[A-Za-z_][\w.]*(?::\s|:$|$)")
_KILLED = re.compile(r"Signal \d+ \((SIG\w+)\) received by PID")
_OF_TORCHRUN = ("torch.distributed.elastic.", "SignalException")
_LINES = 400
_LAST = 3
_LINE_CHARS = 200


def why(program: str, stdout: str, stderr: str) -> str:
    """One line: the cause that stderr names, else what was written last to stdout, which may not be one."""
    if found := cause(stderr):
        return found
    if last := [line.strip()[-_LINE_CHARS:] for line in stdout.splitlines() if re.search(r"\w", line)][-_LAST:]:
        quoted = ", ".join(json.dumps(line, ensure_ascii=False) for line in last)
        return f"{program} wrote nothing to stderr, and last to stdout: {quoted}"
    return f"{program} wrote nothing of why"


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
