"""Runs one program and sees to it that nothing of it is left, neither after its end nor after the emulator's.

A process of its own between the emulator and the program, so that it can act when the emulator was killed:

    python -I -S supervisor.py RECORD COMMAND...

stdin is the emulator's line: ``stop SECONDS`` sends SIGTERM to the program (to it alone, as ``docker stop``
does) and SIGKILL after that time; end of file means that the emulator is gone, and kills at once. All that
the program started belongs to the supervisor (it is their subreaper) and is killed when the program ends.
The exit code is the program's, or 128 + the signal that ended it. RECORD is a file that gets the ids of
both processes as JSON. Standard library only, few imports: it stands in the way of every job's first line.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None)


def main(argv: list[str]) -> int:
    record, *command = argv
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = _spawn(command, record)
    code = _watch(program, wake)
    _kill_descendants()
    return code


def process_start(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot, which with its id names it for good; None if it is gone."""
    fields = process_fields(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def process_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third (state) on, empty if the process is gone.

    [0] state, [1] parent's id, [3] session, [19] start time.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def all_processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _spawn(command: list[str], record: str) -> int:
    """Start the program once it is recorded; a SIGTERM sent from this moment on reaches it, however early."""
    parent = os.getpid()
    start, recorded = os.pipe2(os.O_CLOEXEC)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # while it is blocked, SIG_IGN does not discard it
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.close(start)
        _write_record(record, pid)
        os.close(recorded)
        return pid
    try:
        os.close(recorded)
        os.setsid()
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(137)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        ignored_by_python = (signal.SIGPIPE, signal.SIGXFSZ)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, *ignored_by_python):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.read(start, 1)  # until the other end is closed
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"[drydock] cannot run {command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _write_record(path: str, program: int) -> None:
    ids = {"supervisor": os.getpid(), "program": program}
    named = {role: {"pid": pid, "start": process_start(pid)} for role, pid in ids.items()}
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(named, file)


def _watch(program: int, wake: int) -> int:
    """Wait for the program's end, the emulator's word or the end of the grace period; the exit code."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(wake, select.POLLIN)
    deadline: float | None = None
    asked = False
    while True:
        left_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = {fd for fd, _ in poll.poll(left_ms)}
        if wake in ready:
            os.read(wake, 4096)
            code = _reap(program)
            if code is not None:
                return code
        if 0 in ready:
            order = os.read(0, 4096).split()
            if not order:
                return 128 + signal.SIGKILL
            deadline = time.monotonic() + float(order[-1])
            if not asked:
                os.kill(program, signal.SIGTERM)
            asked = True
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(program, signal.SIGKILL)
            deadline = None


def _reap(program: int) -> int | None:
    """Collect every child that ended; the exit code of the program if it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == program:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _kill_descendants() -> None:
    me = str(os.getpid())
    while True:
        for pid in all_processes():
            if process_fields(pid)[1:2] == [me]:
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
