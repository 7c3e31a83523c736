"""Which image of the container engine a TrainingImage means, and whether it can train."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any

from local.errors import ValidationException
from local.jobs import builds, frameworks
from local.jobs.backend import Runnable, Wanted
from local.jobs.engine import Engine, RefusedError, asked_to
from local.jobs.job import JobError
from local.jobs.programs import IMAGE, ProgramTable

_OURS = "/drydock/train-"
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def resolve(engine: Engine, programs: ProgramTable, asked: Wanted) -> Runnable:
    """The image of that very name, else ours without its registry and account, else ours for AWS's framework image.

    ValidationException if there is none, if it is for another architecture, if it is ours and cannot do what is asked,
    or if the engine does not answer.
    """
    image = asked.image
    ours = IMAGE.fullmatch(image)
    local = ours["local"] if ours else frameworks.stand_in(image)
    for name in (image, local) if local else (image,):
        found = _inspect(engine, name)
        if found:
            _check_platform(engine, name, found)
            programs.check(asked._replace(image=name))
            return Runnable(found["Id"], f"{name} ({found['Id'].removeprefix('sha256:')[:12]})", name)
    known = sorted({*_present(engine), *builds.targets()})
    raise ValidationException(
        f'The training image "{image}" is not in the container engine. {_instead(image, local, known)}Any image that '
        "`docker images` lists runs by its name. Known images, with or without a registry before them: "
        f"{', '.join(known)}."
    )


def _instead(image: str, local: str | None, known: list[str]) -> str:
    """What builds an image of this checkout; for any other what may have been meant, and where it may be had."""
    build = builds.command(local) if local else None
    if build:
        return f"To build it: {build}. "
    near = builds.nearest((image, local or ""), known)
    fetch = "" if image.startswith("drydock/") else f"To get it: docker pull {image}."
    return "".join(f"{hint} " for hint in (near, fetch) if hint)


def check_train(engine: Engine, runnable: Runnable, labels: Mapping[str, str] | None = None) -> None:
    """ValidationException for an image that has no ENTRYPOINT and no `train` on its PATH; nothing of it is run.

    ``labels`` are those of a container that is made of it to look into, and removed.
    """
    with asked_to(f"look up {runnable.description}"):
        config = engine.api.inspect_image(runnable.reference)["Config"]
    if config.get("Entrypoint"):
        return
    variables = dict(variable.partition("=")[::2] for variable in config.get("Env") or ())
    with asked_to(f"look into {runnable.description}"):
        made = engine.api.create_container(image=runnable.reference, command=["train"], labels=dict(labels or {}))["Id"]
        try:
            here = config.get("WorkingDir") or "/"
            folders = [PurePosixPath(here, folder) for folder in variables.get("PATH", _USUAL_PATH).split(":")]
            if not any(_has_file(engine, made, f"{folder / 'train'}") for folder in folders):
                raise ValidationException(without_train(runnable.description))
        finally:
            engine.api.remove_container(made, v=True)


def without_train(description: str) -> str:
    """What is wrong with an image that has no `train`, and how it is mended."""
    return (
        f"The image {description} has no program `train` that can be run on its PATH, and SageMaker starts it as "
        "`docker run IMAGE train`. Put an executable of that name there, or an ENTRYPOINT that takes the argument; "
        "`drydock new-image FOLDER` starts an image that has one."
    )


def _has_file(engine: Engine, container: str, path: str) -> bool:
    try:
        with asked_to(f"look for {path}"):
            content, status = engine.api.get_archive(container, path)
            with closing(content):
                return bool(status["mode"] & 0o111) and not status["mode"] & 1 << 31  # Go's mark of a folder
    except RefusedError as error:
        if error.gone:
            return False
        raise


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
            f'The training image "{name}" is for {there}, and this machine is {here}. To mend it: '
            f"{builds.for_platform(name, here)}."
        )


def _present(engine: Engine) -> list[str]:
    tags = {tag for entry in engine.api.images() for tag in entry.get("RepoTags") or ()}
    return sorted(tag for tag in tags if _OURS in f"/{tag}")
