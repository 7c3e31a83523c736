"""DD1xx: whether the image starts, and whether what starts hears SIGTERM."""

import posixpath
import re
from collections.abc import Iterator, Sequence

from local.doctor import starting
from local.doctor.case import Case
from local.doctor.finding import DEVICE, SAGEMAKER, Finding, Purpose, Rule, Severity
from local.doctor.image import Image
from local.doctor.starting import Program

SHELL_FORM = Rule(
    "DD101",
    Severity.error,
    "ENTRYPOINT in shell form",
    "The shell drops the argument `train` or `serve` and keeps SIGTERM from the program.",
    'write it as a JSON array: ENTRYPOINT ["python", "/opt/program/train.py"]',
    SAGEMAKER,
)
NOTHING_TO_START = Rule(
    "DD102",
    Severity.error,
    "nothing to start",
    "The container cannot start: SageMaker runs `docker run IMAGE train`, or `serve`.",
    "put an executable named `train` (`serve`) into a folder of the image's PATH, or write an ENTRYPOINT that takes it",
)
NOT_EXECUTABLE = Rule(
    "DD103",
    Severity.error,
    "program is not executable",
    "The container cannot start: permission denied.",
    "COPY --chmod=755 …, or chmod +x it",
)
NO_INTERPRETER = Rule(
    "DD104",
    Severity.error,
    "script's interpreter is not in the image",
    "The container cannot start: no such file or directory.",
    "name an interpreter that the image has on the first line, and end lines with LF only (sed -i 's/\\r$//')",
)
NO_SHEBANG = Rule(
    "DD105",
    Severity.error,
    "script without #!",
    "The container cannot start: exec format error.",
    "begin it with #!/usr/bin/env python3 (or #!/bin/sh)",
)
NO_EXEC = Rule(
    "DD106",
    Severity.warning,
    "shell script that does not exec its program",
    "The shell is process 1 and does not pass SIGTERM on: a stopped job is killed before it has saved anything.",
    'start the program with exec, as the script\'s last command: exec python /opt/program/train.py "$@"',
)
TINI = Rule(
    "DD107",
    Severity.error,
    "tini as ENTRYPOINT",
    "SageMaker cannot use it: it takes `train` for tini's own argument or runs it with an init of its own.",
    "leave tini out, and let the program itself be process 1 and handle SIGTERM",
    SAGEMAKER,
)
SHELL_COMMAND = Rule(
    "DD108",
    Severity.warning,
    "command in shell form",
    "The shell is process 1 and keeps SIGTERM from the program: stopping the device kills it.",
    'write it as a JSON array: CMD ["serve"]',
    DEVICE,
)
RULES = (
    SHELL_FORM, NOTHING_TO_START, NOT_EXECUTABLE, NO_INTERPRETER, NO_SHEBANG, NO_EXEC, TINI, SHELL_COMMAND,
)  # fmt: skip

_INITS = {"tini", "tini-static", "docker-init"}
_EXECS = re.compile(rb"\bexec\s+[^<>&\d\s]")
_TRAPS = re.compile(rb"\btrap\b.*\b(?:SIG)?TERM\b")
_CLOSING = re.compile(rb"(?:fi|esac|done|exit|wait|return)\b|[;})]")
"""How a line begins after which the shell is done: what it started stands before it."""


def check(case: Case) -> Iterator[Finding]:
    image = case.image
    for verb in case.verbs:
        if starting.is_shell_form(image.entrypoint):
            yield SHELL_FORM.found(f"ENTRYPOINT is the shell line `{image.entrypoint[2]}`", "ENTRYPOINT")
        elif image.entrypoint and posixpath.basename(image.entrypoint[0]) in _INITS:
            yield TINI.found(f"ENTRYPOINT is {' '.join(image.entrypoint)}", "ENTRYPOINT")
        else:
            yield from _starts(image, [*image.entrypoint, verb])
    if Purpose.device in case.purposes:
        yield from _device(image)


def _device(image: Image) -> Iterator[Finding]:
    words = [*image.entrypoint, *image.cmd]
    if starting.is_shell_form(words):
        if not re.match(r"\s*exec\s", words[2]):
            yield SHELL_COMMAND.found(f"the image runs the shell line `{words[2]}`", "ENTRYPOINT and CMD")
    elif words:
        yield from _starts(image, words)


def _starts(image: Image, words: Sequence[str]) -> Iterator[Finding]:
    """Findings about the file that the words start."""
    name = words[0]
    program = starting.find(image, name)
    if program is None:
        yield _missing(image, name)
        return
    if not program.is_executable:
        yield NOT_EXECUTABLE.found(f"`{name}` is /{program.path}, which is not executable", f"/{program.path}")
        return
    if starting.is_interpreter(program, name):
        script = starting.script_of(words)
        if script is None:
            return
        program = starting.find_script(image, name, script)
        if program is None:
            yield NOTHING_TO_START.found(
                f"the image runs `{' '.join(words)}`, and has no {posixpath.join(image.workdir, script)}", "ENTRYPOINT"
            )
            return
        yield from _passes_signals(program, name)
        return
    yield from _script(image, program)


def _missing(image: Image, name: str) -> Finding:
    if image.entrypoint:
        return NOTHING_TO_START.found(
            f"ENTRYPOINT names {name}, which is not in the image", "ENTRYPOINT", "correct the name, or COPY the file"
        )
    return NOTHING_TO_START.found(f"there is no `{name}` on the image's PATH", ":".join(image.path))


def _script(image: Image, program: Program) -> Iterator[Finding]:
    """Findings about a file that the kernel itself is to start."""
    entry, where = program.entry, f"/{program.path}"
    if entry.elf or entry.unread:
        return
    if entry.text is None:
        yield NO_SHEBANG.found(f"{where} is neither a program nor a script with #!", where)
        return
    interpreter, *rest = starting.shebang(entry.text) or [""]
    if starting.find(image, interpreter if interpreter.startswith("/") else f"/{interpreter}") is None:
        yield NO_INTERPRETER.found(f"{where} asks for {interpreter!r}, which is not in the image", where)
        return
    if posixpath.basename(interpreter) == "env" and rest:
        interpreter = next((word for word in rest[0].split() if not word.startswith("-") and "=" not in word), "")
        if starting.find(image, interpreter) is None:
            yield NO_INTERPRETER.found(f"{where} asks for {interpreter!r}, which is not on the image's PATH", where)
            return
    yield from _passes_signals(program, interpreter)


def _passes_signals(program: Program, interpreter: str) -> Iterator[Finding]:
    text = program.entry.text
    if text is None or posixpath.basename(interpreter) not in starting.SHELLS:
        return
    if not _hands_over(text):
        where = f"/{program.path}"
        yield NO_EXEC.found(f"{where} starts its program without exec and traps no SIGTERM", where)


def _hands_over(text: bytes) -> bool:
    """Whether a script traps SIGTERM, or its last command is an exec; one within a block or a function may be it."""
    lines = [line.strip() for line in text.replace(b"\\\n", b" ").splitlines()]
    lines = [line for line in lines if line and not line.startswith(b"#")]
    execs = [line for line in lines if _EXECS.search(line)]
    if any(_TRAPS.search(line) for line in lines):
        return True
    if not execs or _EXECS.search(lines[-1]) or _CLOSING.match(lines[-1]):
        return bool(execs)
    word = re.escape(lines[-1].split()[0])
    return any(re.match(rb"(?:function\s+)?" + word + rb"\s*(?:\(\)|\{|$)", line) for line in lines[:-1])
