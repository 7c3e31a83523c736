"""``push``: images of a real engine into a real registry, Debian's docker-registry, with moto's ECR in front."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import emulator as emulators
from tests.support import registry as registries
from tests.support.account import NUMBER
from tests.support.drydock import Drydock
from tests.support.emulator import Emulator

LOGIN = ("AWS", f"{NUMBER}-auth-token")
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
LABELS = {"org.opencontainers.image.version": "0.1.0", "org.opencontainers.image.revision": "fd0d3c1" + "0" * 33}


class Images:
    """Tiny images of a test's own, removed with every name that they were given."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._ids: set[str] = set()
        self.name = f"drydock-test-{uuid.uuid4().hex[:8]}"

    def build(self, tag: str, content: str, platform: str = "linux/amd64", **labels: str) -> str:
        """An image of one file; returns its name."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, text in (("Dockerfile", "FROM scratch\nCOPY file /\n"), ("file", f"{self.name} {content}")):
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
        archive.seek(0)
        image, _ = self._client.images.build(
            fileobj=archive, custom_context=True, tag=f"{self.name}:{tag}", platform=platform, labels=labels,
            rm=True, forcerm=True,  # else each step leaves a container, which keeps its image
        )  # fmt: skip
        self._ids.add(image.id)
        return f"{self.name}:{tag}"

    def remove(self) -> None:
        for identity in self._ids:
            self._client.images.remove(identity, force=True)


@pytest.fixture
def images(engine: Any) -> Iterator[Images]:
    made = Images(engine)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registries.running(tmp_path_factory.mktemp("registry")) as url:
        yield url


@pytest.fixture
def aws(tmp_path: Path, registry: str) -> Iterator[Emulator]:
    running = emulators.start(tmp_path / "home", DRYDOCK_REGISTRY=registry)
    yield running
    running.stop()


@pytest.fixture
def drydock(tmp_path: Path) -> Drydock:
    return Drydock(tmp_path)


def held(registry: str, repository: str, tag: str) -> dict[str, str]:
    """What the registry itself says of an image."""
    reply = requests.get(
        f"{registry}/v2/{repository}/manifests/{tag}", auth=LOGIN, headers={"Accept": MANIFEST}, timeout=30
    )
    assert reply.status_code == 200, reply.text
    return {"digest": reply.headers["Docker-Content-Digest"], "config": reply.json()["config"]["digest"]}


def test_what_was_pushed_is_in_the_registry_under_the_digest_that_is_told(
    images: Images, registry: str, aws: Emulator, drydock: Drydock, engine: Any
) -> None:
    image = images.build("one", "content", **LABELS)

    pushed = drydock("push", image, **aws.environment)

    assert pushed.code == 0, pushed.err
    repository, tag = f"drydock/{images.name}", "one-0.1.0-fd0d3c1"
    there = held(registry, repository, tag)
    assert pushed.out == f"{registry.removeprefix('http://')}/{repository}:{tag}  {there['digest']}\n"
    assert engine.images.get(image).id in there.values()
    made = aws.client("ecr").describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert (made["imageTagMutability"], made["imageScanningConfiguration"]["scanOnPush"]) == ("IMMUTABLE", True)
    assert f"made the repository {repository}" in pushed.err
    assert f"{image}: " in pushed.err, "each layer is told"


def test_the_same_image_is_not_sent_twice(images: Images, aws: Emulator, drydock: Drydock) -> None:
    image = images.build("same", "content", **LABELS)
    first = drydock("push", image, "--json", **aws.environment)
    second = drydock("push", image, "--json", **aws.environment)

    assert second.code == 0, second.err
    assert second.json == first.json
    assert f"{image} is there already" in second.err


def test_a_tag_is_not_moved_to_another_image(images: Images, registry: str, aws: Emulator, drydock: Drydock) -> None:
    drydock("push", images.build("moved", "before", **LABELS), **aws.environment)
    before = held(registry, f"drydock/{images.name}", "moved-0.1.0-fd0d3c1")

    refused = drydock("push", images.build("moved", "after", **LABELS), **aws.environment)

    assert refused.code == 1
    assert f"error: drydock/{images.name}:moved-0.1.0-fd0d3c1 is in " in refused.err
    assert before["digest"] in refused.err
    assert "hint: commit what you changed, make images" in refused.err
    assert held(registry, f"drydock/{images.name}", "moved-0.1.0-fd0d3c1") == before


def test_an_image_without_labels_is_told_apart_by_its_id(
    images: Images, registry: str, aws: Emulator, drydock: Drydock, engine: Any
) -> None:
    for content in ("one", "two"):
        image = images.build("plain", content)
        assert drydock("push", image, **aws.environment).code == 0
        identity = engine.images.get(image).id.removeprefix("sha256:")[:12]
        assert held(registry, f"drydock/{images.name}", f"plain-{identity}")


def test_an_image_made_from_one_of_ours_is_told_apart_by_its_id(
    images: Images, registry: str, aws: Emulator, drydock: Drydock, engine: Any
) -> None:
    inherited = LABELS | {"org.opencontainers.image.title": "drydock/train-cpu:script"}
    for content in ("one", "two"):
        image = images.build("mine", content, **inherited)
        assert drydock("push", image, **aws.environment).code == 0
        identity = engine.images.get(image).id.removeprefix("sha256:")[:12]
        assert held(registry, f"drydock/{images.name}", f"mine-{identity}")


def test_an_image_of_another_architecture_is_refused_before_anything_is_sent(
    images: Images, aws: Emulator, drydock: Drydock
) -> None:
    good, bad = images.build("good", "x"), images.build("bad", "x", platform="linux/arm64")

    refused = drydock("push", good, bad, **aws.environment)

    assert refused.code == 2
    assert f"error: the image {bad} is for linux/arm64, and SageMaker trains on linux/amd64\n\nhint: " in refused.err
    assert refused.out == ""
    assert aws.client("ecr").describe_repositories()["repositories"] == []


def test_an_image_that_is_not_there_is_refused(aws: Emulator, drydock: Drydock, engine: Any) -> None:
    refused = drydock("push", "drydock/train-cpu:yola", **aws.environment)

    assert refused.code == 1
    assert refused.err == (
        "error: there is no image drydock/train-cpu:yola in the container engine\n\n"
        'hint: Did you mean "drydock/train-cpu:yolo"?\n'
    )


def test_a_registry_that_does_not_take_the_token_is_one_error(images: Images, drydock: Drydock, tmp_path: Path) -> None:
    image = images.build("locked", "x")
    with registries.running(tmp_path / "locked", registries.OTHER_HASH) as url:
        emulator = emulators.start(tmp_path / "home", DRYDOCK_REGISTRY=url)
        try:
            refused = drydock("push", image, **emulator.environment)
        finally:
            emulator.stop()

    assert refused.code == 1
    assert f"refused drydock/{images.name}: 401 Unauthorized" in refused.err
    assert "hint: the credentials are not valid any more" in refused.err


def test_a_registry_that_is_gone_is_one_error(images: Images, drydock: Drydock, tmp_path: Path) -> None:
    image = images.build("gone", "x")
    emulator = emulators.start(tmp_path / "home", DRYDOCK_REGISTRY="http://127.0.0.1:9")
    try:
        refused = drydock("push", image, **emulator.environment)
    finally:
        emulator.stop()

    assert refused.code == 1
    assert "error: the registry 127.0.0.1:9 does not answer: " in refused.err


def test_without_an_engine_there_is_one_error_that_does_not_speak_of_jobs(drydock: Drydock) -> None:
    refused = drydock("push", DOCKER_HOST="unix:///nowhere/docker.sock")

    assert refused.code == 1
    assert refused.err.startswith("error: no container engine answers at unix:///nowhere/docker.sock\n\nhint: ")
    assert "--backend" not in refused.err


def test_ecr_leads_to_the_registry_that_the_emulator_was_given(tmp_path: Path) -> None:
    emulator = emulators.start(tmp_path / "home", DRYDOCK_REGISTRY="http://127.0.0.1:5000/")
    try:
        ecr = emulator.client("ecr")
        token = ecr.get_authorization_token()["authorizationData"][0]
        made = ecr.create_repository(repositoryName="drydock/train-cpu")["repository"]
        account = emulator.client("sts").get_caller_identity()["Account"]
    finally:
        emulator.stop()

    assert token["proxyEndpoint"] == "http://127.0.0.1:5000"
    assert made["repositoryUri"] == "127.0.0.1:5000/drydock/train-cpu"
    assert made["repositoryArn"] == f"arn:aws:ecr:eu-west-1:{account}:repository/drydock/train-cpu"


def test_an_emulator_is_not_started_with_a_registry_that_is_none(drydock: Drydock) -> None:
    refused = drydock("up", "--port", "0", DRYDOCK_REGISTRY="somewhere")

    assert refused.code == 1
    assert "DRYDOCK_REGISTRY is 'somewhere', which is not of the form http://127.0.0.1:5000" in refused.err
