"""Training jobs from request to end, in real processes with a real store: no HTTP, no CloudWatch."""

import json
import tarfile
import textwrap
import time

import pytest

from local.errors import ResourceInUse, ValidationException
from local.jobs import checkpoints, reasons
from local.jobs.job import TrainingJob

METRICS = [{"Name": "train:loss", "Regex": r"name=train:loss value=(\S+);"}]
CHECKPOINTS = {"CheckpointConfig": {"S3Uri": "s3://bucket/ckpt"}}


def code(text):
    return {"HyperParameters": {"code": textwrap.dedent(text)}}


def statuses(job):
    return [str(transition.status) for transition in job.transitions]


def test_a_job_runs_to_its_end(site):
    job = site.run("hello")
    assert job.status == "Completed"
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert site.output() == ["hello"]
    assert job.failure_reason is None


def test_the_log_begins_with_what_runs_where_and_what_has_no_effect(site):
    request = TrainingJob(
        request=site.request("hello"), arn="arn:aws:sagemaker:eu-west-1:1:training-job/job", recorded=["VpcConfig"]
    )
    site.runner.submit(request)
    site.ended()
    assert site.log()[0].startswith('[drydock] image "drydock/train-cpu:hello": program hello (')
    assert "process backend" in site.log()[0]
    assert site.log()[1] == "[drydock] recorded, but without effect here: VpcConfig"


def test_every_line_reaches_cloudwatch_in_order(site):
    site.run("inline", **code("for n in range(1000): print(n)"))
    lines = site.telemetry.lines["job"]
    assert [event.m for event in lines] == site.log()
    assert site.output() == [str(number) for number in range(1000)]


def test_what_a_program_is_given(site):
    site.put("data/a.jpg")
    job = site.run(
        "dump",
        HyperParameters={"epochs": "3"},
        InputDataConfig=[site.channel("s3://bucket/data/")],
        Environment={"MINE": "1", "TRAINING_JOB_NAME": "not this"},
        **CHECKPOINTS,
    )
    tree = json.loads((site.folder() / "algo-1/output/data/tree.json").read_text())
    environment = json.loads((site.folder() / "algo-1/output/data/environment.json").read_text())
    assert tree["input/data/train/a.jpg"] == "content"
    assert tree["input/data/train-manifest"] == "data/\ns3://bucket/data/a.jpg\n"
    assert json.loads(tree["input/config/hyperparameters.json"]) == {"epochs": "3"}
    assert json.loads(tree["input/config/checkpointconfig.json"]) == {"LocalPath": "/opt/ml/checkpoints"}
    assert "checkpoints" in tree
    assert environment["TRAINING_JOB_NAME"] == "job"
    assert environment["TRAINING_JOB_ARN"] == job.arn
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert environment["MINE"] == "1"


def test_the_model_and_the_output_are_in_s3(site):
    site.run("artefacts")
    assert site.keys("out/") == ["out/job/output/model.tar.gz", "out/job/output/output.tar.gz"]
    with tarfile.open(site.objects.head("bucket", "out/job/output/model.tar.gz").path) as model:
        assert model.getnames() == ["code", "code/inference.py", "weights.bin"]


def test_a_crash_names_the_exit_code_and_keeps_what_was_written(site):
    job = site.run("artefacts", HyperParameters={"exit-code": "7"})
    assert (job.status, job.failure_reason) == ("Failed", "AlgorithmError: , exit code: 7")
    assert statuses(job)[-2:] == ["Uploading", "Failed"]
    assert site.keys("out/") == ["out/job/output/model.tar.gz", "out/job/output/output.tar.gz"]


def test_a_refusal_is_the_failure_reason_cut_at_1024_characters(site):
    job = site.run("bad-input")
    assert job.status == "Failed"
    assert job.failure_reason.startswith("hyperparameter epochs is 0\n\nhint: use 1 or more\nxxx")
    assert len(job.failure_reason) == 1024
    assert "error: hyperparameter epochs is 0" in site.output()


def test_a_program_that_is_killed_fails_with_137(site):
    job = site.run("inline", **code("import os; os.kill(os.getpid(), 9)"))
    assert job.status == "Failed"
    assert job.failure_reason.endswith("exit code: 137")
    assert "memory" in job.failure_reason


def test_metrics_come_from_the_log(site):
    specification = site.request("metrics")["AlgorithmSpecification"] | {"MetricDefinitions": METRICS}
    job = site.run("metrics", AlgorithmSpecification=specification)
    assert [(metric.name, metric.value) for metric in job.final_metrics] == [("train:loss", 0.75)]
    assert [point.value for point in site.telemetry.points["job"]] == [1.5, 0.75]


