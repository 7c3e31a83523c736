"""How far a job has come, read from the metric lines of its log (docs/contract.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_METRIC = re.compile(
    r"#metric (?:epoch=(?P<epoch>\d+) )?(?:step=(?P<step>\d+) )?name=(?P<name>\S+) (?P<key>\w+)=(?P<value>\S+);"
)


@dataclass(frozen=True)
class Metric:
    """One metric line."""

    name: str
    value: float
    """nan where the program measured a value that is not finite."""
    epoch: int | None


def parse_metric(line: str) -> Metric | None:
    """The metric that a log line reports, if it is a metric line."""
    found = _METRIC.fullmatch(line.strip())
    if not found:
        return None
    epoch = int(found["epoch"]) if found["epoch"] else None
    value = float(found["value"]) if found["key"] == "value" else float("nan")
    return Metric(found["name"], value, epoch)


@dataclass
class Standing:
    """How far a job has come, from the metric lines seen so far."""

    epochs: int | None = None
    """How many there will be, if the program has such a hyperparameter."""
    epoch: int | None = None
    """The newest that a line spoke of."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Newest value of each."""

    def take(self, metric: Metric) -> None:
        if metric.epoch is not None:
            self.epoch = metric.epoch
        self.metrics[metric.name] = metric.value

    def headline(self) -> str:
        """Loss and the main score, as far as they are known."""
        loss, score = training_loss(self.metrics), main_score(self.metrics)
        words = [] if loss is None else [f"loss {loss:.3f}"]
        return "  ".join(words + ([] if score is None else [f"{score[0]} {score[1]:.3f}"]))


def training_loss(metrics: Mapping[str, float]) -> float | None:
    """``train:loss`` if there is one, else the sum of the training losses."""
    losses = {name: value for name, value in metrics.items() if name.startswith("train:") and "loss" in name}
    return losses.get("train:loss", sum(losses.values()) if losses else None)


def main_score(metrics: Mapping[str, float]) -> tuple[str, float] | None:
    """The mAP50 of the validation data, else its first other score that is no loss."""
    scores = {name: value for name, value in metrics.items() if name.startswith("validation:") and "loss" not in name}
    chosen = "validation:mAP50" if "validation:mAP50" in scores else next(iter(scores), None)
    return (chosen.removeprefix("validation:"), scores[chosen]) if chosen else None
