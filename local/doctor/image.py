"""An image: what its configuration says, its layers, and the files that a container of it sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.doctor.layer import Layer
from local.doctor.tree import Tree

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What an engine sets where the image does not."""


@dataclass(frozen=True)
class Image:
    """``config`` is the image's configuration file, by the OCI specification."""

    name: str
    config: Mapping[str, Any]
    layers: Sequence[Layer]
    reference: str = ""
    """What an engine calls it; empty if it was read from a file."""

    @property
    def architecture(self) -> str:
        return str(self.config.get("architecture", ""))

    @property
    def platform(self) -> str:
        return f"{self.config.get('os', 'linux')}/{self.architecture}"

    @property
    def size_bytes(self) -> int:
        return sum(layer.size_bytes for layer in self.layers)

    @property
    def entrypoint(self) -> list[str]:
        return _words(self._run.get("Entrypoint"))

    @property
    def cmd(self) -> list[str]:
        return _words(self._run.get("Cmd"))

    @property
    def user(self) -> str:
        """As written: a name, a number, either with a group behind a colon; empty for root."""
        return str(self._run.get("User") or "")

    @property
    def runs_as_root(self) -> bool:
        return self.user.split(":")[0] in ("", "0", "root")

    @property
    def workdir(self) -> str:
        return str(self._run.get("WorkingDir") or "/")

    @property
    def volumes(self) -> list[str]:
        return sorted(self._run.get("Volumes") or ())

    @property
    def ports(self) -> list[str]:
        return sorted(self._run.get("ExposedPorts") or ())

    @property
    def labels(self) -> Mapping[str, str]:
        return self._run.get("Labels") or {}

    @property
    def environment(self) -> dict[str, str]:
        pairs = (entry.partition("=") for entry in self._run.get("Env") or ())
        return {name: value for name, _, value in pairs}

    @property
    def path(self) -> list[str]:
        """Folders in which programs are looked for."""
        return (self.environment.get("PATH") or DEFAULT_PATH).split(":")

    @property
    def history(self) -> list[str]:
        """The command of each step, those that made no layer too."""
        return [str(step.get("created_by", "")) for step in self.config.get("history") or ()]

    @cached_property
    def files(self) -> Tree:
        return Tree(list(self.layers))

    @property
    def _run(self) -> Mapping[str, Any]:
        return self.config.get("config") or {}


def _words(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def with_history(config: Mapping[str, Any], layers: list[Layer]) -> list[Layer]:
    """The layers, each with the command that made it."""
    made_by = [str(step.get("created_by", "")) for step in config.get("history") or () if not step.get("empty_layer")]
    if len(made_by) == len(layers):
        for layer, command in zip(layers, made_by, strict=True):
            layer.created_by = command
    return layers
