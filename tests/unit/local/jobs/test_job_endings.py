"""How jobs end when several things go wrong at once: a stop, a failure, a disk that takes no more records."""

import shutil
import threading

import pytest

from local.jobs import reasons

UPLOADED = "out/job/output/model.tar.gz"


def test_a_program_that_fails_stays_failed_when_it_is_stopped_during_the_upload(site):
    with site.objects.database.write():  # nobody else's upload gets through meanwhile
        site.submit("artefacts", HyperParameters={"exit-code": "7"})
        site.until(lambda: str(site.runner.get("job").secondary_status) == "Uploading")
        site.runner.stop("job")
    job = site.ended()
    assert (job.status, job.failure_reason) == ("Failed", "AlgorithmError: , exit code: 7")
    assert UPLOADED in site.keys("out/")


def test_a_program_that_succeeds_is_stopped_when_that_is_asked_during_the_upload(site):
    with site.objects.database.write():
        site.submit("artefacts")
        site.until(lambda: str(site.runner.get("job").secondary_status) == "Uploading")
        site.runner.stop("job")
    assert site.ended().status == "Stopped"
    assert UPLOADED in site.keys("out/")


def test_a_program_that_exits_like_a_stopped_one_without_having_been_asked_has_failed(site):
    job = site.run("inline", HyperParameters={"code": "import sys; sys.exit(143)"})
    assert (job.status, job.failure_reason) == ("Failed", "AlgorithmError: , exit code: 143")


@pytest.mark.parametrize(("limit_s", "ending"), [(3600, "Stopped"), (1, "MaxRuntimeExceeded")])
def test_a_stop_that_cannot_be_written_down_is_carried_out(site, limit_s, ending):
    with site.unwritable("Stopping"):
        site.submit("patient", StoppingCondition={"MaxRuntimeInSeconds": limit_s})
        site.said("ready")
        if ending == "Stopped":
            site.runner.stop("job")
        job = site.ended()
    assert str(job.secondary_status) == ending
    assert site.output()[-1] == "leaving"
    assert UPLOADED in site.keys("out/")


def test_an_end_that_cannot_be_written_down_is_shown(site):
    with site.unwritable("Completed"):
        assert site.run("hello").status == "Completed"


def test_a_job_that_cannot_be_recorded_as_waiting_fails_and_holds_nobody_up(make_site):
    site = make_site(max_running=1)
    site.submit("patient", "first")
    site.said("ready", "first")
    with site.unwritable("Pending"):
        assert site.run("hello", "second").status == "Failed"
    site.submit("hello", "third")
    site.runner.stop("first")
    assert site.ended("third").status == "Completed"


def test_an_emulator_that_ends_while_a_job_is_starting_writes_nothing_afterwards(make_site):
    asked, deleted, made = threading.Event(), threading.Event(), threading.Event()

    def slow(name, say):
        asked.set()
        deleted.wait(30)
        say("ready at last")
        made.set()

    site = make_site(ensure=slow)
    site.submit("hello")
    assert asked.wait(30)
    site.runner.close()
    job = site.runner.get("job")
    assert (job.status, job.failure_reason) == ("Failed", reasons.EMULATOR_STOPPED)
    shutil.rmtree(site.home.training_jobs)  # as `drydock reset` does
    deleted.set()
    assert made.wait(30)
    assert not site.home.training_jobs.exists()
    assert site.runner.get("job") == job


@pytest.mark.parametrize(
    "code",
    [
        "os.mkfifo('output/failure')",
        "os.symlink('/etc/hostname', 'output/failure')",
        "os.rename('output', 'old'); os.symlink('/etc', 'output'); os.symlink('/etc/hostname', 'old/failure')",
        "os.mkdir('output/failure')",
    ],
)
def test_only_a_file_of_the_jobs_own_is_read_as_its_failure(site, code):
    code = f"import os, sys; os.chdir(BASE); {code}; sys.exit(7)"
    job = site.run("inline", HyperParameters={"code": code})
    assert (job.status, job.failure_reason) == ("Failed", "AlgorithmError: , exit code: 7")


def test_a_model_folder_that_the_program_removed_is_an_empty_one(site):
    code = "import os, shutil; shutil.rmtree(f'{BASE}/model'); open(f'{BASE}/output/data/a', 'w').close()"
    assert site.run("inline", HyperParameters={"code": code}).status == "Completed"
    assert site.keys("out/") == ["out/job/output/output.tar.gz"]


@pytest.mark.parametrize("instead", ["open('model', 'w')", "os.symlink('/etc', 'model')", "os.mkfifo('model')"])
def test_what_stands_in_place_of_the_model_folder_is_named_and_not_uploaded(site, instead):
    job = site.run("inline", HyperParameters={"code": f"import os; os.chdir(BASE); os.rmdir('model'); {instead}"})
    assert job.status == "Failed"
    assert job.failure_reason == "ClientError: /opt/ml/model is no folder any more, so it cannot be uploaded"
    assert site.keys("out/") == []


def test_checkpoints_are_files_of_the_jobs_own(site):
    code = (
        "import os; os.chdir(f'{BASE}/checkpoints'); open('a', 'w').write('1'); os.symlink('a', 'b');"
        "os.symlink('/etc/hostname', 'c'); os.mkfifo('d')"
    )
    config = {"S3Uri": "s3://bucket/checkpoints"}
    assert site.run("inline", HyperParameters={"code": code}, CheckpointConfig=config).status == "Completed"
    assert site.keys("checkpoints/") == ["checkpoints/a", "checkpoints/b"]


def test_a_metric_that_takes_for_ever_to_match_holds_up_nobody(site):
    endless = [{"Name": "endless", "Regex": "((a|a)+)b"}, {"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    algorithm = site.request("inline")["AlgorithmSpecification"] | {"MetricDefinitions": endless}
    code = "print('loss=0.5 ' + 'a' * 40)"
    job = site.run("inline", HyperParameters={"code": code}, AlgorithmSpecification=algorithm)
    assert job.status == "Completed"
    assert [(metric.name, metric.value) for metric in job.final_metrics] == [("loss", 0.5)]
    assert any(line.startswith('[drydock] metric "endless": matching its regex ((a|a)+)b') for line in site.log())
