"""Why a job failed, in the words of its FailureReason."""

import logging
from pathlib import Path

from local.errors import ServiceError, disk_is_full
from local.jobs import files
from local.jobs.backend import Exit
from local.jobs.job import FAILURE_REASON_LIMIT, JobError, Secondary, TrainingJob

EMULATOR_STOPPED = "InternalServerError: The emulator was stopped while the training job was running."

_KILLED = 137
_PHASES = {
    Secondary.STARTING: "preparing the training job",
    Secondary.DOWNLOADING: "downloading input data",
    Secondary.TRAINING: "recording the program's log",
    Secondary.UPLOADING: "uploading the output",
}


def of_program(base: Path, ending: Exit, host: str = "") -> str:
    """The beginning of the program's ``output/failure``, or a sentence about its exit code.

    ``host`` is named at the end of the first line, for a job that has several.
    """
    said = files.read_own(base, "output/failure", 4 * FAILURE_REASON_LIMIT).decode("utf-8", "replace").strip()
    reason = said or f"AlgorithmError: {_of_exit(ending)}, exit code: {ending.code}"
    first, line_end, rest = reason.partition("\n")
    return f"{first} (host {host}){line_end}{rest}" if host else reason


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
        victim = "the program" if ending.code == _KILLED else "a process of the program"
        return f"{victim} was killed by the kernel because memory ran out"
    if ending.code != _KILLED:
        return ""
    doubt = ", often because memory ran out" if ending.out_of_memory is None else "; memory had not run out"
    return f"the program was killed by SIGKILL{doubt}"
