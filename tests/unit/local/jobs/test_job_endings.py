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
