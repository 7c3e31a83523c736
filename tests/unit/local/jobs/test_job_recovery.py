"""What a killed emulator leaves behind and the next one makes of it: states at once, the rest in the background."""

import shutil

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
