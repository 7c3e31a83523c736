"""Follows a training job as any client can: DescribeTrainingJob for its status, CloudWatch Logs for its lines."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from local.cli.place import Place

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
TERMINAL = frozenset({"Completed", "Failed", "Stopped"})
DRAIN_POLLS = 2
"""How many empty readings after a job's end are taken for the end of its log."""


def logs_client(running: Place, description: Mapping[str, Any]) -> Any:
    """A client of CloudWatch Logs in the job's own region."""
    return running.client("logs", description["TrainingJobArn"].split(":")[3])


class Line(NamedTuple):
    """One line of a job's log; as text it begins with the host's name, where the job has several."""

    text: str
    host: str = ""
    """Empty for a job that has only one."""

    def __str__(self) -> str:
        return f"{self.host}: {self.text}" if self.host else self.text


class LogReader:
    """Reads the lines of a job that have come since the last reading."""

    def __init__(self, logs: Any, description: Mapping[str, Any]) -> None:
        self._logs = logs
        self._prefix = f"{description['TrainingJobName']}/"
        self._several = description["ResourceConfig"]["InstanceCount"] > 1
        self._tokens: dict[str, str | None] = {}

    def read(self) -> list[Line]:
        """New lines of every stream, oldest first; none while the job has no log."""
        from botocore.exceptions import ClientError

        try:
            streams = self._logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=self._prefix)
        except ClientError as error:
            if error.response["Error"].get("Code") == "ResourceNotFoundException":
                return []
            raise
        lines: list[tuple[int, Line]] = []
        for stream in streams["logStreams"]:
            lines += self._read_stream(stream["logStreamName"])
        return [line for _, line in sorted(lines, key=lambda timed: timed[0])]

    def _read_stream(self, stream: str) -> list[tuple[int, Line]]:
        """(epoch milliseconds, line) of each."""
        host = stream.removeprefix(self._prefix).rpartition("-")[0] if self._several else ""
        lines: list[tuple[int, Line]] = []
        while True:
            token = self._tokens.get(stream)
            position = {"nextToken": token} if token else {}
            reply = self._logs.get_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **position
            )
            self._tokens[stream] = reply["nextForwardToken"]
            if not reply["events"]:
                return lines
            lines += [(event["timestamp"], Line(event["message"], host)) for event in reply["events"]]


def follow(running: Place, description: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], list[Line]]]:
    """Yields the job's description and its new log lines until it has ended and its log is read to the end."""
    job = description["TrainingJobName"]
    sagemaker = running.client("sagemaker")
    reader = LogReader(logs_client(running, description), description)
    quiet = 0
    while True:
        newest = sagemaker.describe_training_job(TrainingJobName=job)
        lines = reader.read()
        yield newest, lines
        ended = newest["TrainingJobStatus"] in TERMINAL
        quiet = quiet + 1 if ended and not lines else 0
        if quiet == DRAIN_POLLS:
            return
        time.sleep(running.drain_s if ended else running.poll_s)
