"""The end of a job in words: its metrics, where its results are, what its wall time would have cost."""

from pathlib import Path
from typing import Any

from local.cli import pricing
from local.cli.collect import model_uri


def wall_time_s(description: dict[str, Any]) -> float | None:
    """Seconds from the start of the training instance to the end of the upload, the time that AWS bills."""
    if "TrainingStartTime" not in description or "TrainingEndTime" not in description:
        return None
    return float((description["TrainingEndTime"] - description["TrainingStartTime"]).total_seconds())


def final_metrics(description: dict[str, Any]) -> dict[str, float]:
    """Last value of each metric that the job's definitions caught."""
    return {metric["MetricName"]: metric["Value"] for metric in description.get("FinalMetricDataList", [])}


def finished(description: dict[str, Any], folder: Path, *, billed: bool) -> list[str]:
    """What ``train`` prints at the end; ``billed``: by AWS."""
    lines = [f"job        {description['TrainingJobName']}  {description['TrainingJobStatus']}"]
    metrics = final_metrics(description)
    width = max(map(len, metrics), default=0)
    lines += [
        f"{'metrics' if i == 0 else '':<10} {name:<{width}}  {value:.4g}"
        for i, (name, value) in enumerate(metrics.items())
    ]
    names = sorted(path.name for path in folder.iterdir())
    lines += [f"results    {folder}/", f"           {'  '.join(names)}"]
    cost = pricing.bill(description) if billed else _would_cost(description)
    return [*lines, f"cost       {cost}"] if cost else lines


def to_json(description: dict[str, Any], folder: Path | None, *, billed: bool) -> dict[str, Any]:
    """The same for a script."""
    cost = pricing.bill(description) if billed else _would_cost(description)
    return {
        "job": description["TrainingJobName"],
        "status": description["TrainingJobStatus"],
        "failure_reason": description.get("FailureReason"),
        "metrics": final_metrics(description),
        "model": _stored_model(description),
        "results": str(folder) if folder else None,
        "cost": cost.to_json() if cost else None,
    }


def describe(description: dict[str, Any]) -> list[str]:
    """What ``describe`` prints."""
    rows = [
        ("job", description["TrainingJobName"]),
        ("status", f"{description['TrainingJobStatus']} ({description['SecondaryStatus']})"),
        ("reason", description.get("FailureReason", "")),
        ("image", description["AlgorithmSpecification"].get("TrainingImage", "")),
        ("created", description["CreationTime"].astimezone().strftime("%Y-%m-%d %H:%M:%S")),
        ("took", "" if wall_time_s(description) is None else f"{wall_time_s(description):.0f} s"),
        ("settings", "  ".join(f"{k}={v}" for k, v in sorted(description.get("HyperParameters", {}).items()))),
        ("data", "  ".join(_channels(description))),
        ("metrics", "  ".join(f"{name}={value:.4g}" for name, value in final_metrics(description).items())),
        ("model", _stored_model(description) or ""),
        ("checkpoints", description.get("CheckpointConfig", {}).get("S3Uri", "")),
    ]
    return [f"{name:<12} {value}" for name, value in rows if value]


def _would_cost(description: dict[str, Any]) -> pricing.Cost | None:
    wall_s, instances = wall_time_s(description), int(description["ResourceConfig"]["InstanceCount"])
    return None if wall_s is None else pricing.cost(wall_s, instances=instances)


def _stored_model(description: dict[str, Any]) -> str | None:
    """Where the model is; None for a job that has stored none, though its description names a place."""
    return model_uri(description) if description["TrainingJobStatus"] in ("Completed", "Stopped") else None


def _channels(description: dict[str, Any]) -> list[str]:
    return [
        f"{channel['ChannelName']}={channel['DataSource']['S3DataSource']['S3Uri']}"
        for channel in description.get("InputDataConfig", [])
        if "S3DataSource" in channel["DataSource"]
    ]