def test_checkpoints_come_back_in_the_next_job(site):
    site.run("checkpointing", "one", **CHECKPOINTS)
    assert site.keys("ckpt/") == [
        f"ckpt/{step:012d}/{name}" for step in (2, 3) for name in ("manifest.json", "weights.bin")
    ]
    site.run("checkpointing", "two", HyperParameters={"steps": "4"}, **CHECKPOINTS)
    assert site.output("two") == ["starting after step 3", "step 4"]


def test_checkpoints_are_synced_while_the_program_runs_and_after_it_was_killed(site, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.02)
    site.submit("checkpointing", HyperParameters={"then": "wait"}, **CHECKPOINTS)
    site.until(lambda: "ckpt/000000000003/manifest.json" in site.keys("ckpt/"))
    assert not site.runner.get("job").terminal
    site.kill_program("job")
    assert site.ended().failure_reason.endswith("exit code: 137")
    assert "ckpt/000000000003/weights.bin" in site.keys("ckpt/")


def test_checkpoints_elsewhere_below_opt_ml(site):
    text = "(BASE / 'state' / 'a').write_text('a')"
    config = {"CheckpointConfig": {"S3Uri": "s3://bucket/ckpt", "LocalPath": "/opt/ml/state"}}
    job = site.run("inline", **code(text), **config)
    assert job.status == "Completed"
    assert site.keys("ckpt/") == ["ckpt/a"]


def test_a_stopped_job_uploads_what_it_left(site):
    site.submit("patient")
    site.said("ready")
    site.runner.stop("job")
    assert site.runner.get("job").status == "Stopping"
    job = site.ended()
    assert (job.status, job.failure_reason) == ("Stopped", None)
    assert statuses(job)[-3:] == ["Stopping", "Uploading", "Stopped"]
    assert site.keys("out/") == ["out/job/output/model.tar.gz"]
    assert site.output()[-1] == "leaving"


def test_a_stubborn_program_is_killed_after_the_grace_period(make_site):
    site = make_site(grace_s=0.2)
    site.submit("stubborn")
    site.said("ready")
    site.runner.stop("job")
    site.runner.stop("job")
    assert site.ended().status == "Stopped"


def test_a_stop_at_any_moment_ends_the_job(site):
    site.put("data/a.jpg")
    for number in range(12):
        name = f"job-{number}"
        site.submit("hello", name, InputDataConfig=[site.channel("s3://bucket/data/")])
        time.sleep(number * 0.012)
        try:
            site.runner.stop(name)
            asked = True
        except ValidationException:
            asked = False
        job = site.ended(name)
        assert job.status == ("Stopped" if asked else "Completed")


