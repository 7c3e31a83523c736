"""Which train images `make images` builds, and what to type for a name of which there is no image."""

from collections.abc import Iterable
from difflib import get_close_matches

from local import environments
from local.jobs.programs import OF_TENSORFLOW, SCRIPT, ProgramTable

_OURS = "drydock/"


def targets() -> dict[str, str]:
    """Each train image that docker-bake.hcl makes of this checkout → what `make images IMAGES=…` calls it."""
    folder = environments.CHECKOUT / "entrypoints"
    programs = ProgramTable([folder] if (folder / "programs.json").exists() else []).images()
    scripts = (f"{_OURS}{image}:{SCRIPT.name}" for image in OF_TENSORFLOW)
    return {image: image.removeprefix(_OURS).replace(":", "-") for image in (*programs, *scripts)}


def command(image: str) -> str | None:
    """What builds an image, named as the engine would or as `make images` does; None if nothing here builds it."""
    known = targets()
    target = known.get(image) or known.get(f"{_OURS}{image}") or (image if image in known.values() else None)
    return f"make images IMAGES={target}" if target else None


def for_platform(image: str, platform: str) -> str:
    """Where an image for another platform is to be had: `linux/amd64`."""
    build = command(image)
    if build:
        return f"on a machine that is {platform}: {build}"
    if image.startswith(_OURS):
        return f"no registry has {image}; make images builds what trains: {', '.join(targets())}"
    return f"build it for {platform}, or docker pull --platform {platform} {image}"


def nearest(names: Iterable[str], known: Iterable[str]) -> str:
    """`Did you mean "…"?` with the one that is called nearly as the first name that resembles any; empty if none is."""
    found = next(filter(None, (get_close_matches(name, [*known], n=1, cutoff=0.9) for name in names)), None)
    return f'Did you mean "{found[0]}"?' if found else ""
