"""Makes CreateTrainingJob requests from botocore's model: valid ones, and ones with exactly one fault."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from re import _constants as regex  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local import protocol, validation
from local.api.members import CREATE_TRAINING_JOB, Effect

BUCKET = "fuzz"
"""Holds ``data/`` and ``a.manifest``, which valid requests name."""

REQUIRED_BY_THE_SERVICE = {
    "AlgorithmSpecification",
    "AlgorithmSpecification.TrainingImage",
    "InputDataConfig[].DataSource.S3DataSource",
    "ResourceConfig",
    "ResourceConfig.InstanceCount",
    "ResourceConfig.InstanceType",
}
PRINTABLE = "abcXYZ0189 _-+=./:,;'\"\\<>{}[]()!?#%&é漢"


@dataclass(frozen=True)
class Fault:
    """A request with one fault: where it is, what breaks, and the code of the refusal."""

    path: str
    kind: str
    request: Any
    code: str = "ValidationException"


class Generator:
    """Values of the model's shapes. Paths are the table's: ``InputDataConfig[].ChannelName``."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.count = 0

    def value(self, shape: Shape, path: str, *, with_member: str = "", supported: bool = True) -> Any:
        """A value that the model allows; ``supported`` ones Drydock takes too. ``with_member`` is surely in it."""
        if supported and (special := self.special(path)) is not None:
            return special
        if isinstance(shape, StructureShape):
            wanted = {*shape.required_members, with_member}
            return {
                name: self.value(member, below(path, name), supported=supported)
                for name, member in shape.members.items()
                if name in wanted or self.may_have(below(path, name))
            }
        if isinstance(shape, ListShape):
            least = max(1, shape.metadata.get("min", 0))
            length = self.rng.randint(least, min(least + 2, shape.metadata.get("max", 3)))
            return [self.value(shape.member, f"{path}[]", supported=supported) for _ in range(length)]
        if isinstance(shape, MapShape):
            size = self.rng.choice([0, 1, 3])
            return {self.text(shape.key): self.value(shape.value, f"{path}{{}}") for _ in range(size)}
        return self.scalar(shape)

    def may_have(self, path: str) -> bool:
        return path in REQUIRED_BY_THE_SERVICE or (self.rng.random() < 0.4 and not is_refused(path))

    def scalar(self, shape: Shape) -> Any:
        if shape.type_name == "boolean":
            return self.rng.random() < 0.5
        if shape.type_name in ("integer", "long"):
            least = shape.metadata.get("min", 0)
            return self.rng.randint(least, shape.metadata.get("max", least + 1000))
        return self.text(shape)

    def text(self, shape: Shape) -> str:
        if allowed := shape.metadata.get("enum"):
            return str(self.rng.choice(allowed))
        pattern = validation.compiled(shape.metadata.get("pattern", ".*"))
        assert pattern is not None
        least, most = shape.metadata.get("min", 0), min(shape.metadata.get("max", 100), 600)
        for attempt in range(500):
            text = self.matching(pattern, self.rng.randint(0, 2 + attempt // 2))
            if least <= len(text) <= most and pattern.fullmatch(text):
                return text
        raise AssertionError(f"no {shape.name} was found")

    def too_long(self, shape: Shape) -> str:
        """Longer than the model allows, and matching its pattern where a text that long can."""
        pattern = validation.compiled(shape.metadata.get("pattern", ".*"))
        assert pattern is not None
        for repeats in (1 << n for n in range(14)):
            text = self.matching(pattern, repeats, exactly=True)
            if len(text) > shape.metadata["max"] and pattern.fullmatch(text):
                return text
        return "a" * (shape.metadata["max"] + 1)

    def matching(self, pattern: re.Pattern[str], repeats: int, *, exactly: bool = False) -> str:
        def count(least: int, most: int) -> int:
            most = min(int(most), least + repeats)
            return most if exactly else self.rng.randint(least, most)

        def one_of(choices: list[tuple[Any, Any]]) -> str:
            op, argument = self.rng.choice(choices)
            if op is regex.RANGE:
                return chr(self.rng.randint(*argument))
            if op is regex.CATEGORY:
                return self.rng.choice("0123456789" if argument is regex.CATEGORY_DIGIT else "abz09")
            return chr(argument)

        def text_of(parts: Any) -> str:
            texts = []
            for op, argument in parts:
                if op is regex.LITERAL:
                    texts.append(chr(argument))
                elif op in (regex.ANY, regex.NOT_LITERAL):
                    texts.append(self.rng.choice([c for c in PRINTABLE if op is regex.ANY or ord(c) != argument]))
                elif op is regex.IN:
                    texts.append(one_of(argument))
                elif op is regex.MAX_REPEAT:
                    texts.extend(text_of(argument[2]) for _ in range(count(argument[0], argument[1])))
                elif op is regex.SUBPATTERN:
                    texts.append(text_of(argument[3]))
                elif op is regex.BRANCH:
                    texts.append(text_of(self.rng.choice(argument[1])))
                else:
                    assert op is regex.ASSERT_NOT, op
            return "".join(texts)

        return text_of(_parser.parse(pattern.pattern))

    def special(self, path: str) -> Any:
        """What the model alone cannot say: names that are free, addresses that exist, values that Drydock takes."""
        self.count += 1
        source = {"S3Uri": f"s3://{BUCKET}/data", "S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}
        manifest = source | {"S3Uri": f"s3://{BUCKET}/a.manifest", "S3DataType": "ManifestFile"}
        values: dict[str, Any] = {
            "TrainingJobName": f"job-{self.count}{'x' * self.rng.randint(0, 40)}",
            "AlgorithmSpecification.TrainingImage": "drydock/train-cpu:hello",
            "AlgorithmSpecification.MetricDefinitions[].Regex": r"value=(\d+)",
            "InputDataConfig[].ChannelName": f"c{self.count}",
            "InputDataConfig[].DataSource": {"S3DataSource": self.rng.choice([source, manifest])},
            "OutputDataConfig.S3OutputPath": f"s3://{BUCKET}/out",
            "StoppingCondition.MaxRuntimeInSeconds": self.rng.randint(600, 28 * 86400),
            "CheckpointConfig.S3Uri": f"s3://{BUCKET}/checkpoints/{self.count}",
            "CheckpointConfig.LocalPath": self.rng.choice(["/opt/ml/checkpoints", "/opt/ml/state/x"]),
            "DebugHookConfig.LocalPath": "/opt/ml/output/tensors",
            "TensorBoardOutputConfig.LocalPath": "/opt/ml/output/tensorboard",
            "Tags[].Key": f"k{self.count}",
        }
        member = CREATE_TRAINING_JOB.get(path)
        return values.get(path, self.rng.choice(member.only) if member and member.only else None)

    def faults(self, shape: Shape, path: str = "", spoken: str = "") -> Iterator[Fault]:
        """Values of the shape with one fault each, in the shape itself or anywhere below it."""
        yield Fault(spoken, "type", [] if shape.type_name != "list" else "text", "SerializationException")
        if isinstance(shape, StructureShape):
            yield from self.structure_faults(shape, path, spoken)
        elif isinstance(shape, ListShape):
            yield from self.list_faults(shape, path, spoken)
        elif isinstance(shape, MapShape):
            yield from self.map_faults(shape, path, spoken)
        else:
            yield from self.scalar_faults(shape, spoken)

    def structure_faults(self, shape: StructureShape, path: str, spoken: str) -> Iterator[Fault]:
        yield Fault(below(spoken, "Surprise"), "unknown", {**self.value(shape, path), "Surprise": 1})
        for name, member in shape.members.items():
            at = below(spoken, validation.member_name(name))
            if name in shape.required_members:
                whole = self.value(shape, path, with_member=name)
                yield Fault(at, "required", {key: value for key, value in whole.items() if key != name})
                yield Fault(at, "required", whole | {name: None})
            for fault in self.faults(member, below(path, name), at):
                yield replaced(fault, {**self.value(shape, path, with_member=name), name: fault.request})

    def list_faults(self, shape: ListShape, path: str, spoken: str) -> Iterator[Fault]:
        if shape.metadata.get("min", 0):
            yield Fault(spoken, "min", [])
        if "max" in shape.metadata:
            most = shape.metadata["max"]
            yield Fault(spoken, "max", [self.value(shape.member, f"{path}[]") for _ in range(most + 1)])
        yield Fault(f"{spoken}.1.member", "null", [None])
        for fault in self.faults(shape.member, f"{path}[]", f"{spoken}.1.member"):
            of_list = isinstance(shape.member, StructureShape) or fault.kind == "type"
            yield replaced(fault, [fault.request], fault.path if of_list else spoken)

    def map_faults(self, shape: MapShape, path: str, spoken: str) -> Iterator[Fault]:
        if "max" in shape.metadata:
            yield Fault(spoken, "max", {f"k{n}": "v" for n in range(shape.metadata["max"] + 1)})
        yield Fault(f"{spoken}.k.member", "null", {"k": None})
        for fault in self.faults(shape.value, f"{path}{{}}", f"{spoken}.k.member"):
            yield replaced(fault, {"k": fault.request}, fault.path if fault.kind == "type" else spoken)
        for fault in self.scalar_faults(shape.key, spoken):
            yield replaced(fault, {fault.request: "v"})

    def scalar_faults(self, shape: Shape, spoken: str) -> Iterator[Fault]:
        limits = shape.metadata
        if shape.type_name in ("integer", "long"):
            yield Fault(spoken, "type", 2**63, "SerializationException")
            yield from (Fault(spoken, "min", limits["min"] - n) for n in (1, 1000) if "min" in limits)
            yield from (Fault(spoken, "max", limits["max"] + n) for n in (1, 1000) if "max" in limits)
        elif shape.type_name == "string":
            if "max" in limits:
                yield Fault(spoken, "max", self.too_long(shape))
            if limits.get("min", 0):
                yield Fault(spoken, "min", "")
            if "pattern" in limits:
                yield from (Fault(spoken, "pattern", text) for text in mismatches(limits))
            if "enum" in limits:
                yield from (Fault(spoken, "enum", text) for text in ("", "nope", limits["enum"][0].swapcase()))
        elif shape.type_name == "boolean":
            yield Fault(spoken, "type", "true", "SerializationException")

    def unsupported(self, shape: Shape) -> Iterator[Fault]:
        """Requests that the model allows and Drydock does not do, one for each such entry of the table."""
        for path, member in CREATE_TRAINING_JOB.items():
            if member.effect is Effect.REFUSED or member.only:
                yield Fault(spoken_form(path), "unsupported", self.with_path(shape, "", path.replace("[]", ".[]")))

    def with_path(self, shape: Shape, path: str, rest: str) -> Any:
        """A supported value but for the member at ``rest``, which has any other value that the model allows."""
        name, _, further = rest.partition(".")
        if name == "":
            member = CREATE_TRAINING_JOB[path]
            values = (self.value(shape, path, supported=False) for _ in range(1000))
            return next(value for value in values if value not in member.only)
        if isinstance(shape, ListShape):
            return [self.with_path(shape.member, f"{path}[]", further)]
        assert isinstance(shape, StructureShape)
        inner = self.with_path(shape.members[name], below(path, name), further)
        return {**self.value(shape, path, with_member=name), name: inner}


def below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def is_refused(path: str) -> bool:
    member = CREATE_TRAINING_JOB.get(path)
    return member is not None and member.effect is Effect.REFUSED and not member.only


def replaced(fault: Fault, request: Any, path: str | None = None) -> Fault:
    return Fault(fault.path if path is None else path, fault.kind, request, fault.code)


def mismatches(limits: dict[str, Any]) -> list[str]:
    """Texts of an allowed length that the pattern does not match; none if it matches everything."""
    pattern = validation.compiled(limits["pattern"])
    assert pattern is not None
    least, most = limits.get("min", 0), limits.get("max", 10_000)
    texts = ["-", "a b", "é", "two\nlines", "s3:/x", "*" * max(least, 1), "\n" * max(least, 1)]
    return [text for text in texts if least <= len(text) <= most and not pattern.fullmatch(text)]


def spoken_form(path: str) -> str:
    """``InputDataConfig[].ChannelName`` as messages have it: ``inputDataConfig.1.member.channelName``."""
    names = path.replace("[]", ".1.member").split(".")
    return ".".join(validation.member_name(name) for name in names)


SHAPE = protocol.operation("CreateTrainingJob").input_shape
assert SHAPE is not None
