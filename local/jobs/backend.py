"""What runs a job: the interface between a job's life cycle and a process, a container or a cluster.

A backend knows how to run an image's program in a prepared job folder. It knows nothing of job states,
S3 or logs: whoever calls it moves the job, fills the folder and reads the output.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local.jobs.programs import Program


@dataclass(frozen=True)
class Launch:
    """One program to run for one job."""

    program: Program
    folder: Path
    """The job's own folder; ``base`` lies in it, and whatever else the backend needs may."""
    base: Path
    """What the program sees as /opt/ml."""
    environment: Mapping[str, str]
    """The platform's variables and the request's, those of the backend excepted."""
    network_isolation: bool
    """The program gets no address and no keys of the emulator."""


class Running(Protocol):
    """A program that was started. Obligations:

    - ``logs`` yields everything that the program and its children write to stdout and stderr, in order and
      without loss, and ends when nobody can write any more. It is read once, by one thread.
    - ``wait`` returns the exit code once the program is gone and none of its children is left;
      a program that a signal killed has 128 + the signal's number, as in a shell.
    - ``stop`` asks the program to end (SIGTERM), returns at once, and kills it and its children after the
      grace period. Calling it twice, or after the end, does no harm; a later shorter grace period counts.
    - Nothing of the job outlives the emulator, however the emulator ends.
    """

    def logs(self) -> Iterator[bytes]: ...

    def wait(self) -> int: ...

    def stop(self, grace_s: float | None = None) -> None: ...


class Backend(Protocol):
    """Runs programs. Obligations:

    - ``resolve`` says which program an image name means, or raises ValidationException that names the
      image and the images it knows. It is quick: CreateTrainingJob waits for it.
    - ``prepare`` makes ready what the program needs and may take minutes the first time; it reports its
      progress line by line to ``say``, and raises JobError. Calling it again is cheap.
    - ``start`` starts the program and returns at once.
    - ``clear`` ends what a previous emulator may have left running for the job of that folder, and
      returns when it is gone.
    """

    name: str

    def resolve(self, image: str) -> Program: ...

    def prepare(self, program: Program, say: Callable[[str], None]) -> None: ...

    def start(self, launch: Launch) -> Running: ...

    def clear(self, folder: Path) -> None: ...
