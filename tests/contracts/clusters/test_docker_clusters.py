"""What only containers can show of a job with several hosts."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clusters import TWO, on_each, said_by_all, streams
from tests.support.jobs import PATIENCE_S, Cloud, Jobs
from tests.support.runners import BASE, DockerRuns
from tests.support.scripts import bring, require


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


def test_a_host_that_lags_finds_the_names_of_those_that_have_ended(
    containers: DockerRuns, start: Callable[..., Cloud], request: pytest.FixtureRequest
) -> None:
    """Script mode looks up the names of all hosts before it starts a script."""
    require("docker", request)
    cloud = start(containers)
    bring(cloud, "lagging", "print('hi')", ResourceConfig=TWO | {"InstanceCount": 4})
    lagging = until(lambda: containers.hosts(cloud.emulator.home).get("algo-2"))
    containers.api.pause(lagging)
    try:
        until(lambda: containers.hosts(cloud.emulator.home).keys() == {"algo-2"})
    finally:
        containers.api.unpause(lagging)
    cloud.completed("lagging")
    said = streams(cloud, "lagging")
    assert [host for host, lines in said.items() if "hi" in lines] == ["algo-1", "algo-2", "algo-3", "algo-4"]


def test_isolated_hosts_do_not_reach_this_machine(containers: DockerRuns, start: Callable[..., Cloud]) -> None:
    cloud = start(containers)
    with socket.create_server(("0.0.0.0", 0)) as server:
        code = f"""
            import ipaddress
            _, route, *_ = open('/proc/net/route')
            words = route.split()
            subnet, mask = (ipaddress.ip_address(bytes.fromhex(word)[::-1]) for word in (words[1], words[7]))
            gateway = str(ipaddress.ip_network(f'{{subnet}}/{{mask}}')[1])
            assert gateway not in map(socket.gethostbyname, resources['hosts'])
            try:
                socket.create_connection((gateway, {server.getsockname()[1]}), 30)
                print('reached', gateway)
            except OSError as error:
                print('refused', type(error).__name__, error.errno)
        """
        on_each(cloud, "closed", code, EnableNetworkIsolation=True)
        cloud.completed("closed")
    unreachable = [f"refused OSError {errno.EHOSTUNREACH}"]
    assert streams(cloud, "closed") == {"algo-1": unreachable, "algo-2": unreachable}


def until(look: Callable[[], Any]) -> Any:
    """What is found in the end."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
