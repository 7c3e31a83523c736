"""Which image of the container engine a TrainingImage means."""

from typing import Any

from local.errors import ValidationException
from local.jobs import frameworks
from local.jobs.backend import Runnable
from local.jobs.engine import Engine, RefusedError, asked_to
from local.jobs.job import JobError
from local.jobs.programs import IMAGE

_OURS = "/drydock/train-"


def resolve(engine: Engine, image: str) -> Runnable:
    """The image of that very name, else ours without its registry and account, else ours for AWS's framework image.

    ValidationException if there is none, if it is for another architecture, or if the engine does not answer.
    """
    ours = IMAGE.fullmatch(image)
    local = ours["local"] if ours else frameworks.stand_in(image)
    for name in (image, local) if local else (image,):
        found = _inspect(engine, name)
        if found:
            _check_platform(engine, name, found)
            return Runnable(found["Id"], f"{name} ({found['Id'].removeprefix('sha256:')[:12]})")
    fetch = "make images" if local or image.startswith("drydock/") else f"docker pull {image}"
    raise ValidationException(
        f'The training image "{image}" is not in the container engine. To get it: {fetch}. Any image that '
        "`docker images` lists runs by its name. Known images, with or without a registry before them: "
        f"{', '.join(_known(engine)) or 'none'}."
    )


def _inspect(engine: Engine, name: str) -> dict[str, Any] | None:
    try:
        with asked_to(f"look up {name}"):
            found: dict[str, Any] = engine.api.inspect_image(name)
            return found
    except RefusedError as error:
        if error.status in (400, 404):  # no image has such a name, or it has none
            return None
        raise ValidationException(str(error)) from None
    except JobError as error:
        raise ValidationException(f"{error}. Is it running? systemctl start docker") from None


def _check_platform(engine: Engine, name: str, found: dict[str, Any]) -> None:
    there, here = (f"{found['Os']}/{found['Architecture']}", f"linux/{engine.architecture}")
    if there != here:
        raise ValidationException(
            f'The training image "{name}" is for {there}, and this machine is {here}. Build it for {here}, or get it: '
            f"docker pull --platform {here} {name}."
        )


def _known(engine: Engine) -> list[str]:
    tags = {tag for entry in engine.api.images() for tag in entry.get("RepoTags") or ()}
    return sorted(tag for tag in tags if _OURS in f"/{tag}")
