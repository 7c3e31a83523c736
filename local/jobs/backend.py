"""What runs a job: the interface between a job's life cycle and a process, a container or a cluster.

A backend knows how to run an image's program in a prepared job folder. It knows nothing of job states,
S3 or logs: whoever calls it moves the job, fills the folder and reads the output.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from local.jobs import launchers


class BackendName(StrEnum):
    """The backends, one of which an emulator is started with."""

    process = "process"
    docker = "docker"


class Wanted(NamedTuple):
    """What a job asks to be run."""

    image: str
    script: bool = False
    """The job brings its own script (hyperparameter ``sagemaker_program``), which runs in place of the program."""
    hosts: int = 1
    launcher: str = ""
    """The hyperparameter that asks for something to start the script with: ``sagemaker_mpi_enabled``."""


def wanted(request: Mapping[str, Any]) -> Wanted:
    """What a CreateTrainingJob request asks to be run."""
    hyperparameters = request.get("HyperParameters", {})
    script = "sagemaker_program" in hyperparameters
    image, hosts = request["AlgorithmSpecification"]["TrainingImage"], request["ResourceConfig"]["InstanceCount"]
    return Wanted(image, script, hosts, launchers.asked(hyperparameters) if script else "")


@dataclass(frozen=True)
class Runnable:
    """What an image name means to the backend that resolved it."""

    reference: str
    """The backend's own name for it, which keeps its meaning when the image's name gets another."""
    description: str
    """For the job's log: what will run."""
    image: str
    """The name of the image that was found: that of the request, or of ours that stands for it."""


class Host(NamedTuple):
    """One host of a job."""

    name: str
    """``algo-1``: under this name the programs of the job find it."""
    base: Path
    """What its program sees as /opt/ml."""


@dataclass(frozen=True)
class Launch:
    """One program to run for one job, on each of its hosts."""

    runnable: Runnable
    folder: Path
    """The job's own folder; the bases of its hosts lie in it, and whatever else the backend needs may."""
    hosts: Sequence[Host]
    environment: Mapping[str, str]
    """The platform's variables and the request's, those of the backend excepted."""
    network_isolation: bool
    """The program gets no address and no keys of the emulator."""
    folders: Sequence[str] = ("input", "model", "output")
    """What lies in the base of each host; a container gets these and keeps what else its image has in /opt/ml."""
    gpus: bool = False
    """The instance type has GPUs."""


class Exit(NamedTuple):
    """How a program ended."""

    code: int
    """128 + the signal's number for a program that a signal killed, as in a shell."""
    out_of_memory: bool | None = None
    """Whether the kernel killed a process of the job for want of memory; None where that is not known: it killed
    somebody's on this machine, or does not tell."""


class Running(Protocol):
    """A program that was started. Obligations:

    - ``logs`` yields everything that the program and its children write to stdout and stderr, in order and
      without loss, and ends when nobody can write any more. It is read once, by one thread.
    - ``wait`` returns once the program is gone and nothing is left of it but its files. It is called once.
    - ``stop`` asks the program to end (SIGTERM), returns at once, and kills it and its children after the
      grace period. Calling it twice, or after the end, does no harm; a later shorter grace period counts.
    - Nothing of the job outlives an emulator that ends in peace. What a killed one leaves running, if anything,
      ``Backend.clear`` ends.
    """

    def logs(self) -> Iterator[bytes]: ...

    def wait(self) -> Exit: ...

    def stop(self, grace_s: float | None = None) -> None: ...


class Backend(Protocol):
    """Runs programs. Obligations:

    - ``resolve`` says what an image name means, or raises ValidationException that names the image and the images
      it knows, or what it cannot do for the job. It is quick: CreateTrainingJob waits for it.
    - ``prepare`` makes ready what the program needs and may take minutes the first time; it reports its
      progress line by line to ``say``, and raises JobError, also for what can never start with these variables, before
      data is fetched for it. Calling it again is cheap.
    - ``start`` starts the program on each host and returns at once, the running ones in the order of the hosts. It
      raises JobError, and then leaves nothing behind.
    - ``clear`` ends what a previous emulator may have left running for the job of that folder, and
      returns when it is gone.
    """

    interface: str
    """The network interface over which the hosts of a job reach each other."""

    @property
    def name(self) -> str: ...

    def resolve(self, asked: Wanted) -> Runnable: ...

    def prepare(self, runnable: Runnable, environment: Mapping[str, str], say: Callable[[str], None]) -> None: ...

    def start(self, launch: Launch) -> Sequence[Running]: ...

    def clear(self, folder: Path) -> None: ...
