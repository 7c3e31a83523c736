"""Feeds a job's log lines and metrics to the CloudWatch APIs, in the background, as SageMaker does.

Logs go to the group /aws/sagemaker/TrainingJobs, one stream ``<job>/algo-1-<epoch>`` a host; metrics to the
namespace of the same name with the dimension TrainingJobName. The APIs (moto's) keep them in memory only,
so they are fed again from the job folders when the emulator starts. No job waits for them but at its end.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from local.jobs import logs, metrics, workdir
from local.jobs.job import TrainingJob
from local.jobs.logs import Event
from local.jobs.metrics import Point
from local.jobs.workdir import HOST

GROUP = "/aws/sagemaker/TrainingJobs"
"""Log group and metric namespace."""
METRICS_FILE = Path("metrics.jsonl")

_BATCH_EVENTS, _BATCH_BYTES, _EVENT_BYTES = 10_000, 1_048_576, 26  # limits of PutLogEvents
_BATCH_POINTS = 1000  # limit of PutMetricData
_OLDEST_S = 14 * 86400 - 3600  # older events are refused; such a line keeps its text and gets this age
_LINGER_S = 0.2
_ATTEMPTS = 8

T = TypeVar("T")


class _Entry(NamedTuple):
    job: TrainingJob
    events: Iterable[Event] = ()
    points: Iterable[Point] = ()
    host: str = HOST


def log_stream(job: TrainingJob, host: str = HOST) -> str:
    """Name of the log stream of one host of the job."""
    return f"{job.name}/{host}-{int(job.created)}"


def log_file(host: str = HOST) -> Path:
    """Where the log of a host lies in the job's folder."""
    return Path("logs") / f"{host}.jsonl"


class Telemetry:
    """Delivers log lines and metric points in batches from one thread of its own."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._clients: dict[tuple[str, str], Any] = {}
        self._streams: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self._queue: list[_Entry] = []
        self._submitted = self._delivered = 0  # entries
        self._batches = 0  # requests that were answered, or given up
        self._hurried = 0  # callers of flush
        self._closing = False
        self._out_of_reach = False
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._thread.start()

    def send(
        self, job: TrainingJob, events: Iterable[Event] = (), points: Iterable[Point] = (), host: str = HOST
    ) -> None:
        """Queue log lines of a host, in their order, and metric points; returns at once."""
        with self._changed:
            self._queue.append(_Entry(job, events, points, host))
            self._submitted += 1
            self._changed.notify_all()

    def replay(self, jobs: Iterable[tuple[TrainingJob, Path]]) -> None:
        """Queue what the folders of earlier jobs hold; returns at once."""
        for job, folder in jobs:
            for host in workdir.hosts(job.request):
                self.send(job, logs.read(folder / log_file(host)), host=host)
            self.send(job, points=metrics.read(folder / METRICS_FILE))

    def flush(self, patience_s: float = 40.0) -> bool:
        """Wait until all that was queued before is readable; False if nothing moves for so long."""
        with self._changed:
            target = self._submitted
            self._hurried += 1
            self._changed.notify_all()
            moving = True
            while moving and self._delivered < target:
                moving = self._changed.wait_for(partial(self._moved, target, self._batches), patience_s)
            self._hurried -= 1
            return self._delivered >= target

    def close(self) -> None:
        """Deliver what is queued, without retrying, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=10)

    def _moved(self, target: int, batches: int) -> bool:
        return self._delivered >= target or self._batches != batches

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                self._changed.wait_for(lambda: self._hurried or self._closing, _LINGER_S)
                entries, self._queue = self._queue, []
            try:
                self._deliver(entries)
            except Exception:
                logging.exception("some lines or metrics cannot be sent to CloudWatch")
            with self._changed:
                self._delivered += len(entries)
                self._changed.notify_all()

    def _deliver(self, entries: list[_Entry]) -> None:
        jobs = {entry.job.name: entry.job for entry in entries}
        for name, job in jobs.items():
            mine = [entry for entry in entries if entry.job.name == name]
            for host in dict.fromkeys(entry.host for entry in mine):
                for events in _batches(chain.from_iterable(entry.events for entry in mine if entry.host == host)):
                    self._persist(partial(self._put_events, host), job, events)
            points = chain.from_iterable(entry.points for entry in mine)
            while batch := list(islice(points, _BATCH_POINTS)):
                self._persist(self._put_points, job, batch)

    def _persist(self, put: Callable[[TrainingJob, list[T]], None], job: TrainingJob, batch: list[T]) -> None:
        """Try until it works, for about half a minute: the neighbours may be starting or starting again."""
        from botocore.exceptions import BotoCoreError, ClientError

        for attempt in range(1 if self._out_of_reach else _ATTEMPTS):
            try:
                put(job, batch)
                self._out_of_reach = False
                return self._count()
            except (BotoCoreError, ClientError) as error:
                self._streams -= {(job.region, log_stream(job, host)) for host in workdir.hosts(job.request)}
                logging.debug("telemetry of %s, attempt %d: %s", job.name, attempt + 1, error)
            if self._closing:
                break
            time.sleep(min(8.0, 0.25 * 2**attempt))
        self._out_of_reach = True
        logging.warning("CloudWatch lacks some lines or metrics of %s; its folder has them all", job.name)
        return self._count()

    def _count(self) -> None:
        with self._changed:
            self._batches += 1
            self._changed.notify_all()

    def _put_events(self, host: str, job: TrainingJob, events: list[Event]) -> None:
        client, stream = self._client("logs", job.region), log_stream(job, host)
        if (job.region, stream) not in self._streams:
            _create(client.create_log_group, logGroupName=GROUP)
            _create(client.create_log_stream, logGroupName=GROUP, logStreamName=stream)
            self._streams.add((job.region, stream))
        times = accumulate((event.t for event in events), max, initial=int((time.time() - _OLDEST_S) * 1000))
        wanted = [
            {"timestamp": t, "message": event.m or " "} for t, event in zip(islice(times, 1, None), events, strict=True)
        ]
        client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=wanted)

    def _put_points(self, job: TrainingJob, points: list[Point]) -> None:
        dimensions = [{"Name": "TrainingJobName", "Value": job.name}]
        data = [
            {
                "MetricName": point.name,
                "Dimensions": dimensions,
                "Timestamp": datetime.fromtimestamp(point.t / 1000, UTC),
                "Value": point.value,
            }
            for point in points
        ]
        self._client("cloudwatch", job.region).put_metric_data(Namespace=GROUP, MetricData=data)

    def _client(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.session.Session().client(  # type: ignore[call-overload]
                service,
                region_name=region,
                endpoint_url=self._endpoint_url,
                aws_access_key_id="drydock",
                aws_secret_access_key="drydock",
                config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, proxies={}),
            )
        return self._clients[service, region]


def _create(operation: Callable[..., object], **names: str) -> None:
    from botocore.exceptions import ClientError

    try:
        operation(**names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """The events in lists that PutLogEvents takes."""
    batch: list[Event] = []
    size = 0
    for event in events:
        cost = len(event.m.encode("utf-8", "replace")) + _EVENT_BYTES
        if batch and (len(batch) == _BATCH_EVENTS or size + cost > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += cost
    if batch:
        yield batch
