"""What the command line knows of programs: the ``programs.json`` of each program folder of the emulator."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from local.cli import hyperparameters
from local.cli.refusal import Refusal

PLATFORM_PREFIX = "sagemaker_"
SIZE = "img-size"
TUNING_OBJECTIVE = "_tuning_objective_metric"


@dataclass(frozen=True)
class Program:
    """One entry of a ``programs.json``."""

    name: str
    file: Path
    environment: str
    """Virtual environment that it runs in, a name of ``local.environments``."""
    images: tuple[str, ...]
    """``drydock/train-cpu:yolo`` and the like."""
    metric_definitions: tuple[dict[str, str], ...]
    hyperparameters: Mapping[str, Mapping[str, Any]]
    """Name → its declaration."""
    channels: Mapping[str, Any]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other name → the hyperparameter that it means, or empty; the program says what it makes of it and its value."""
    samples: str = ""
    """The kind of generated data that it trains on when it is given none; empty: none."""
    sample_settings: Mapping[str, str] = field(default_factory=dict)
    """Hyperparameters that suit those data in place of the defaults."""

    @property
    def image(self) -> str:
        """What CreateTrainingJob is given as TrainingImage."""
        return self.images[0]

    def check_hyperparameters(self, given: Mapping[str, str]) -> None:
        """Raises Refusal for a name or value that the program does not declare; dashes and underscores are equal.

        A program that declares none takes any.
        """
        if not self.hyperparameters:
            return
        known = {_plain(name): declared for name, declared in self.hyperparameters.items()}
        for name, text in given.items():
            if name.startswith(PLATFORM_PREFIX) or name == TUNING_OBJECTIVE:
                continue
            if _plain(name) in {_plain(alias) for alias in self.aliases}:
                continue
            if _plain(name) not in known:
                near = get_close_matches(_plain(name), [*known, *map(_plain, self.aliases)], n=1)
                every = ", ".join(sorted(self.hyperparameters))
                hint = f"did you mean {near[0].replace('_', '-')}?" if near else f"it has {every}"
                raise Refusal(f"{self.name} has no hyperparameter {name!r}", hint)
            hyperparameters.check(known[_plain(name)], text)

    def with_sample_settings(self, given: Mapping[str, str]) -> dict[str, str]:
        """What is given, and what suits the generated data where nothing is given by that name or an alias of it.

        The size of images that suits them is the default model's: another may take larger ones only.
        """
        meant = {_plain(alias): _plain(name) for alias, name in self.aliases.items()}
        settled = {meant.get(_plain(name), _plain(name)): text for name, text in given.items()}
        taken = set(settled)
        if settled.get("model", self.value_of("model", {})) != self.value_of("model", {}):
            taken.add(_plain(SIZE))
        return {name: text for name, text in self.sample_settings.items() if _plain(name) not in taken} | dict(given)

    def check_channels(self, names: Sequence[str]) -> None:
        """Raises Refusal for a channel that the program does not declare; one that declares none takes any."""
        for name in names:
            if self.channels and name not in self.channels:
                raise Refusal(f"{self.name} reads no channel {name!r}", f"it reads {', '.join(self.channels)}")

    def value_of(self, name: str, given: Mapping[str, str]) -> Any:
        """A hyperparameter's value as the program will see it: the given text, else the default, else None."""
        values = {_plain(key): declared.get("default") for key, declared in self.hyperparameters.items()}
        return (values | {_plain(key): value for key, value in given.items()}).get(_plain(name))


def read(folders: Sequence[Path]) -> dict[str, Program]:
    """Every program of these folders by name; the first folder wins. Raises Refusal for a file that does not parse."""
    programs: dict[str, Program] = {}
    for folder in folders:
        path = folder / "programs.json"
        try:
            entries = json.loads(path.read_text())["programs"]
            for name, entry in entries.items():
                programs.setdefault(name, _program(name, entry, folder))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refusal(f"{path} cannot be read: {error!r}", "docs/contract.md shows what it holds") from error
    return programs


def find(name: str, folders: Sequence[Path]) -> Program:
    """One program by its name; raises Refusal that lists the known ones."""
    programs = read(folders)
    if name not in programs:
        raise Refusal(f"there is no program {name!r}", f"the programs are {', '.join(sorted(programs))}")
    return programs[name]


def _program(name: str, entry: Mapping[str, Any], folder: Path) -> Program:
    return Program(
        name=name,
        file=folder / entry["file"],
        environment=entry["environment"],
        images=tuple(f"drydock/{image}:{name}" for image in entry["images"]),
        metric_definitions=tuple(entry.get("metric_definitions", ())),
        hyperparameters={declared["name"]: declared for declared in entry.get("hyperparameters", ())},
        channels=entry.get("channels", {}),
        aliases=entry.get("aliases", {}),
        samples=entry.get("samples", ""),
        sample_settings=entry.get("sample_settings", {}),
    )


def _plain(name: str) -> str:
    return name.replace("-", "_")
