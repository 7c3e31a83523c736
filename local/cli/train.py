"""Trains: ``train`` sends the data, creates the job, shows it running and ends with its results."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local import environments
from local.api.rules import LONGEST_RUNTIME_S
from local.cli import endpoint as endpoints
from local.cli import launch, precheck, programs, request, signals, summary, upload
from local.cli.collect import LOG, collect
from local.cli.emulator import start
from local.cli.endpoint import Endpoint
from local.cli.follow import follow
from local.cli.jobs import find_job
from local.cli.lifecycle import BackendOption, check_backend
from local.cli.place import AwsOption, Place
from local.cli.programs import Program
from local.cli.refusal import FAILED, Refusal
from local.cli.samples import ENTRYPOINTS, sample_data
from local.cli.terminal import put, put_json, say, say_error
from local.cli.upload import Source
from local.home import Home
from local.jobs.backend import BackendName
from local.jobs.workdir import MOST_HOSTS

if TYPE_CHECKING:
    from local.cli.progress import Display


def train(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="yolo, or another that programs.json names.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[CHANNEL=]PLACE",
            help="Folder, annotation file or s3:// address; repeatable. Default: generated images.",
        ),
    ] = None,
    hp: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A hyperparameter; repeatable.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="JOB", help="Go on from the checkpoints of this job.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the job. Default: program and time.")] = None,
    image: Annotated[
        str | None,
        typer.Option(
            help="TrainingImage. Default: the program's first; in AWS the newest pushed that fits the instance."
        ),
    ] = None,
    instance_type: Annotated[
        str | None,
        typer.Option(
            help="In AWS, the machine that the job gets; here only recorded. "
            f"Default: {request.INSTANCE_TYPE}; in AWS with a GPU image {launch.GPU_INSTANCE_TYPE}."
        ),
    ] = None,
    instance_count: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_HOSTS, help="Hosts that share the work; here they share this machine too. Default: 1."
        ),
    ] = None,
    max_runtime: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LONGEST_RUNTIME_S,
            metavar="SECONDS",
            help=f"The job is stopped after that. Default: {request.MAX_RUNTIME_S}.",
        ),
    ] = None,
    backend: BackendOption = None,
    aws: AwsOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --aws: do not ask before the job is paid for.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the job's name once it is created.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Train a model; ends with its metrics and where its results are. Ctrl-C stops the job."""
    if yes and not aws:
        raise Refusal("--yes answers a question that only --aws asks", "leave it out, or add --aws")
    running = launch.account(backend) if aws else _emulator(backend)
    known = programs.find(program, running.programs if running else [ENTRYPOINTS])
    settings, places = request.parse_settings(hp or []), request.parse_data(data or [])
    known.check_hyperparameters(settings)
    known.check_channels(list(places))
    if known.samples and not places and resume is None:
        settings = known.with_sample_settings(settings)
    job = name or request.job_name(program)
    running = running or _start(backend)
    resumed = _resumable(running, resume) if resume is not None else None
    if not isinstance(running, Endpoint):
        image, instance_type = launch.choose(running, known, image, instance_type, resumes=resumed is not None)
    build = partial(
        request.build,
        known,
        job,
        role=running.role,
        bucket=running.bucket,
        settings=settings,
        image=image,
        instance_type=instance_type,
        instance_count=instance_count,
        max_runtime_s=max_runtime,
        resumed=resumed,
    )
    process = precheck.check(running, build(sources={}))
    if not isinstance(running, Endpoint):
        launch.ask(running, build(sources={}), list(places.values()), yes)
    elif process:
        environments.ensure(process.environment, say)
    body = build(sources=_send(running, known, places, resumes=resume is not None))
    with signals.noted() as noted:
        running.client("sagemaker").create_training_job(**body)
        say(f"job {job}")
        if no_wait:
            put_json({"job": job}) if as_json else put(job)
            return 0
        description = _see_through(running, known, body, noted)
    if description is None:
        say(f"left {job} to itself; to see how it ends: drydock logs -f {job}{running.flag}")
        return signals.exit_code(noted[0])
    return _tell(running, known, description, noted, as_json)


def _emulator(backend: BackendName | None) -> Endpoint | None:
    running = endpoints.find(Home.default())
    if running:
        check_backend(running, backend)
    return running


def _start(backend: BackendName | None) -> Endpoint:
    running = start(Home.default(), backend=backend)
    say(f"started the emulator at {running.url}; it stays up (drydock down ends it)")
    return running


def _resumable(running: Place, job: str) -> dict[str, Any]:
    description = find_job(running, job)
    request.check_resumable(running.client("s3"), description)
    return request.of_job(running.client("sagemaker"), description)


def _send(running: Place, program: Program, places: Mapping[str, str], *, resumes: bool) -> dict[str, Source]:
    """Makes every named place readable for the job, and generated data if there is none but the program wants some."""
    if not places and not resumes and program.samples:
        places = {"train": str(sample_data(running.home, program.samples, program.environment))}
    s3 = running.client("s3")
    sources = {channel: upload.find(s3, place, running.bucket) for channel, place in places.items()}
    running.ensure_bucket()
    for source in sources.values():
        upload.send(s3, source)
    return sources


def _see_through(running: Place, program: Program, body: Mapping[str, Any], noted: list[int]) -> dict[str, Any] | None:
    """Shows the job until it ends, which the first signal asks it to do; None if a second one came before that."""
    from local.cli.progress import Display

    epochs = program.value_of("epochs", body["HyperParameters"])
    try:
        with Display(_whole(epochs)) as display:
            return _watch(running, body["TrainingJobName"], display, noted)
    except KeyboardInterrupt:
        return None


def _watch(running: Place, job: str, display: "Display", noted: list[int]) -> dict[str, Any]:
    sagemaker, asked = running.client("sagemaker"), False
    description = find_job(running, job)
    for newest, lines in follow(running, description):
        if noted and not asked:
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


def _tell(running: Place, program: Program, description: dict[str, Any], noted: list[int], as_json: bool) -> int:
    """Collects the results and says how the job ended; returns the exit code."""
    folder = collect(running, description)
    if as_json:
        put_json(summary.to_json(description, folder, billed=bool(running.flag)))
    else:
        for line in summary.finished(description, folder, billed=bool(running.flag)):
            put(line)
    job, status = description["TrainingJobName"], description["TrainingJobStatus"]
    if status == "Completed":
        return 0
    if status == "Stopped":
        say(f"stopped; to go on from its last checkpoint: drydock train {program.name}{running.flag} --resume {job}")
        return signals.exit_code(noted[0]) if noted else FAILED
    reason, _, hint = description.get("FailureReason", "the job failed").partition("\n\nhint: ")
    say(f"its log: {folder / LOG}")
    say_error(_first_line(reason), _first_line(hint))
    return FAILED


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
