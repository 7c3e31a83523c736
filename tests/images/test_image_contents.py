"""What is in the images and what is not: metadata, packages, certificates, layers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LOCKS = Path(__file__).resolve().parents[2] / "containers"
CPU_LOCK = LOCKS / "pytorch-cpu/requirements.lock"
"""Where the index of CPU-only builds of torch was reached."""


def inside(engine: Any, image: Any, *command: str, user: int = 54321) -> str:
    """What a command prints in the image."""
    output = engine.containers.run(
        image, list(command), user=user, network_mode="none", read_only=True, tmpfs={"/tmp": ""}, remove=True
    )
    return str(output.decode())


def test_starts_in_exec_form_and_says_what_it_is(train_image: Any) -> None:
    config = train_image.attrs["Config"]
    assert config["Entrypoint"] is None
    assert config["Cmd"] == ["train"]
    assert config["User"] == ""  # AWS runs it as root; any other user works too
    assert config["Labels"]["org.opencontainers.image.title"] in train_image.tags
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", config["Labels"]["org.opencontainers.image.revision"])


def test_train_and_serve_are_ours(engine: Any, train_image: Any) -> None:
    where = inside(engine, train_image, "sh", "-c", "for name in train serve healthy; do command -v $name; done")
    assert where.split() == ["/opt/drydock/train", "/opt/drydock/serve", "/opt/drydock/healthy"]


def test_opt_ml_is_not_baked(engine: Any, train_image: Any) -> None:
    assert inside(engine, train_image, "sh", "-c", "ls /opt") == "drydock\nprogram\nvenv\n"


def test_nothing_in_it_is_open_to_other_users(engine: Any, train_image: Any) -> None:
    find = "find / -xdev ( -type f -o -type d ) -perm -0002 ! -perm -1000 -not -path /proc/*"
    assert inside(engine, train_image, *find.split(), user=0) == ""


@pytest.mark.parametrize(
    ("image", "framework"),
    [
        ("train-cpu:script", "smdebug.pytorch, torchvision, cv2"),
        ("train-tf-cpu:script", "tensorflow, keras, PIL"),
        ("train-tf-gpu:script", "tensorflow, keras, PIL"),
    ],
)
def test_script_mode_is_installed(engine: Any, built: Callable[[str], Any], image: str, framework: str) -> None:
    imports = f"import sagemaker_training.cli.train, {framework}; print('imported')"
    assert inside(engine, built(f"drydock/{image}"), "python", "-c", imports).endswith("imported\n")


def test_holds_what_its_lock_says(engine: Any, train_image: Any) -> None:
    for_cpu = CPU_LOCK.exists() and "train-cpu" in train_image.tags[0]
    locked = set(pins(CPU_LOCK if for_cpu else LOCKS / "pytorch-script/requirements.lock"))
    listing = json.loads(inside(engine, train_image, "python", "-m", "pip", "list", "--format", "json"))
    installed = {(row["name"].lower().replace("_", "-").replace(".", "-"), row["version"]) for row in listing}
    assert installed <= locked
    assert {name for name, _ in installed} >= {"torch", "torchvision", "ultralytics", "smdebug", "sagemaker-training"}


def test_protobuf_is_the_one_broken_requirement(engine: Any, train_image: Any) -> None:
    problems = inside(engine, train_image, "sh", "-c", "python -m pip check || true").splitlines()
    unexplained = [line for line in problems if "protobuf" not in line and "opencv-python" not in line]
    assert unexplained in ([], ["No broken requirements found."])


def test_lists_its_packages_and_licences(engine: Any, train_image: Any) -> None:
    document = json.loads(inside(engine, train_image, "cat", "/usr/share/doc/drydock/sbom.spdx.json"))
    assert document["spdxVersion"] == "SPDX-2.3"
    packages = {package["name"]: package for package in document["packages"]}
    assert packages["torch"]["externalRefs"][0]["referenceLocator"].startswith("pkg:pypi/torch@")
    assert packages["ultralytics"]["licenseDeclared"].startswith("AGPL-3.0")
    assert {"libc6", "ca-certificates", "sagemaker-training"} <= set(packages)
    assert len({package["SPDXID"] for package in document["packages"]}) == len(document["packages"])
    licences = inside(engine, train_image, "cat", "/usr/share/doc/drydock/licences.txt")
    assert "pypi torch " in licences


def test_the_builders_certificates_are_not_in_it(engine: Any, train_image: Any) -> None:
    own = [path.read_text() for path in Path("/usr/local/share/ca-certificates").glob("*.crt")]
    if not own:
        pytest.skip("this machine has no certificates of its own")
    bundle = inside(engine, train_image, "cat", "/etc/ssl/certs/ca-certificates.crt")
    assert bundle.count("BEGIN CERTIFICATE") > 100
    assert not [certificate for certificate in own if certificate.strip() in bundle]


def test_cpu_and_gpu_share_their_layers(built: Callable[[str], Any]) -> None:
    if CPU_LOCK.exists():
        pytest.skip("the CPU images hold a CPU-only torch here")
    images = [built(f"drydock/{tag}") for tag in ("train-cpu:yolo", "train-gpu:yolo")]
    assert images[0].attrs["RootFS"]["Layers"] == images[1].attrs["RootFS"]["Layers"]


def pins(lock: Path) -> list[tuple[str, str]]:
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return [(name.lower().replace("_", "-").replace(".", "-"), version) for name, version in found]
