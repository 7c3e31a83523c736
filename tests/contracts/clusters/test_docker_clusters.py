"""What only containers can show of a job with several hosts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from tests.support.clusters import on_each, said_by_all
from tests.support.jobs import Cloud, Jobs
from tests.support.runners import BASE, DockerRuns


def test_hosts_that_cannot_all_be_had_leave_none_behind(containers: DockerRuns, start: Callable[..., Cloud]) -> None:
    cloud = start(containers)
    digest = hashlib.sha256(os.fsencode(cloud.folder("half"))).hexdigest()[:8]
    taken = containers.api.create_container(BASE, ["true"], name=f"drydock-half-{digest}-algo-2")["Id"]
    try:
        on_each(cloud, "half", "print('never')")
        reply = cloud.ended("half")
    finally:
        containers.api.remove_container(taken)
    assert reply["TrainingJobStatus"] == "Failed"
    assert "could not create the container" in reply["FailureReason"]
    assert cloud.output("half") == []
    assert containers.left(cloud.emulator.home) == []


def test_the_hosts_of_two_jobs_do_not_meet(containers: DockerRuns, start: Callable[..., Cloud]) -> None:
    cloud = start(containers)
    show = """
        import time
        def address():
            try:
                return socket.gethostbyname('algo-2')
            except OSError:
                return None
        while not address():
            time.sleep(0.1)
        print('at', address(), flush=True)
        time.sleep(600)
    """
    for name in ("here", "there"):
        on_each(cloud, name, show)
    for name in ("here", "there"):
        said_by_all(cloud, name, "at ")
        Jobs.said(cloud, name, "at ")  # in CloudWatch Logs too, which shows a line a moment later
    assert set(cloud.output("here")).isdisjoint(cloud.output("there"))
