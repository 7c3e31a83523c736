"""Looks at an image: ``doctor`` says what SageMaker or a device will hold against it, and how to mend it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.cli.refusal import Refusal
from local.cli.terminal import put, put_json, say, table
from local.doctor.errors import UnreadableError
from local.doctor.finding import Finding, Purpose, Severity
from local.installer import SetUpError

if TYPE_CHECKING:
    from local.doctor.case import Case
    from local.doctor.devices import Device
    from local.doctor.image import Image

_FAILED = 1
_GB = 1e9
_LONGEST_STEP = 88
"""Characters of a layer's command that are shown."""

PurposeOption = Annotated[
    list[Purpose] | None,
    typer.Option(
        "--for", help="What the image is for; repeatable. Default: --device, or which of train and serve it offers."
    ),
]
DeviceOption = Annotated[str | None, typer.Option(help="A device to hold it against: jetpack5, graviton, …")]
PlatformOption = Annotated[
    str | None, typer.Option(help="Which image of several: linux/arm64. Default: this machine's.")
]
SizeOption = Annotated[float | None, typer.Option(min=0, help="Gigabytes that the image may have on disk.")]
IgnoreOption = Annotated[list[str] | None, typer.Option(help="Code of a finding to leave out; repeatable.")]


def doctor(
    image: Annotated[str, typer.Argument(help="An image of the engine, a tar of docker save, or an OCI layout.")],
    purposes: PurposeOption = None,
    device: DeviceOption = None,
    platform: PlatformOption = None,
    max_size: SizeOption = None,
    ignore: IgnoreOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> int:
    """Look at an image: what SageMaker or a device will hold against it, and how to mend it."""
    from local.doctor import examination
    from local.doctor.case import Case
    from local.doctor.starting import guess_purposes

    known = _device(device)
    _check_codes(ignore or [])
    patient = _read(image, platform)
    meant = {*(purposes or ([] if known else guess_purposes(patient))), *([Purpose.device] if known else [])}
    budget = None if max_size is None else int(max_size * _GB)
    case = Case(patient, frozenset(meant), known, platform or "", budget)
    findings = [finding for finding in examination.still(case) if finding.rule.code not in (ignore or [])]
    if as_json:
        put_json(_document(case, findings))
    else:
        _print(case, findings)
    failing = {Severity.error, Severity.warning} if strict else {Severity.error}
    return _FAILED if any(finding.rule.severity in failing for finding in findings) else 0


def _read(image: str, platform: str | None) -> "Image":
    from local.doctor import archive

    wanted = platform or archive.host_platform()
    try:
        path = Path(image).expanduser()
        if path.exists():
            return archive.of_path(path, wanted, say)
        return _of_engine(image, wanted)
    except UnreadableError as error:
        raise Refusal(error.message, error.hint) from error


def _of_engine(image: str, wanted: str) -> "Image":
    from local.doctor import archive
    from local.jobs.engine import RefusedError, asked_to, connect

    try:
        engine = connect()
    except SetUpError as error:
        raise Refusal(
            f"there is no file {image}, and no engine that may have such an image: {error.message}",
            "name a tar (docker save IMAGE > image.tar) or the folder of an OCI layout",
        ) from error
    try:
        with asked_to(f"give the image {image}"):
            engine.api.inspect_image(image)
            return archive.of_engine(engine.api, image, wanted, say)
    except RefusedError as error:
        if error.status not in (400, 404):
            raise Refusal(str(error)) from error
        raise Refusal(
            f"there is no image {image}, neither in the engine nor as a file or folder",
            f"docker images lists what is there; docker pull {image} may get it",
        ) from error
    finally:
        engine.close()


def _device(name: str | None) -> "Device | None":
    from local.doctor.devices import DEVICES, REFUSED

    if name is None or name in DEVICES:
        return DEVICES[name] if name else None
    if name in REFUSED:
        raise Refusal(f"{name} is not supported: {REFUSED[name]}", f"one of {', '.join(DEVICES)}")
    raise Refusal(f"no device {name} is known", f"one of {', '.join(DEVICES)}")


def _check_codes(codes: list[str]) -> None:
    from local.doctor.examination import RULES

    unknown = [code for code in codes if code not in RULES]
    if unknown:
        raise Refusal(f"no finding has the code {unknown[0]}", "docs/doctor.md lists them")


def _document(case: "Case", findings: list[Finding]) -> dict[str, Any]:
    image = case.image
    return {
        "image": image.name,
        "platform": image.platform,
        "checked_for": sorted(purpose.value for purpose in case.purposes),
        "device": case.device.name if case.device else None,
        "size_bytes": image.size_bytes,
        "layers": [{"size_bytes": layer.size_bytes, "created_by": layer.created_by} for layer in image.layers],
        "findings": [finding.as_json(case.purposes) for finding in findings],
    }


def _print(case: "Case", findings: list[Finding]) -> None:
    image = case.image
    target = f"{', '.join(sorted(case.purposes))}{f' ({case.device.name})' if case.device else ''}"
    put(f"{image.name}  {image.platform}  {image.size_bytes / 1e6:,.0f} MB  looked at for: {target}")
    put()
    rows = [
        [f"{number}", f"{layer.size_bytes / 1e6:,.1f}", _short(layer.created_by)]
        for number, layer in enumerate(image.layers, 1)
        if layer.size_bytes
    ]
    put(table(["layer", "MB", "made by"], rows))
    for finding in findings:
        put()
        put(f"{finding.rule.severity:<8} {finding.rule.code}  {finding.what}")
        put(f"{'':<15} {finding.where}")
        put(f"{'':<15} {finding.rule.why}")
        put(f"{'':<13} → {finding.remedy}")
    counts = {severity: sum(finding.rule.severity is severity for finding in findings) for severity in Severity}
    told = [f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items() if count]
    say("\n" + (", ".join(told) or "clean"))


def _short(step: str) -> str:
    """A step of the history on one line."""
    line = " ".join(step.replace("/bin/sh -c #(nop) ", "").replace("/bin/sh -c ", "").split())
    return line if len(line) <= _LONGEST_STEP else f"{line[: _LONGEST_STEP - 1]}…"
