"""``drydock exec`` and the real SageMaker SDK: its hard-wired STS address and its telemetry lead nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import environments
from tests.support.drydock import Drydock

pytestmark = pytest.mark.sdk

DEFAULT_BUCKET = """
import socket
real = socket.getaddrinfo
def only_here(host, *rest, **more):
    assert host in ("127.0.0.1", "localhost"), f"asked for {host}"
    return real(host, *rest, **more)
socket.getaddrinfo = only_here

import sagemaker
print(sagemaker.Session().default_bucket())
"""

TELEMETRY = """
import sagemaker
from sagemaker.config.config_schema import TELEMETRY_OPT_OUT_PATH
from sagemaker.utils import resolve_value_from_config
session = sagemaker.Session()
print(resolve_value_from_config(config_path=TELEMETRY_OPT_OUT_PATH, default_value=False, sagemaker_session=session))
"""


@pytest.fixture(scope="module")
def python() -> str:
    if not environments.is_ready("sdk-v2"):
        pytest.skip(
            "the sdk-v2 environment is not made (python -c \"from local import environments as e; e.ensure('sdk-v2')\")"
        )
    return str(environments.python_path("sdk-v2"))


@pytest.fixture(scope="module")
def drydock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drydock]:
    command = Drydock(tmp_path_factory.mktemp("cli"))
    command("up", "--port", "0")
    yield command
    command("down")


def test_the_default_bucket_is_made_in_the_emulator(drydock: Drydock, python: str) -> None:
    result = drydock("exec", "--", python, "-c", DEFAULT_BUCKET)

    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "sagemaker-us-east-1-123456789012"


def test_no_usage_data_is_sent_and_the_users_own_config_still_counts(
    drydock: Drydock, python: str, tmp_path: Path
) -> None:
    own = tmp_path / "sagemaker" / "config.yaml"
    own.parent.mkdir()
    own.write_text('SchemaVersion: "1.0"\n')

    result = drydock("exec", "--", python, "-c", TELEMETRY, XDG_CONFIG_HOME=str(tmp_path))

    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "True"
    assert own.read_text() == 'SchemaVersion: "1.0"\n'
