"""What CloudWatch shows of a job: a real moto server, read as the SageMaker SDK reads it."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest

from local.jobs import telemetry
from local.jobs.job import TrainingJob
from local.jobs.logs import Event, JobLog
from local.jobs.metrics import Point
from local.jobs.telemetry import GROUP, METRICS_FILE, Telemetry, log_file
from local.neighbours import Neighbours

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def cloud():
    neighbours = Neighbours()
    yield neighbours.start()
    neighbours.stop()


@pytest.fixture
def feed(cloud):
    feed = Telemetry(cloud)
    yield feed
    feed.close()


@pytest.fixture
def job(request):
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:63]
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:training-job/{name}"
    return TrainingJob(request={"TrainingJobName": name, "ResourceConfig": {"InstanceCount": 1}}, arn=arn)


def client(cloud, service):
    return boto3.client(
        service, endpoint_url=cloud, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="a"
    )


def read(cloud, job):
    """Every line of the job's streams, page by page from the head."""
    logs = client(cloud, "logs")
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{job.name}/")["logStreams"]
    assert [stream["logStreamName"].rsplit("-", 1)[0] for stream in streams] == [f"{job.name}/algo-1"]
    events, token = [], {}
    while True:
        page = logs.get_log_events(
            logGroupName=GROUP, logStreamName=streams[0]["logStreamName"], startFromHead=True, **token
        )
        events += page["events"]
        if not page["events"]:
            return events
        token = {"nextToken": page["nextForwardToken"]}


def now_ms():
    return int(datetime.now(UTC).timestamp() * 1000)


def test_every_line_is_an_event_in_order(cloud, feed, job):
    start = now_ms()
    expected = [Event(start + number // 100, f"line {number} ü") for number in range(12_000)]
    for number in range(0, len(expected), 100):
        feed.send(job, expected[number : number + 100])
    assert feed.flush()
    assert [Event(event["timestamp"], event["message"]) for event in read(cloud, job)] == expected


def test_lines_too_many_bytes_for_one_request_arrive(cloud, feed, job):
    moment = now_ms()
    lines = [Event(moment, str(number) * 60_000) for number in range(10)] * 4
    feed.send(job, lines)
    assert feed.flush()
    assert [event["message"] for event in read(cloud, job)] == [event.m for event in lines]


def test_a_blank_line_is_an_event_too(cloud, feed, job):
    feed.send(job, [Event(now_ms(), line) for line in ("one", "", "two")])
    assert feed.flush()
    assert [event["message"] for event in read(cloud, job)] == ["one", " ", "two"]


def test_a_clock_that_was_set_back_loses_no_line(cloud, feed, job):
    start = now_ms()
    feed.send(job, [Event(start, "one"), Event(start - 5000, "two")])
    assert feed.flush()
    assert [event["message"] for event in read(cloud, job)] == ["one", "two"]


def test_lines_older_than_cloudwatch_takes_are_kept_with_a_later_time(cloud, feed, job):
    start = now_ms() - 100 * 86400 * 1000
    feed.send(job, [Event(start, "old"), Event(start + 1, "less old"), Event(now_ms(), "new")])
    assert feed.flush()
    assert [event["message"] for event in read(cloud, job)] == ["old", "less old", "new"]


def test_metrics_have_the_dimension_that_the_sdk_asks_for(cloud, feed, job):
    feed.send(job, points=[Point("train:loss", 1.5, now_ms()), Point("train:loss", 0.5, now_ms())])
    assert feed.flush()
    found = client(cloud, "cloudwatch").get_metric_statistics(
        Namespace=GROUP,
        MetricName="train:loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": job.name}],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(hours=1),
        Period=7200,
        Statistics=["Average", "SampleCount"],
    )["Datapoints"]
    assert [(point["Average"], point["SampleCount"]) for point in found] == [(1.0, 2)]


def test_what_job_folders_hold_is_shown_again(cloud, feed, job, tmp_path):
    log = JobLog(tmp_path / log_file())
    log.append(["from", "before"])
    log.close()
    (tmp_path / METRICS_FILE).write_text(f'{{"name": "replayed", "value": 2.0, "t": {now_ms()}}}\n')
    feed.replay([(job, tmp_path)])
    assert feed.flush()
    assert [event["message"] for event in read(cloud, job)] == ["from", "before"]
    listed = client(cloud, "cloudwatch").list_metrics(Namespace=GROUP, MetricName="replayed")["Metrics"]
    assert [metric["Dimensions"][0]["Value"] for metric in listed] == [job.name]


def test_sending_never_waits_for_a_server_that_is_not_there(job, monkeypatch):
    monkeypatch.setattr(telemetry, "_ATTEMPTS", 1)
    feed = Telemetry("http://127.0.0.1:9")
    feed.send(job, [Event(now_ms(), "lost")])
    assert feed.flush()
    feed.close()


def test_lines_wait_for_a_server_that_starts_late(job):
    neighbours = Neighbours()
    url = neighbours.start()  # answers only when moto is imported
    feed = Telemetry(url)
    feed.send(job, [Event(now_ms(), "early")])
    assert feed.flush()
    assert [event["message"] for event in read(url, job)] == ["early"]
    feed.close()
    neighbours.stop()
