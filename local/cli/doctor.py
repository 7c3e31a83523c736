"""Looks at an image: ``doctor`` says what SageMaker or a device will hold against it, and how to mend it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from local.cli.archives import unpack
from local.cli.refusal import FAILED, Refusal
from local.cli.terminal import put, put_json, say, table
from local.doctor.errors import UnreadableError
from local.doctor.finding import Purpose
from local.doctor.running.bench import DEFAULT_GRACE_S, DEFAULT_TIMEOUT_S, Bench
from local.installer import SetUpError
from local.jobs.engine import Engine, RefusedError, asked_to, connect
from local.jobs.job import JobError

if TYPE_CHECKING:
    from local.doctor.case import Case
    from local.doctor.devices import Device
    from local.doctor.finding import Finding
    from local.doctor.image import Image

_GB = 1e9

PurposeOption = Annotated[
    list[Purpose] | None,
    typer.Option("--for", help="What it is for; repeatable. Default: --device, or which of train and serve it offers."),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(help="A device to hold it against: jetpack5, graviton, … Default: the image's label drydock.device."),
]
PlatformOption = Annotated[
    str | None, typer.Option(help="Which image of several: linux/arm64. Default: this machine's.")
]
DataOption = Annotated[
    list[str] | None, typer.Option(metavar="CHANNEL=FOLDER", help="Data to train on, mounted read-only; repeatable.")
]
HpOption = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A hyperparameter; repeatable.")]
ModelOption = Annotated[Path | None, typer.Option(help="A model to serve: its folder, or its model.tar.gz.")]
TimeoutOption = Annotated[float, typer.Option(min=1, help="Seconds that a run may take to end, or to answer.")]
GraceOption = Annotated[float, typer.Option(min=1, help="Seconds that training may take to end on SIGTERM.")]
SizeOption = Annotated[float | None, typer.Option(min=0, help="Gigabytes that the image may have on disk.")]
IgnoreOption = Annotated[list[str] | None, typer.Option(help="Code of a finding to leave out; repeatable.")]


def doctor(
    image: Annotated[str, typer.Argument(help="An image of the engine, a tar of docker save, or an OCI layout.")],
    purposes: PurposeOption = None,
    device: DeviceOption = None,
    platform: PlatformOption = None,
    static: Annotated[bool, typer.Option("--static", help="Do not run it.")] = False,
    data: DataOption = None,
    hp: HpOption = None,
    model: ModelOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    grace: GraceOption = DEFAULT_GRACE_S,
    max_size: SizeOption = None,
    ignore: IgnoreOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> int:
    """Look at an image: what SageMaker or a device will hold against it, and how to mend it."""
    from local.doctor import examination
    from local.doctor.case import Case
    from local.doctor.devices import LABEL
    from local.doctor.report import Report
    from local.doctor.starting import guess_purposes

    known, ignored = _device(device), _codes(ignore or [])
    folders = {name: _folder(value) for name, value in _pairs(data or [], "--data").items()}
    hyperparameters = _pairs(hp or [], "--hp")
    with _engine_of(image) as engine, _unpacked(model) as served:
        patient = _read(image, platform, engine)
        if not (known or purposes or platform):
            known = _device(patient.labels.get(LABEL), f" (the image's label {LABEL})")
        meant = {*(purposes or ([] if known else guess_purposes(patient))), *([Purpose.device] if known else [])}
        case = Case(patient, frozenset(meant), known, platform or "", None if max_size is None else int(max_size * _GB))
        findings = examination.still(case)
        not_run = _not_run(case, engine, static)
        if engine and not not_run:
            findings += _run(case, Bench(engine, folders, hyperparameters, served, timeout, grace))
    kept = [finding for finding in examination.ordered(findings, case) if finding.rule.code not in ignored]
    report = Report(case, kept, not_run)
    if as_json:
        put_json(report.document())
    else:
        put(report.head())
        put(f"\n{table(['layer', 'MB', 'made by'], report.layers())}")
        for line in report.lines():
            put(line)
        say(f"\n{report.summary()}" + (f"; it was not run: {not_run}" if not_run else ""))
    return FAILED if report.worst(strict) else 0


@contextmanager
def _engine_of(image: str) -> Iterator[Engine | None]:
    """The engine that has the image, or None if the image is a file or a folder."""
    if Path(image).expanduser().exists():
        yield None
        return
    try:
        engine = connect()
    except SetUpError as error:
        raise Refusal(
            f"there is no file {image}, and no engine that may have such an image: {error.message}",
            "name a tar (docker save IMAGE > image.tar) or the folder of an OCI layout",
        ) from error
    try:
        yield engine
    finally:
        engine.close()


def _read(image: str, platform: str | None, engine: Engine | None) -> "Image":
    from local.doctor import archive, overlay

    wanted = platform or archive.host_platform()
    try:
        if engine is None:
            return archive.of_path(Path(image).expanduser(), wanted, say)
        with asked_to(f"give the image {image}"):
            return overlay.of_engine(engine.api, image) or archive.of_engine(engine.api, image, wanted, say)
    except UnreadableError as error:
        raise Refusal(error.message, error.hint) from error
    except JobError as error:
        if not isinstance(error, RefusedError) or error.status not in (400, 404):
            raise Refusal(str(error), "", FAILED) from error
        raise Refusal(
            f"there is no image {image}, neither in the engine nor as a file or folder",
            f"docker images lists what is there; docker pull {image} may get it",
        ) from error


def _not_run(case: "Case", engine: Engine | None, static: bool) -> str:
    """Why the image is not run, if it is not."""
    if static:
        return "--static"
    if engine is None:
        return "it is a file, and only an engine runs images (docker load)"
    if case.image.architecture != engine.architecture:
        return f"it is for {case.image.architecture}, and this machine is {engine.architecture}"
    if not case.verbs:
        return "only train and serve are tried"
    return ""


def _run(case: "Case", bench: Bench) -> "list[Finding]":
    from local.doctor import examination

    say(f"running it ({', '.join(case.verbs)}; up to {bench.timeout_s:.0f} s a run)")
    try:
        return examination.running(case, bench)
    except JobError as error:
        raise Refusal(str(error), "drydock doctor IMAGE --static does without running it", FAILED) from error


def _device(name: str | None, named_by: str = "") -> "Device | None":
    from local.doctor.devices import DEVICES, REFUSED

    if name is None or name in DEVICES:
        return DEVICES[name] if name else None
    if name in REFUSED:
        raise Refusal(f"{name} is not supported{named_by}: {REFUSED[name]}", f"one of {', '.join(DEVICES)}")
    raise Refusal(f"no device {name} is known{named_by}", f"one of {', '.join(DEVICES)}")


def _codes(codes: list[str]) -> set[str]:
    from local.doctor.examination import RULES

    unknown = [code for code in codes if code not in RULES]
    if unknown:
        raise Refusal(f"no finding has the code {unknown[0]}", "docs/doctor.md lists them")
    return set(codes)


def _pairs(words: list[str], option: str) -> dict[str, str]:
    for word in words:
        if not word.partition("=")[0] or "=" not in word:
            raise Refusal(f"{option} takes NAME=VALUE, not {word!r}", f"{option} train=…")
    return dict(word.split("=", 1) for word in words)


def _folder(name: str) -> Path:
    folder = Path(name).expanduser().absolute()
    if not folder.is_dir():
        raise Refusal(f"there is no folder {folder} to mount as a channel", "--data train=FOLDER")
    return folder


@contextmanager
def _unpacked(model: Path | None) -> Iterator[Path | None]:
    """The folder of a model, unpacked if it is an archive."""
    if model is None or model.is_dir():
        yield model.absolute() if model else None
        return
    with TemporaryDirectory(prefix="drydock-doctor-") as folder:
        unpack(model, Path(folder))
        Path(folder).chmod(0o755)
        yield Path(folder)