def test_a_job_stops_at_its_time_limit(site):
    site.submit("patient", StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = site.ended()
    assert (job.status, str(job.secondary_status)) == ("Stopped", "MaxRuntimeExceeded")
    assert statuses(job)[-3:] == ["Stopping", "Uploading", "MaxRuntimeExceeded"]
    assert site.keys("out/") == ["out/job/output/model.tar.gz"]


@pytest.mark.parametrize("program", ["hello", "fail"])
def test_a_job_that_has_ended_cannot_be_stopped(site, program):
    job = site.run(program)
    with pytest.raises(ValidationException) as refusal:
        site.runner.stop("job")
    assert refusal.value.message == f"The request was rejected because the training job is in status {job.status}."


def test_a_job_that_does_not_exist_cannot_be_stopped(site):
    assert site.runner.get("job") is None
    with pytest.raises(ValidationException, match="Requested resource not found"):
        site.runner.stop("job")


def test_a_name_is_used_once(site):
    site.run("hello")
    with pytest.raises(ResourceInUse, match="already exists"):
        site.submit("fail")
    assert site.runner.get("job").status == "Completed"


def test_jobs_over_the_limit_wait_in_order_and_can_be_stopped_there(make_site):
    site = make_site(max_running=1)
    site.submit("patient", "first")
    site.said("ready", "first")
    for name in ("second", "third", "fourth"):
        site.submit("hello", name)
        site.until(lambda name=name: str(site.runner.get(name).secondary_status) == "Pending")
    assert "1 training jobs run at once" in site.runner.get("second").transitions[-1].message
    site.runner.stop("third")
    assert statuses(site.ended("third")) == ["Starting", "Pending", "Stopping", "Stopped"]
    site.runner.stop("first")
    second, fourth = site.ended("second"), site.ended("fourth")
    assert statuses(second)[:4] == ["Starting", "Pending", "Starting", "Downloading"]
    assert second.started <= fourth.started


def test_a_job_can_be_stopped_while_its_environment_is_made(make_site, tmp_path):
    asked = []

    def never_ready(name, say):
        say("downloading half the internet")
        asked.append(name)
        site.forever()

    site = make_site(ensure=never_ready)
    site.submit("hello")
    site.until(lambda: asked)
    assert site.runner.get("job").transitions[-1].message == "downloading half the internet"
    site.runner.stop("job")
    assert statuses(site.ended()) == ["Starting", "Stopping", "Stopped"]
    assert "[drydock] downloading half the internet" in site.log()


def test_an_environment_that_cannot_be_made_fails_the_job(site):
    job = site.run("unready")
    assert job.status == "Failed"
    assert "no-such-environment" in job.failure_reason
    assert site.log()[-1] == f"[drydock] failed: {job.failure_reason}"


def test_a_channel_that_cannot_be_laid_out_fails_the_job(site):
    site.put("data/a")
    site.put("data/a/b")
    job = site.run("hello", InputDataConfig=[site.channel("s3://bucket/data/")])
    assert job.failure_reason.startswith("ClientError: Data download failed: s3://bucket/data/a")
    assert statuses(job) == ["Starting", "Downloading", "Failed"]
    assert site.output() == []


def test_a_bucket_that_is_deleted_meanwhile_fails_the_job_with_the_reason(site):
    site.objects.create_bucket("short-lived")
    site.submit("inline", **code("(BASE/'model'/'m').write_text('m'); input()"))
    site.ended()
    site.submit("patient", "two", OutputDataConfig={"S3OutputPath": "s3://short-lived/out"})
    site.said("ready", "two")
    site.delete_bucket("short-lived")
    site.runner.stop("two")
    job = site.ended("two")
    assert job.status == "Failed"
    assert "The specified bucket does not exist" in job.failure_reason


def test_what_a_job_needed_only_while_it_ran_is_removed(site):
    site.put("data/a.jpg")
    site.run("artefacts", InputDataConfig=[site.channel("s3://bucket/data/")])
    site.runner.close()
    left = {path.name for path in site.folder().iterdir()}
    assert left == {"algo-1", "logs", "metrics.jsonl", "process.json"}
    assert not (site.folder() / "algo-1/input/data").exists()
    assert (site.folder() / "algo-1/model/weights.bin").exists()


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        (
            {"OutputDataConfig": {"S3OutputPath": "s3://missing/out"}},
            'OutputDataConfig.S3OutputPath "s3://missing/out"',
        ),
        ({"CheckpointConfig": {"S3Uri": "s3://missing/ckpt"}}, 'CheckpointConfig.S3Uri "s3://missing/ckpt"'),
        ({"CheckpointConfig": {"S3Uri": "s3://bucket/c", "LocalPath": "/tmp/c"}}, '"/tmp/c" lies outside /opt/ml'),
        ({"TensorBoardOutputConfig": {"S3OutputPath": "s3://bucket/t", "LocalPath": "/logs"}}, '"/logs"'),
        ({"InputDataConfig": ["s3://bucket/nothing"]}, 'No S3 objects found under S3 URL "s3://bucket/nothing"'),
        ({"AlgorithmSpecification": {"TrainingImage": "yolov8"}}, 'image "yolov8".*drydock/train-cpu:hello'),
    ],
)
def test_what_this_machine_cannot_run_is_refused_at_creation(site, members, complaint):
    if "InputDataConfig" in members:
        members = {"InputDataConfig": [site.channel(uri) for uri in members["InputDataConfig"]]}
    with pytest.raises(ValidationException, match=complaint):
        site.submit("hello", **members)
    assert site.runner.list() == []


def test_jobs_are_remembered(make_site):
    first = make_site()
    job = first.run("hello")
    first.close()
    second = make_site()
    second.runner.recover()
    assert second.runner.list() == [job]
    assert [event.m for event in second.telemetry.lines["job"]] == second.log()


def test_closing_fails_the_jobs_that_run_and_keeps_their_checkpoints(make_site):
    site = make_site()
    site.submit("checkpointing", HyperParameters={"then": "wait"}, **CHECKPOINTS)
    site.said("waiting")
    site.runner.close()
    job = site.runner.get("job")
    assert (job.status, job.failure_reason) == ("Failed", reasons.EMULATOR_STOPPED)
    assert "ckpt/000000000003/weights.bin" in site.keys("ckpt/")


def test_a_full_disk_fails_the_job_in_plain_words(site):
    disk = site.small_disk("training-jobs", size="2m")
    site.put("data/big", b"x" * 4_000_000)
    with disk:
        job = site.run("hello", InputDataConfig=[site.channel("s3://bucket/data/")])
        assert job.failure_reason.startswith("ClientError: No space left on device while downloading input data")
        assert statuses(job)[-2:] == ["Downloading", "Failed"]


def test_a_disk_that_fills_with_the_log_ends_the_program(site):
    with site.small_disk("training-jobs", size="1m"):
        job = site.run("inline", **code("while True: print('x' * 1000)"))
        assert job.failure_reason.startswith("ClientError: No space left on device while recording the program's log")
