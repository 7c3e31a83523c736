"""Why a job failed, in the words of its FailureReason."""

import logging
import re
from pathlib import Path

from local.errors import ServiceError, disk_is_full
from local.jobs import files
from local.jobs.backend import Exit
from local.jobs.job import FAILURE_REASON_LIMIT, JobError, Secondary, TrainingJob

EMULATOR_STOPPED = "InternalServerError: The emulator was stopped while the training job was running."

_KILLED = 137
_OUT_OF_MEMORY = "the kernel killed a process of the program because memory ran out"
_NOT_FOR_MEMORY = "not by the kernel for want of memory"
_IF_MEMORY_RAN_OUT = re.compile(r"\n\nhint: if memory ran out: .*")
"""What programs of ours say who were killed (entrypoints/optml/outcomes.py), since they cannot know."""
_KERNEL_LOG = "sudo dmesg | grep -i 'killed process'"
_PHASES = {
    Secondary.STARTING: "preparing the training job",
    Secondary.DOWNLOADING: "downloading input data",
    Secondary.TRAINING: "recording the program's log",
    Secondary.UPLOADING: "uploading the output",
}


def of_program(base: Path, ending: Exit, host: str = "") -> str:
    """The beginning of the program's ``output/failure``, or a sentence about its exit code.

    At the end of the first line: whether memory ran out, which the program cannot know of its own processes, and the
    ``host``, for a job that has several. Where it did not, a hint for the case that it did is left out.
    """
    said = files.read_own(base, "output/failure", 4 * FAILURE_REASON_LIMIT).decode("utf-8", "replace").strip()
    unhinted = _IF_MEMORY_RAN_OUT.sub("", said)
    not_for_memory = unhinted != said and ending.out_of_memory is False
    said = unhinted if not_for_memory else said
    first, line_end, rest = (said or f"AlgorithmError: {_of_exit(ending)}, exit code: {ending.code}").partition("\n")
    if said and ending.out_of_memory:
        first += f" ({_OUT_OF_MEMORY})"
    if not_for_memory:
        first += f" ({_NOT_FOR_MEMORY})"
    if host:
        first += f" (host {host})"
    return first + line_end + rest


def of_error(error: Exception, job: TrainingJob) -> str:
    """What went wrong outside the program; what nobody foresaw is also logged with its traceback."""
    doing = _PHASES.get(job.secondary_status, "ending the training job")
    if isinstance(error, JobError):
        return str(error)
    if disk_is_full(error):
        return f"ClientError: No space left on device while {doing}. Free some space and run the job again."
    if isinstance(error, OSError) and error.strerror:
        return f"ClientError: {error.strerror} while {doing}: {error.filename}"
    if isinstance(error, ServiceError):
        return f"ClientError: {error.message} ({error.code}, while {doing})"
    logging.error("training job %s, while %s", job.name, doing, exc_info=error)
    return f"InternalServerError: We encountered an internal error while {doing}. Please try again. ({error!r})"


def _of_exit(ending: Exit) -> str:
    if ending.out_of_memory:
        return (
            "the program was killed by the kernel because memory ran out" if ending.code == _KILLED else _OUT_OF_MEMORY
        )
    if ending.code != _KILLED:
        return ""
    if ending.out_of_memory is None:
        return f"the program was killed by SIGKILL, because memory ran out or by someone ({_KERNEL_LOG} tells which)"
    return f"the program was killed by SIGKILL, {_NOT_FOR_MEMORY}"
