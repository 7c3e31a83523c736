"""Where the first weights of a job come from, and what is said of it. Imports no framework."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from optml.environment import Environment
from optml.errors import Refusal

Fetched = TypeVar("Fetched")
Start = TypeVar("Start")
"""Where they come from, in words, and the weights by name (empty: random)."""

STARTERS = Path(__file__).resolve().parent.parent / "weights"
"""Drydock's own weights to start from, a file for each model that has some (its recipe: `entrypoints/starter.py`)."""


def choose(
    pretrained: str,
    env: Environment,
    *,
    none: Callable[[str], Start],
    channel: Callable[[], Start],
    starter: Callable[[], Start] | None,
    published: Callable[[], Start],
) -> Start:
    """The start of a job whose hyperparameter `pretrained` is auto, starter, channel, none or a publisher.

    `auto` takes the channel `pretrained` where the job has one, else the starter, else `none`, which is told in words.
    """
    source = origin(pretrained, env, ships=starter is not None)
    if source == "none":
        return none(f"random weights (pretrained={pretrained})")
    if source == "channel":
        return channel()
    return starter() if starter and source == "starter" else published()


def origin(pretrained: str, env: Environment, *, ships: bool) -> str:
    """Where `choose` takes the start from: channel, starter, none or a publisher; `ships`: there is a starter."""
    if pretrained != "auto":
        return pretrained
    return "channel" if "pretrained" in env.channels else "starter" if ships else "none"


def shipped(model: str, models: Iterable[str], pretrained: str, env: Environment) -> Path | None:
    """The starter of a model, one of a program's `models`, if any.

    Refusal where `pretrained` asks for it and there is none, or for a channel that the job lacks.
    """
    if pretrained == "channel":
        env.channel("pretrained")
    path = STARTERS / f"{model}.safetensors"
    if path.is_file():
        return path
    if pretrained == "starter":
        having = [name for name in models if (STARTERS / f"{name}.safetensors").is_file()]
        others = f"use model={' or model='.join(having)}, " if having else ""
        raise Refusal(
            f"Drydock ships no starting weights for {model}",
            f"{others}add a channel `pretrained` with a weights file, or set pretrained=none (random weights)",
        )
    return None


def fetched(publisher: str, name: str, fetch: Callable[[], Fetched]) -> Fetched:
    """What the makers of an architecture publish, because the user asked for it; Refusal where it does not come."""
    try:
        return fetch()
    except Exception as error:
        raise Refusal(
            f"could not download {publisher}' {name}: {error}",
            "check the network, or give the file in a channel `pretrained`",
        ) from error


def file_of(folder: Path, scratch: Path, *suffixes: Sequence[str]) -> Path:
    """The one weights file in the channel `pretrained`, or in the model.tar.gz of a job that it holds.

    Its suffix is one of the first of `suffixes`, else one of the next. Refusal for none and for several.
    """
    archive = folder / "model.tar.gz"
    if archive.is_file():
        folder = _unpacked(archive, scratch / "pretrained")
    groups = ([path for path in sorted(folder.iterdir()) if path.suffix in group] for group in suffixes)
    found = next(filter(None, groups), [])
    if not found:
        known = ", ".join(suffix for group in suffixes for suffix in group)
        raise Refusal(
            f"channel `pretrained` has no {known} or model.tar.gz",
            "put one weights file there, or leave the channel out",
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise Refusal(f"channel `pretrained` holds several weights files: {names}", "keep one of them")
    return found[0]


def told(source: str, given: int, fitted: int, total: int) -> None:
    """Say how many of the tensors of a start fitted the model; Refusal where there are some and none does."""
    if given and not fitted:
        raise Refusal(
            f"none of the {given} tensors of {source} fits the model", "give weights of the same architecture"
        )
    print(f"starting from {source}" + (f": {fitted} of {total} tensors" if given else ""), flush=True)


def _unpacked(archive: Path, target: Path) -> Path:
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Refusal(f"{archive.name} cannot be unpacked: {error}", "give the archive that a job wrote") from error
    return target
