"""What the command line knows of programs: the ``programs.json`` of each program folder of the emulator."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from local.cli.refusal import Refusal

PLATFORM_PREFIX = "sagemaker_"
TUNING_OBJECTIVE = "_tuning_objective_metric"


@dataclass(frozen=True)
class Program:
    """One entry of a ``programs.json``."""

    name: str
    file: Path
    environment: str
    """Virtual environment that it runs in, a name of ``local.environments``."""
    image: str
    """What CreateTrainingJob is given as TrainingImage."""
    metric_definitions: tuple[dict[str, str], ...]
    defaults: Mapping[str, Any]
    """Hyperparameter name → its default."""
    channels: Mapping[str, Any]

    def check_hyperparameters(self, names: Sequence[str]) -> None:
        """Raises Refusal for a name that the program does not declare; dashes and underscores are equal.

        A program that declares none takes any.
        """
        if not self.defaults:
            return
        known = {_plain(name): name for name in self.defaults}
        for name in names:
            if name.startswith(PLATFORM_PREFIX) or name == TUNING_OBJECTIVE or _plain(name) in known:
                continue
            near = get_close_matches(_plain(name), known, n=1)
            hint = f"did you mean {known[near[0]]}?" if near else f"it has {', '.join(sorted(known.values()))}"
            raise Refusal(f"{self.name} has no hyperparameter {name!r}", hint)

    def check_channels(self, names: Sequence[str]) -> None:
        """Raises Refusal for a channel that the program does not declare; one that declares none takes any."""
        for name in names:
            if self.channels and name not in self.channels:
                raise Refusal(f"{self.name} reads no channel {name!r}", f"it reads {', '.join(self.channels)}")

    def value_of(self, name: str, given: Mapping[str, str]) -> Any:
        """A hyperparameter's value as the program will see it: the given text, else the default, else None."""
        chosen = {_plain(key): value for key, value in given.items()}
        return chosen.get(_plain(name), next((v for k, v in self.defaults.items() if _plain(k) == _plain(name)), None))


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
        image=f"drydock/{entry['images'][0]}:{name}",
        metric_definitions=tuple(entry.get("metric_definitions", ())),
        defaults={field["name"]: field.get("default") for field in entry.get("hyperparameters", ())},
        channels=entry.get("channels", {}),
    )


def _plain(name: str) -> str:
    return name.replace("-", "_")
