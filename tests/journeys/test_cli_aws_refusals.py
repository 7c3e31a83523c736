"""What every command that speaks to AWS says where no account can be reached, or the account refuses."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from local.cli import failures
from tests.support import account as accounts
from tests.support.account import Moto
from tests.support.drydock import Drydock

NOWHERE = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "nonsense"}


@pytest.fixture
def drydock(tmp_path: Path) -> Drydock:
    return Drydock(tmp_path)


@pytest.mark.parametrize(
    ("environ", "told", "hint"),
    [
        ({"AWS_REGION": ""}, "error: no AWS region is chosen", "export AWS_REGION=eu-west-1"),
        ({"AWS_REGION": "eu-west-1"}, "error: no AWS credentials were found", "aws sso login"),
        ({"AWS_PROFILE": "nobody"}, "error: The config profile (nobody) could not be found", "export AWS_PROFILE"),
        ({"AWS_PROFILE": "sso"}, "error: the AWS SSO session is not valid", "aws sso login"),
        (NOWHERE, "error: Invalid endpoint: nonsense", "unset AWS_ENDPOINT_URL"),
        ({"AWS_REGION": "eu west"}, "error: Provided region_name 'eu west'", "export AWS_REGION=eu-west-1"),
    ],
)
@pytest.mark.parametrize("command", [("aws", "setup"), ("aws", "clean"), ("train", "yolo", "--aws"), ("jobs", "--aws")])
def test_without_usable_credentials_there_is_one_error(
    drydock: Drydock, environ: dict[str, str], told: str, hint: str, command: tuple[str, ...]
) -> None:
    config = drydock.folder / "config"
    config.write_text(
        "[profile sso]\nregion = eu-west-1\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
        "[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://nowhere.invalid/start\n"
    )
    places = {"HOME": str(drydock.folder), "AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_DISABLED": "true"}

    refused = drydock(*command, **places | environ)

    assert refused.code == 1 if "region is chosen" not in told else 2
    assert refused.err.startswith(told), refused.err
    assert hint in refused.err.partition("\n\nhint: ")[2]


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("ExpiredToken", "aws sso login"),
        ("InvalidClientTokenId", "aws sts get-caller-identity"),
        ("AccessDenied", "ask the account's administrator"),
    ],
)
def test_credentials_that_aws_refuses_are_one_error_in_its_words(drydock: Drydock, code: str, hint: str) -> None:
    with refusing(code) as url:
        refused = drydock("aws", "setup", "--yes", **Moto(url, "eu-west-1").environ)

    assert refused.code == 1
    assert refused.err.startswith(f"error: {code}: said by AWS\n\nhint: ")
    assert hint in refused.err


GONE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
PROXY_GONE = {"AWS_ENDPOINT_URL": "https://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}


@pytest.mark.parametrize(
    ("command", "environ"), [(("aws", "setup"), GONE), (("jobs", "--aws"), GONE), (("aws", "clean"), PROXY_GONE)]
)
def test_an_account_that_does_not_answer_is_one_error(
    drydock: Drydock, command: tuple[str, ...], environ: dict[str, str]
) -> None:
    keys = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    refused = drydock(*command, **keys | {"AWS_MAX_ATTEMPTS": "1"} | environ)

    assert refused.code == 1
    assert refused.err.startswith("error: AWS does not answer: "), refused.err
    assert "AWS_REGION" in refused.err.partition("\n\nhint: ")[2]


def test_the_address_of_one_service_that_is_none_is_one_error(drydock: Drydock) -> None:
    keys = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    with accounts.running() as url:
        refused = drydock("aws", "setup", **keys, AWS_ENDPOINT_URL=url, AWS_ENDPOINT_URL_S3="nonsense")

    assert refused.code == 1
    assert "\nerror: Invalid endpoint: nonsense\n\nhint: unset AWS_ENDPOINT_URL" in refused.err
    assert "Traceback" not in refused.err


def test_a_file_that_aws_refuses_is_one_error_in_its_words() -> None:
    said = ClientError({"Error": {"Code": "AccessDenied", "Message": "said by AWS"}}, "PutObject")
    told = S3UploadFailedError("Failed to upload a to b")
    told.__context__ = said  # as boto3's upload_file raises it

    assert failures.explained(told, in_aws=True) == ("AccessDenied: said by AWS", failures.ASK)


@contextmanager
def refusing(code: str) -> Iterator[str]:
    """An endpoint that answers every request with one error of the query protocol."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = f"<ErrorResponse><Error><Code>{code}</Code><Message>said by AWS</Message></Error></ErrorResponse>"
            self.send_response(403)
            self.send_header("Content-Type", "text/xml")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
