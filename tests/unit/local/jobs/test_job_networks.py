"""The network of a job with several hosts: addresses that are known beforehand, wherever the engine has room."""

from __future__ import annotations

from typing import Any

import docker
import pytest
import requests

from local.jobs.engine import Engine
from local.jobs.job import JobError
from local.jobs.networks import network

HOSTS = [f"algo-{number}" for number in range(1, 9)]


class Networks:
    """Those of an engine, which takes the first free one of its pools where none is asked for."""

    def __init__(self, *pools: str, thief: str = "") -> None:
        """`thief` is a pool that somebody takes as soon as it is free again."""
        self.pools, self.thief = pools, thief
        self.made: dict[str, dict[str, Any]] = {}

    def create_network(self, name: str, *, ipam: Any = None, **_: Any) -> dict[str, str]:
        taken = {made["IPAM"]["Config"][0]["Subnet"] for made in self.made.values()}
        config = ipam["Config"][0] if ipam else None
        if config and config["Subnet"] in taken:
            refused = requests.Response()
            refused.status_code = 403
            raise docker.errors.APIError("refused", refused, "Pool overlaps with other one on this address space")
        subnet = config["Subnet"] if config else next(pool for pool in self.pools if pool not in taken)
        self.made[name] = {"IPAM": {"Config": [{"Subnet": subnet, "Gateway": subnet.replace(".0/", ".1/")[:-3]}]}}
        return {"Id": name}

    def inspect_network(self, name: str) -> dict[str, Any]:
        return self.made[name]

    def remove_network(self, name: str) -> None:
        gone = self.made.pop(name)
        if gone["IPAM"]["Config"][0]["Subnet"] == self.thief:
            self.made["thief"], self.thief = gone, ""


def addresses(networks: Networks) -> dict[str, str]:
    engine = Engine(networks, "26.1.5", "amd64", 1, False, "")
    with network(engine, "job", {}, HOSTS, None) as made:
        return dict(made.addresses)


def test_each_host_has_an_address_that_is_not_the_gateways() -> None:
    networks = Networks("10.1.0.0/24")
    assert addresses(networks) == {host: f"10.1.0.{number}" for number, host in enumerate(HOSTS, start=2)}
    assert networks.made == {}


def test_a_subnet_that_another_network_takes_meanwhile_is_left_to_it() -> None:
    networks = Networks("10.1.0.0/24", "10.2.0.0/24", thief="10.1.0.0/24")
    assert set(addresses(networks).values()) == {f"10.2.0.{number}" for number in range(2, 10)}
    assert networks.made.keys() == {"thief"}


def test_networks_that_are_too_small_are_refused_with_where_they_are_set() -> None:
    networks = Networks("10.1.0.0/29")
    with pytest.raises(JobError, match=r"too small for 8 hosts: 10\.1\.0\.0/29\. .*default-address-pools"):
        addresses(networks)
    assert networks.made == {}
