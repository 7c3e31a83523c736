"""Which file of an image a command starts, as the engine and then a shell or an interpreter look for it."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from local.doctor.finding import Purpose
from local.doctor.image import Image
from local.doctor.layer import Entry, Kind

SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"}
_INTERPRETER = re.compile(r"(python[\d.]*|perl|ruby|node)")
_EXECUTABLE = 0o111
_SERVING_LABEL = "com.amazonaws.sagemaker.capabilities."
_PORT = "8080/tcp"


@dataclass(frozen=True)
class Program:
    """A file that is started."""

    path: str
    """Without a leading slash, links followed."""
    entry: Entry

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    @property
    def is_executable(self) -> bool:
        return self.entry.kind is Kind.file and bool(self.entry.mode & _EXECUTABLE)


def is_shell_form(words: Sequence[str]) -> bool:
    """Whether an ENTRYPOINT or CMD was written as a line for a shell, not as a JSON array."""
    return len(words) > 2 and posixpath.basename(words[0]) in SHELLS and words[1] == "-c"


def find(image: Image, name: str) -> Program | None:
    """What ``execvp`` would start: the first executable of that name on PATH, else one that is not executable."""
    folders = [""] if "/" in name else image.path
    found = [image.files.find(posixpath.join(folder, name), image.workdir) for folder in folders]
    programs = [Program(*place) for place in found if place and place[1].kind is Kind.file]
    return next((program for program in programs if program.is_executable), programs[0] if programs else None)


def is_interpreter(program: Program, word: str) -> bool:
    """Whether it runs a script that its arguments name."""
    return any(name in SHELLS or _INTERPRETER.fullmatch(name) for name in (program.name, posixpath.basename(word)))


def script_of(words: Sequence[str]) -> str | None:
    """The script among an interpreter's words; None if it is a module, a text, or in none of them."""
    for word in words[1:]:
        if word.startswith("-") and (word in ("-c", "-") or (word == "-m" and not _is_shell(words[0]))):
            return None
        if not word.startswith(("-", "+")):
            return word
    return None


def find_script(image: Image, interpreter: str, name: str) -> Program | None:
    """A script in the working folder; a shell looks along PATH for it too."""
    found = image.files.find(name, image.workdir)
    if found and found[1].kind is Kind.file:
        return Program(*found)
    return find(image, name) if _is_shell(interpreter) and "/" not in name else None


def shebang(text: bytes) -> list[str]:
    """The words of a script's first line after ``#!``; a carriage return stays, as it does for the kernel."""
    line = text.split(b"\n", 1)[0][2:].strip(b" \t").decode(errors="replace")
    return line.split(" ", 1) if line else []


def guess_purposes(image: Image) -> frozenset[Purpose]:
    """What an image seems to be for: the verbs it has, or that its entrypoint speaks of; else training."""
    verbs = {Purpose.train, Purpose.serve}
    if not image.entrypoint:
        return frozenset(verb for verb in verbs if find(image, verb.value)) or frozenset({Purpose.train})
    words = " ".join(image.entrypoint)
    named = {verb for verb in verbs if verb.value in words}
    if len(named) == 1:
        return frozenset(named)
    serves = _PORT in image.ports or any(label.startswith(_SERVING_LABEL) for label in image.labels)
    return frozenset(verbs if serves else {Purpose.train})


def _is_shell(word: str) -> bool:
    return posixpath.basename(word) in SHELLS
