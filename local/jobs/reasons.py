"""Why a job failed, in the words of its FailureReason."""

import logging
from pathlib import Path

from local.errors import ServiceError, disk_is_full
from local.jobs.job import FAILURE_REASON_LIMIT, JobError, Secondary, TrainingJob

EMULATOR_STOPPED = "InternalServerError: The emulator was stopped while the training job was running."

_KILLED = 137
_PHASES = {
    Secondary.STARTING: "preparing the training job",
    Secondary.DOWNLOADING: "downloading input data",
    Secondary.TRAINING: "recording the program's log",
    Secondary.UPLOADING: "uploading the output",
}


def of_program(base: Path, code: int) -> str:
    """The beginning of the program's ``output/failure``, or a sentence about its exit code."""
    try:
        with (base / "output" / "failure").open("rb") as file:
            said = file.read(4 * FAILURE_REASON_LIMIT).decode("utf-8", "replace").strip()
    except OSError:
        said = ""
    if said:
        return said
    killed = "the program was killed by SIGKILL, often because memory ran out" if code == _KILLED else ""
    return f"AlgorithmError: {killed}, exit code: {code}"


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
