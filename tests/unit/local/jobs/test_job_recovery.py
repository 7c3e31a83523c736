"""What a killed emulator leaves behind and the next one makes of it: states at once, the rest in the background."""

import shutil
import time

import pytest

from local.jobs import reasons
from local.jobs.job import Secondary, TrainingJob
from local.jobs.runner import KIND

CHECKPOINTS = {"CheckpointConfig": {"S3Uri": "s3://bucket/ckpt"}}
FAILED = f"[drydock] failed: {reasons.EMULATOR_STOPPED}"
NEWEST = "ckpt/000000000007/manifest.json"

pytestmark = pytest.mark.timeout(60)  # what waits for an upload that the test holds back waits for ever


def leave_behind(site, name="job"):
    """A home as kill -9 leaves it while a job trains: its record, its log cut short, a checkpoint, its scratch."""
    job = TrainingJob(
        request=site.request("checkpointing", name, **CHECKPOINTS),
        arn=f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{name}",
    )
    training = job.move(Secondary.DOWNLOADING).move(Secondary.TRAINING)
    site.store.insert(KIND, name, training.to_record())
    files = {
        "algo-1/checkpoints/000000000007/manifest.json": "{}",
        "algo-1/input/data/train/a.jpg": "a",
        "tmp/scratch": "",
        "logs/algo-1.jsonl": '{"t": 1000, "m": "step 7"}\n{"t": 1001, "m": "st',
    }
    for path, content in files.items():
        (site.folder(name) / path).parent.mkdir(parents=True)
        (site.folder(name) / path).write_text(content)


@pytest.fixture
def site(make_site):
    """A site that was killed and has not been recovered."""
    before = make_site()
    leave_behind(before)
    before.close()
    return make_site()


def test_a_job_has_failed_before_its_checkpoints_are_uploaded(site):
    with site.objects.database.write():  # holds back every upload
        site.runner.recover()
        job = site.runner.get("job")
        assert (job.status, job.failure_reason) == ("Failed", reasons.EMULATOR_STOPPED)
        assert TrainingJob.from_record(site.store.get(KIND, "job")) == job
        assert site.keys("ckpt/") == []
    site.until(lambda: site.keys("ckpt/") == [NEWEST])


def test_its_log_says_so_once_and_what_only_its_run_needed_is_removed(site):
    site.runner.recover()
    site.until(lambda: "job" in site.telemetry.lines)
    site.runner.close()
    assert [event.m for event in site.telemetry.lines["job"]] == site.log() == ["step 7", FAILED]
    assert sorted(path.name for path in site.folder().iterdir()) == ["algo-1", "logs"]
    assert [path.name for path in (site.folder() / "algo-1").rglob("*") if path.is_file()] == ["manifest.json"]


def test_a_job_that_shares_the_checkpoints_waits_for_them(site):
    with site.objects.database.write():
        site.runner.recover()
        site.submit("checkpointing", "impatient", **CHECKPOINTS)
        site.until(lambda: site.runner.get("impatient").secondary_status is Secondary.DOWNLOADING)
        site.runner.stop("impatient")
        assert site.ended("impatient").status == "Stopped"
        site.submit("checkpointing", "next", HyperParameters={"steps": "8"}, **CHECKPOINTS)
        site.until(lambda: site.runner.get("next").secondary_status is Secondary.DOWNLOADING)
        assert site.run("hello", "unconcerned").status == "Completed"
    assert site.ended("next").status == "Completed"
    assert site.output("next") == ["starting after step 7", "step 8"]


def test_a_kill_during_the_upload_loses_no_checkpoint(site, make_site, tmp_path):
    with site.objects.database.write():
        site.runner.recover()
        shutil.copytree(site.home.root, tmp_path / "killed", ignore=shutil.ignore_patterns("s3"))
    again = make_site(root=tmp_path / "killed")
    again.runner.recover()
    assert again.runner.get("job") == site.runner.get("job")
    again.until(lambda: again.keys("ckpt/") == [NEWEST])


def test_checkpoints_that_cannot_be_uploaded_are_said_once_and_not_tried_for_ever(site, make_site):
    site.delete_bucket("bucket")
    site.runner.recover()
    site.until(lambda: "job" in site.telemetry.lines)
    site.close()
    *_, failed, complaint = site.log()
    assert failed == FAILED
    assert "checkpoints could not be uploaded: The specified bucket does not exist" in complaint
    again = make_site()
    again.runner.recover()
    again.runner.close()
    assert again.log()[-2:] == [failed, complaint]
    assert again.keys("ckpt/") == []


def test_of_several_hosts_only_what_changed_during_the_run_is_uploaded(make_site):
    site = make_site()
    members = {**CHECKPOINTS, "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}}
    job = TrainingJob(
        request=site.request("checkpointing", **members), arn="arn:aws:sagemaker:eu-west-1:1:training-job/job"
    )
    for host in ("algo-1", "algo-2"):
        (site.folder() / host / "checkpoints").mkdir(parents=True)
        (site.folder() / host / "checkpoints" / "restored").write_text("deleted by the other host since")
    time.sleep(0.02)  # more than the grain of the file system's clock
    site.store.insert(KIND, "job", job.move(Secondary.DOWNLOADING).move(Secondary.TRAINING).to_record())
    (site.folder() / "algo-2" / "checkpoints" / "new").write_text("by algo-2")
    site.close()
    again = make_site()
    again.runner.recover()
    again.until(lambda: "job" in again.telemetry.lines)
    assert again.keys("ckpt/") == ["ckpt/new"]
    assert sorted(path.name for path in again.folder().iterdir()) == ["algo-1", "algo-2", "logs"]
