"""A program's command line: `python yolo.py VERB`, with the exit codes, signals and failure file SageMaker expects.

A program builds one `Program` at module level and, run as a script, calls its `main()`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO

from optml import hyperparameters, outcomes, stopping, supervisor
from optml.aliases import Alias, Idle, Meaning, Refused
from optml.environment import Environment, base_dir
from optml.errors import Refusal
from optml.metrics import Registry
from optml.stopping import Stopped, leave_if_stopped, on_stop, stop_requested

__all__ = ["Channel", "Program", "Stopped", "Verb", "leave_if_stopped", "on_stop", "stop_requested"]


@dataclass(frozen=True)
class Verb:
    run: Callable[..., None]
    """`train` is called with the Environment and the hyperparameters, any other verb with the parsed arguments."""
    help: str
    arguments: Callable[[argparse.ArgumentParser], None] | None = None
    """Adds the verb's arguments to its parser; `train` takes none."""


@dataclass(frozen=True)
class Channel:
    required: bool
    help: str


@dataclass(frozen=True)
class Program:
    """One algorithm: what `programs.json` says of it, and its verbs."""

    name: str
    summary: str
    hyperparameters: type[Any]
    metrics: Registry
    channels: Mapping[str, Channel]
    environment: str
    """Virtual environment that it runs in; `python` means the bare interpreter."""
    images: Sequence[str]
    verbs: Mapping[str, Verb]
    several_hosts: bool = False
    """Its `train` shares the work with the other hosts of a job; else it refuses such a job."""
    aliases: Mapping[str, Meaning] = dataclasses.field(default_factory=dict)
    """Other names that it understands, with dashes."""
    samples: str = ""
    """What `python -m vision.samples --kind` makes for it to train on when it is given nothing; empty: nothing."""
    sample_settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Hyperparameters that suit those in place of the defaults, with dashes; `img-size`: of the default `model`."""

    def main(self, argv: Sequence[str] | None = None) -> NoReturn:
        """Run the verb that the command line names and exit; as process 1, do so in a child."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        base = base_dir() if arguments[:1] == ["train"] else None
        if base:
            outcomes.forget(base)
        code = supervisor.split() if supervisor.needed() else None
        if code is None:
            code = self._run(arguments, base)
        elif not (base and (base / "output/failure").exists()):
            outcomes.tell(outcomes.of_code(code), base)
        _flush(sys.stdout)
        _flush(sys.stderr)
        sys.exit(code)

    def describe(self) -> dict[str, Any]:
        """The program's entry in `programs.json`."""
        aliases = {name: _ours(one) for name, one in self.aliases.items() if _ours(one) != name}
        return {
            "file": f"{self.name}.py",
            "summary": self.summary,
            "environment": self.environment,
            "images": list(self.images),
            "several_hosts": self.several_hosts,
            "hyperparameters": [self._spelt(entry) for entry in hyperparameters.describe(self.hyperparameters)],
            "metric_definitions": self.metrics.definitions(),
            "channels": {name: dataclasses.asdict(channel) for name, channel in self.channels.items()},
            "verbs": list(self.verbs),
            **({"aliases": aliases} if aliases else {}),
            **({"samples": self.samples} if self.samples else {}),
            **({"sample_settings": dict(self.sample_settings)} if self.sample_settings else {}),
        }

    def _spelt(self, declared: dict[str, Any]) -> dict[str, Any]:
        """A declaration with what else its values are called, where the hyperparameter is an alias of itself."""
        own = self.aliases.get(declared["name"])
        also = [theirs for theirs, ours in own.values.items() if theirs != ours] if isinstance(own, Alias) else []
        return declared | ({"also": also} if also else {})

    def _run(self, arguments: list[str], base: Path | None) -> int:
        code = 0
        try:
            self._dispatch(arguments)
        except BaseException as error:  # noqa: BLE001  (every end of a program has an exit code)
            outcome = outcomes.of_error(error)
            outcomes.tell(outcome, base)
            code = outcome.code
        return outcomes.STOPPED if code == 0 and stop_requested() else code

    def _dispatch(self, arguments: list[str]) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)
        if arguments[:1] == ["describe"]:
            print(json.dumps({self.name: self.describe()}, indent=1))
            return
        parsed = self._parse(arguments)
        verb = self.verbs[parsed.verb]
        if parsed.verb != "train":
            verb.run(parsed)
            return
        stopping.arm()
        environment = Environment.read()
        values = hyperparameters.parse(self.hyperparameters, environment.hyperparameters, aliases=self.aliases)
        self._check_hosts(environment)
        self._check_channels(environment)
        verb.run(environment, values)

    def _parse(self, arguments: list[str]) -> argparse.Namespace:
        if not arguments:
            raise Refusal("no verb is given", self._usage())
        if not arguments[0].startswith("-") and arguments[0] not in self.verbs:
            raise Refusal(f'{self.name} has no verb "{arguments[0]}"', self._usage())
        parser = _Parser(prog=f"{self.name}.py", description=self.summary)
        verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser, metavar="VERB")
        for name, verb in self.verbs.items():
            sub = verbs.add_parser(name, help=verb.help, description=verb.help)
            if verb.arguments is not None:
                verb.arguments(sub)
        return parser.parse_args(arguments)

    def _usage(self) -> str:
        return f"python {self.name}.py {'|'.join([*self.verbs, 'describe'])}"

    def _check_hosts(self, environment: Environment) -> None:
        if len(environment.hosts) > 1 and not self.several_hosts:
            raise Refusal(
                f"{self.name} trains on one host, and the job has {len(environment.hosts)} (resourceconfig.json)",
                "set ResourceConfig.InstanceCount to 1, or bring a script that shares its work",
            )

    def _check_channels(self, environment: Environment) -> None:
        for name in environment.channels:
            if name not in self.channels:
                near = difflib.get_close_matches(name, self.channels, n=1)
                raise Refusal(
                    f'unknown channel "{name}" ({self.name} reads: {", ".join(self.channels)})',
                    f'did you mean "{near[0]}"?' if near else f'take "{name}" out of InputDataConfig',
                )
        for name, channel in self.channels.items():
            if channel.required:
                environment.channel(name)


def confidence_argument(parser: argparse.ArgumentParser) -> None:
    """The option `--confidence` of `predict`."""
    said = "lowest score to report, 0 to 1; default: the model's own"
    parser.add_argument("--confidence", type=_confidence, help=said)


def _confidence(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise Refusal(f"--confidence {text} is no score, which lies from 0 to 1", "give --confidence 0.5, say")
    return value


class _Parser(argparse.ArgumentParser):
    """argparse, with refusals in our form."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(message, f"{self.prog} --help")


def _ours(meaning: Meaning) -> str:
    """The hyperparameter that another name means; empty where it is none of ours."""
    return "" if isinstance(meaning, (Idle, Refused)) else meaning.name


def _flush(stream: TextIO) -> None:
    """Flush; when nobody reads any more, point the stream nowhere, so that the interpreter keeps our exit code."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
