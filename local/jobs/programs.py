"""Which program an image name means: the table read from the programs.json files of program folders.

A job that brings a script of its own runs that in place of the image's program, as in the image.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import environments
from local.errors import ValidationException
from local.installer import SetUpError
from local.jobs import frameworks
from local.jobs.backend import Wanted
from local.jobs.job import JobError
from local.jobs.launchers import TORCHRUN

BUILD = r"-(?:\d+(?:\.\d+)+-[0-9a-f]{7,40}|[0-9a-f]{12})"
"""What `drydock push` puts behind a tag: version and revision, or the image's id."""
IMAGE = re.compile(rf"(?:[^/\s]+/)*(?P<local>drydock/(?P<image>[^/:@\s]+):(?P<program>[^/:@\s]+?))(?:{BUILD})?")
"""Any registry host and account, then drydock/<image>:<program>, then which build of it."""
CONTAINERS = "run jobs in containers: drydock down, then drydock up --backend docker"


@dataclass(frozen=True)
class Program:
    """One program that jobs can run."""

    name: str
    file: Path
    environment: str
    """Name of the virtual environment it runs in."""
    images: tuple[str, ...]
    """Images that hold it: ``train-cpu``, ``train-gpu``."""
    several_hosts: bool = False
    """It can share its work with other hosts of the job."""


SCRIPT = Program(
    "script",
    environments.CHECKOUT / "containers" / "train" / "bin" / "train",
    "pytorch-script",
    ("train-cpu", "train-gpu"),
    several_hosts=True,
)
"""What runs users' own scripts: the code that does so in the images."""
OF_TENSORFLOW = ("train-tf-cpu", "train-tf-gpu")


class ProgramTable:
    """The programs of all program folders, by name; read again when a ``programs.json`` has changed."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Read ``programs.json`` of each folder; ValueError names the file and what is wrong with it."""
        self._folders = folders
        self._seen, self._read = _stamps(folders), _read_all(folders)

    def images(self) -> list[str]:
        """Every image name that ``resolve`` accepts, without a registry."""
        return sorted(f"drydock/{image}:{p.name}" for p in (*self._programs().values(), SCRIPT) for image in p.images)

    def named(self, name: str) -> Program:
        """The program of that name, which ``resolve`` has found; JobError if it has been removed since."""
        program = SCRIPT if name == SCRIPT.name else self._read.get(name)
        if program is None:
            raise JobError(f"ClientError: The program {name} has been removed since the job was made")
        return program

    def resolve(self, wanted: Wanted) -> Program:
        """The program that runs; ValidationException with the names that are known, or with what stands in its way."""
        ours = wanted._replace(image=frameworks.stand_in(wanted.image) or wanted.image)
        image, tag = _parts(ours.image)
        if tag == SCRIPT.name and image in OF_TENSORFLOW:
            raise ValidationException(
                f"The training image drydock/{image}:{tag} is not supported by Drydock's process backend, which runs "
                f"users' own scripts with PyTorch only; {CONTAINERS}"
            )
        program = self._of_image(image, tag)
        if program is None:
            raise ValidationException(
                f'The training image "{wanted.image}" cannot be run here. Known images, with or without a registry '
                f"before them: {', '.join(self.images())}. For any other, {CONTAINERS}"
            )
        self.check(ours)
        if wanted.script:
            _check_scripts()
            return SCRIPT
        return program

    def check(self, wanted: Wanted) -> None:
        """ValidationException for what an image of ours, by its name, cannot do; any other may be able to."""
        image, tag = _parts(wanted.image)
        program = self._of_image(image, tag)
        if wanted.script:
            if program or has_no_program(wanted.image):
                _check_launcher(image, wanted.launcher)
        elif program and wanted.hosts > 1 and not program.several_hosts:
            raise ValidationException(
                f"ResourceConfig.InstanceCount is {wanted.hosts}, and the program {program.name} trains on one host. "
                "Set it to 1, or bring a script that shares its work (examples/ddp)."
            )

    def _of_image(self, image: str, tag: str) -> Program | None:
        program = SCRIPT if tag == SCRIPT.name else self._programs().get(tag)
        return program if program and image in program.images else None

    def _programs(self) -> Mapping[str, Program]:
        """As the folders have them now; ValidationException if they cannot be read any more."""
        stamps = _stamps(self._folders)
        if stamps != self._seen:
            try:
                self._read = _read_all(self._folders)
            except ValueError as error:
                raise ValidationException(f"The programs have changed since the emulator started: {error}") from None
            self._seen = stamps
        return self._read


def is_ours(image: str) -> bool:
    """Whether an image that was found is one of ours, by its name."""
    return bool(IMAGE.fullmatch(image))


def has_no_program(image: str) -> bool:
    """Whether an image is one of ours for users' own scripts alone, by its name."""
    name, tag = _parts(image)
    return tag == SCRIPT.name and name in (*SCRIPT.images, *OF_TENSORFLOW)


def _parts(image: str) -> tuple[str, str]:
    """``train-cpu`` and ``yolo`` of the name of an image of ours; both empty for another's."""
    match = IMAGE.fullmatch(image)
    return (match["image"], match["program"]) if match else ("", "")


def _check_launcher(image: str, launcher: str) -> None:
    """ValidationException for a launcher that the image lacks."""
    if not launcher or (launcher == TORCHRUN and image in SCRIPT.images):
        return
    raise ValidationException(
        f"Hyperparameter {launcher} asks for a launcher that drydock/{image} does not have. Without `distribution` the "
        'script is started once on each host; distribution={"torch_distributed": {"enabled": True}} starts it with '
        "torchrun in the PyTorch images"
    )


def _check_scripts() -> None:
    """ValidationException if no environment for users' own scripts can be made here."""
    try:
        environments.check(SCRIPT.environment)
    except SetUpError as error:
        raise ValidationException(
            "Hyperparameter sagemaker_program names a script of your own, and the environment it would run in "
            f"({SCRIPT.environment}) cannot be made: {error.message}. To mend it: {error.hint}; or {CONTAINERS}"
        ) from None


def _stamps(folders: Sequence[Path]) -> list[tuple[int, ...] | None]:
    """What tells each folder's ``programs.json`` from a changed one; None for one that is not there."""
    found: list[tuple[int, ...] | None] = []
    for folder in folders:
        try:
            status = (folder / "programs.json").stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def _read_all(folders: Sequence[Path]) -> dict[str, Program]:
    """The programs of all folders, by name; ValueError for two of one name, or for what ``_read`` cannot read."""
    programs: dict[str, Program] = {}
    for folder in folders:
        for program in _read(folder):
            if program.name == SCRIPT.name:
                raise ValueError(f"{folder}: no program can be called {program.name!r}; it means users' own scripts")
            known = programs.setdefault(program.name, program)
            if known.file != program.file:
                raise ValueError(f"program {program.name!r} is in both {known.file.parent} and {folder}")
    return programs


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
    return Program(name, file, entry["environment"], tuple(entry["images"]), entry.get("several_hosts", False))
