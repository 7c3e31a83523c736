"""Which program an image name means: the table read from the programs.json files of program folders."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import ValidationException

IMAGE = re.compile(r"(?:[^/\s]+/)*(?P<local>drydock/(?P<image>[^/:@\s]+):(?P<program>[^/:@\s]+))")
"""Any registry host and account, then drydock/<image>:<program>."""


@dataclass(frozen=True)
class Program:
    """One program that jobs can run."""

    name: str
    file: Path
    environment: str
    """Name of the virtual environment it runs in."""
    images: tuple[str, ...]
    """Images that hold it: ``train-cpu``, ``train-gpu``."""


class ProgramTable:
    """The programs of all program folders, by name."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Read ``programs.json`` of each folder; ValueError names the file and what is wrong with it."""
        self._programs: dict[str, Program] = {}
        for folder in folders:
            for program in _read(folder):
                known = self._programs.setdefault(program.name, program)
                if known.file != program.file:
                    raise ValueError(f"program {program.name!r} is in both {known.file.parent} and {folder}")

    def images(self) -> list[str]:
        """Every image name that ``resolve`` accepts, without a registry."""
        return sorted(f"drydock/{image}:{p.name}" for p in self._programs.values() for image in p.images)

    def named(self, name: str) -> Program:
        """The program of that name, which ``resolve`` has found."""
        return self._programs[name]

    def resolve(self, image: str) -> Program:
        """The program that an image name means, or ValidationException with the names that are known."""
        match = IMAGE.fullmatch(image)
        program = self._programs.get(match["program"]) if match else None
        if match is None or program is None or match["image"] not in program.images:
            raise ValidationException(
                f'The training image "{image}" cannot be run here. Known images, with or without a registry '
                f"before them: {', '.join(self.images()) or 'none'}."
            )
        return program


def refuse_script(request: Mapping[str, Any]) -> None:
    """ValidationException if a job brings its own script, which only containers run."""
    if "sagemaker_program" in request.get("HyperParameters", {}):
        raise ValidationException(
            "Hyperparameter sagemaker_program is not supported by Drydock's process backend; your own scripts run in "
            "containers: drydock down, then drydock up --backend docker"
        )


def _read(folder: Path) -> list[Program]:
    path = folder / "programs.json"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))["programs"]
        return [_program(folder, name, entry) for name, entry in table.items()]
    except OSError as error:
        raise ValueError(f"{folder} is not a program folder: {error.strerror} ({path})") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing") from error


def _program(folder: Path, name: str, entry: Mapping[str, Any]) -> Program:
    file = (folder / entry["file"]).resolve()
    if not file.is_file():
        raise ValueError(f"program {name!r} names a file that does not exist: {file}")
    return Program(name, file, entry["environment"], tuple(entry["images"]))
