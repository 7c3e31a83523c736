"""Trains: ``train`` sends the data, creates the job, shows it running and ends with its results."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local import environments
from local.cli import endpoint as endpoints
from local.cli import programs, request, summary, upload
from local.cli.collect import LOG, collect
from local.cli.emulator import start
from local.cli.endpoint import Endpoint
from local.cli.follow import follow
from local.cli.jobs import find_job
from local.cli.programs import Program
from local.cli.refusal import FAILED
from local.cli.samples import ENTRYPOINTS, sample_data
from local.cli.terminal import put, put_json, say, say_error
from local.cli.upload import Source
from local.home import Home

if TYPE_CHECKING:
    from local.cli.progress import Display

INTERRUPTED = 130
DAY_S = 86_400


def train(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="yolo, or another that programs.json names.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[CHANNEL=]PLACE",
            help="Folder, manifest file or s3:// address; repeatable. Default: generated images.",
        ),
    ] = None,
    hp: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A hyperparameter; repeatable.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="JOB", help="Go on from the checkpoints of this job.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the job. Default: program and time.")] = None,
    image: Annotated[str | None, typer.Option(help="TrainingImage. Default: the program's first.")] = None,
    instance_type: Annotated[
        str, typer.Option(help="Recorded with the job; it runs on this machine.")
    ] = "ml.m5.xlarge",
    max_runtime: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="The job is stopped after that.")] = DAY_S,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the job's name once it is created.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Train a model; ends with its metrics and where its results are. Ctrl-C stops the job."""
    home = Home.default()
    running = endpoints.find(home)
    known = programs.find(program, running.programs if running else [ENTRYPOINTS])
    settings, places = request.parse_settings(hp or []), request.parse_data(data or [])
    known.check_hyperparameters(list(settings))
    known.check_channels(list(places))
    running = running or _start(home)
    resumed = _resumable(running, resume) if resume else None
    environments.ensure(known.environment, say)
    sources = _send(running, known, places, resumed)
    body = request.build(
        known,
        name or request.job_name(program),
        settings=settings,
        sources=sources,
        instance_type=instance_type,
        max_runtime_s=max_runtime,
        image=image,
        resumed=resumed,
    )
    upload.ensure_bucket(running.client("s3"), upload.bucket_name())
    running.client("sagemaker").create_training_job(**body)
    job = body["TrainingJobName"]
    say(f"job {job}")
    if no_wait:
        put_json({"job": job}) if as_json else put(job)
        return 0
    return _see_through(running, known, body, as_json)


def _start(home: Home) -> Endpoint:
    running = start(home)
    say(f"started the emulator at {running.url}; it stays up (drydock down ends it)")
    return running


def _resumable(running: Endpoint, job: str) -> dict[str, Any]:
    description = find_job(running.client("sagemaker"), job)
    request.check_resumable(running.client("s3"), description)
    return description


def _send(
    running: Endpoint, program: Program, places: Mapping[str, str], resumed: Mapping[str, Any] | None
) -> dict[str, Source]:
    """Makes every named place readable for the job, and generated data if there is none but the program wants some."""
    needs_data = program.channels.get("train", {}).get("required", False)
    if not places and resumed is None and needs_data:
        places = {"train": str(sample_data(running.home))}
    s3 = running.client("s3")
    return {channel: upload.send(s3, place) for channel, place in places.items()}


def _see_through(running: Endpoint, program: Program, body: Mapping[str, Any], as_json: bool) -> int:
    """Shows the job until it ends; returns the exit code."""
    from local.cli.progress import Display

    job = body["TrainingJobName"]
    epochs = program.value_of("epochs", body["HyperParameters"])
    with _counted_interrupts() as interrupts, Display(_whole(epochs)) as display:
        try:
            description = _watch(running, job, display, interrupts)
        except KeyboardInterrupt:
            say(f"left {job} to itself; to see how it ends: drydock logs -f {job}")
            return INTERRUPTED
    folder = collect(running, description)
    if as_json:
        put_json(summary.to_json(description, folder))
    else:
        for line in summary.finished(description, folder):
            put(line)
    return _tell_outcome(description, program, folder, bool(interrupts))


def _watch(running: Endpoint, job: str, display: "Display", interrupts: list[int]) -> dict[str, Any]:
    sagemaker, asked = running.client("sagemaker"), False
    description = find_job(sagemaker, job)
    for newest, lines in follow(running, description):
        if interrupts and not asked:
            asked = True
            _stop(sagemaker, job)
            say("stopping; the program has 120 s to save a checkpoint (Ctrl-C again leaves it to itself)")
        description = newest
        for line in lines:
            display.line(line)
        display.stage(description["SecondaryStatus"])
    return description


def _stop(sagemaker: Any, job: str) -> None:
    from botocore.exceptions import ClientError

    try:
        sagemaker.stop_training_job(TrainingJobName=job)
    except ClientError as error:
        say(error.response["Error"].get("Message", ""))  # it ended in the meantime


def _tell_outcome(description: Mapping[str, Any], program: Program, folder: Path, interrupted: bool) -> int:
    job, status = description["TrainingJobName"], description["TrainingJobStatus"]
    if status == "Completed":
        return 0
    if status == "Stopped":
        say(f"stopped; to go on from its last checkpoint: drydock train {program.name} --resume {job}")
        return INTERRUPTED if interrupted else FAILED
    reason, _, hint = description.get("FailureReason", "the job failed").partition("\n\nhint: ")
    say_error(_first_line(reason), _first_line(hint) or f"its log: {folder}/{LOG}")
    return FAILED


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


@contextmanager
def _counted_interrupts() -> Iterator[list[int]]:
    """The first Ctrl-C is only noted in the list that this yields, the second raises KeyboardInterrupt."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
