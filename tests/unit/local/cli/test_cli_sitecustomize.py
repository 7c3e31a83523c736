"""What ``drydock exec`` puts into every Python: AWS addresses that a program hard-wires lead to the emulator."""

import json
import os
import subprocess
import sys
from pathlib import Path

from local.cli.shell import SDK

URL = "http://127.0.0.1:4567"

PROGRAM = """
import json, boto3
def address(service, url=None):
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a",
                        endpoint_url=url).meta.endpoint_url
print(json.dumps([
    address("sts", "https://sts.eu-west-1.amazonaws.com"),
    address("sts", "https://sts.cn-north-1.amazonaws.com.cn"),
    address("s3", "https://minio.example.com"),
    address("s3", "https://amazonaws.com.example.com"),
    address("s3"),
]))
"""


def run(code: str, *path: Path, **environ: str) -> str:
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [SDK, *path])), "AWS_ENDPOINT_URL": URL} | environ
    return subprocess.check_output([sys.executable, "-c", code], env=variables, text=True)


def test_a_hard_wired_aws_address_is_replaced_and_no_other() -> None:
    addresses = json.loads(run(PROGRAM))

    assert addresses == [URL, URL, "https://minio.example.com", "https://amazonaws.com.example.com", URL]


def test_without_an_endpoint_nothing_is_replaced() -> None:
    assert json.loads(run(PROGRAM, AWS_ENDPOINT_URL=""))[0] == "https://sts.eu-west-1.amazonaws.com"


def test_botocore_is_not_imported_on_its_account() -> None:
    assert run("import sys; print('botocore' in sys.modules)").strip() == "False"


def test_the_environments_own_sitecustomize_runs_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.theirs = 'ran'")

    assert run("print(theirs)", tmp_path).strip() == "ran"
