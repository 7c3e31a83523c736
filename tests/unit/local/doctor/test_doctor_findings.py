"""One fault each in an image that is otherwise healthy: the doctor finds exactly that one."""

from __future__ import annotations

import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from local.doctor.examination import RULES
from tests.support import layouts
from tests.support.doctored import Doctor
from tests.support.emulator import ROOT
from tests.support.layouts import AMD64, ARM64, File, Made, elf, folder, healthy, script

WELL = healthy()
DEVICE = healthy(ARM64, "arm64").with_config(User="65532")
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAA" + b"\n"
TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6"


def linked_with(library: str, *versions: str) -> File:
    return File(elf(needs={library: versions}))


def with_train(text: str, mode: int = 0o755) -> Made:
    return WELL.with_layer({"usr/local/bin/train": script(text, mode)})


def with_env(*pairs: str) -> Made:
    return WELL.with_config(Env=[*WELL.config["Env"], *pairs])


FAULTS = {
    "entrypoint in shell form": ("DD101", WELL.with_config(Entrypoint=["/bin/sh", "-c", "python3 /train.py"])),
    "no train": ("DD102", replace(WELL, layers=WELL.layers[:1])),
    "entrypoint not there": ("DD102", WELL.with_config(Entrypoint=["/opt/program/train.py"])),
    "interpreter without a script": ("DD102", WELL.with_config(Entrypoint=["python3", "a.py"], WorkingDir="/srv")),
    "bash as entrypoint": ("DD102", WELL.with_config(Entrypoint=["sh", "start"])),
    "deleted by a later layer": ("DD102", WELL.with_layer({"usr/local/bin/.wh.train": File()})),
    "folder emptied by a later layer": ("DD102", WELL.with_layer({"usr/local/bin/.wh..wh..opq": File()})),
    "train not executable": ("DD103", with_train("#!/bin/sh\nexec python3 x.py\n", 0o644)),
    "no such interpreter": ("DD104", with_train("#!/opt/conda/bin/python\n")),
    "no such interpreter on PATH": ("DD104", with_train("#!/usr/bin/env -S python3.12 -u\n")),
    "carriage returns": ("DD104", with_train("#!/bin/sh\r\nexec python3 x.py\r\n")),
    "no shebang": ("DD105", with_train("import torch\n")),
    "no exec": ("DD106", with_train('#!/bin/sh\n# exec is for others\nset -e\npython3 x.py "$@"\n')),
    "exec of something else": (
        "DD106",
        with_train('#!/bin/sh\nif [ "$SHELL_ONLY" ]; then\n  exec sh\nfi\npython3 x.py \\\n  "$@"\n'),
    ),
    "no exec, by an interpreter": (
        "DD106",
        WELL.with_layer({"run.sh": File(b"#!/bin/bash\npython3 $1.py\n")}).with_config(Entrypoint=["sh", "/run.sh"]),
    ),
    "tini": (
        "DD107",
        WELL.with_layer({"usr/bin/tini": File(elf(), 0o755)}).with_config(Entrypoint=["/usr/bin/tini", "--"]),
    ),
    "another user trains": ("DD201", WELL.with_config(User="nobody")),
    "unknown user": ("DD204", WELL.with_config(User="trainer:users")),
    "writable by all": ("DD205", WELL.with_layer({"opt/program/run.py": File(b"pass", 0o666)})),
    "folder writable by all": ("DD205", WELL.with_layer({"opt/program": folder(0o777)})),
    "set-user-ID": ("DD206", WELL.with_layer({"usr/local/bin/mine": File(elf(), 0o4755)})),
    "baked model": ("DD207", WELL.with_layer({"opt/ml/model/model.pt": File(b"weights")})),
    "volume": ("DD208", WELL.with_config(Volumes={"/opt/ml": {}})),
    "deleted file": (
        "DD303",
        WELL.with_layer({"data.bin": File(bytes(25_000_000))}).with_layer({".wh.data.bin": File()}),
    ),
    "cache": ("DD304", WELL.with_layer({"root/.cache/pip/http/a": File(bytes(25_000_000))})),
    "ssh key": ("DD401", WELL.with_layer({"root/.ssh/id_ed25519": File(KEY, 0o600)})),
    "ssh key, deleted": (
        "DD401",
        WELL.with_layer({"root/.ssh/id_rsa": File(KEY)}).with_layer({"root/.ssh/.wh.id_rsa": File()}),
    ),
    "host key": ("DD402", WELL.with_layer({"etc/ssh/ssh_host_rsa_key": File(KEY, 0o600)})),
    "authorized keys": ("DD403", WELL.with_layer({"root/.ssh/authorized_keys": File(b"ssh-ed25519 AAAA me\n")})),
    "aws credentials": (
        "DD404",
        WELL.with_layer({"root/.aws/credentials": File(b"[default]\naws_secret_access_key = wJalr\n")}),
    ),
    "token in a file": ("DD405", WELL.with_layer({"opt/program/hub.py": File(f"login('{TOKEN}')".encode())})),
    "token in a variable": ("DD406", with_env(f"HUB={TOKEN}")),
    "token as a build argument": ("DD406", replace(WELL, history=[f"RUN |1 HUB={TOKEN} /bin/sh -c ./get # buildkit"])),
    "named secret": ("DD407", with_env("WANDB_API_KEY=0123456789abcdef")),
    "no labels": ("DD501", WELL.with_config(Labels=layouts.SERVING_LABEL)),
    "port not chosen": ("DD502", WELL.with_config(Labels=layouts.LABELS)),
    "x86 wheel": ("DD603", DEVICE.with_layer({"opt/venv/lib/site-packages/cv2.so": File(elf(AMD64))})),
    "shell line on a device": ("DD108", DEVICE.with_config(Cmd=["/bin/sh", "-c", "python3 serve.py"])),
    "root on a device": ("DD203", DEVICE.with_config(User="")),
    "newer symbol": ("DD604", WELL.with_layer({"opt/venv/a.so": linked_with("libc.so.6", "GLIBC_2.17", "GLIBC_2.38")})),
    "newer C++ symbol": ("DD604", WELL.with_layer({"opt/venv/a.so": linked_with("libstdc++.so.6", "GLIBCXX_3.4.29")})),
    "library not there": ("DD606", WELL.with_layer({"opt/venv/cv2.so": linked_with("libGL.so.1", "GL_1")})),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_one_finding(doctor: Doctor, fault: str) -> None:
    code, image = FAULTS[fault]
    purposes = ("--for", "device") if image.architecture == "arm64" else ("--for", "train", "--for", "serve")

    report = doctor(image, *purposes)

    found = {finding["code"]: finding for finding in report["findings"]}
    assert list(found) == [code], found
    assert all(found[code][key] for key in ("what", "where", "why", "remedy", "matters_for"))
    assert report["exit_code"] == (1 if found[code]["severity"] == "error" else 0)


def test_a_server_that_is_not_root_is_only_noted(doctor: Doctor) -> None:
    assert doctor.codes(WELL.with_config(User="65532"), "--for", "serve") == ["DD202"]


@pytest.mark.parametrize(
    "script",
    [
        '#!/bin/sh\nexec python3 x.py \\\n  "$@"\n',
        '#!/bin/sh\nmain() {\n  exec python3 x.py "$@"\n}\nmain "$@"\n',
        "#!/bin/sh\nif [ -f a.py ]; then\n  exec python3 a.py\nelse\n  exec python3 b.py\nfi\n",
        "#!/bin/sh\ntrap 'kill $child' TERM\npython3 x.py & child=$!\nwait $child\n",
    ],
    ids=["over two lines", "in a function", "in a condition", "a trap"],
)
def test_a_script_that_hands_over_is_fine(doctor: Doctor, script: str) -> None:
    assert doctor.codes(with_train(script), "--for", "train") == []


def test_an_image_that_names_its_device_is_held_against_it(doctor: Doctor) -> None:
    wheel = File(elf(ARM64, {"libc.so.6": ["GLIBC_2.34"]}))
    image = DEVICE.with_layer({"opt/venv/lib/python3.11/site-packages/onnxruntime.so": wheel})
    labels = DEVICE.config["Labels"]

    assert doctor.codes(image.with_config(Labels=labels | {"drydock.device": "jetpack5"})) == ["DD605"]
    named = image.with_config(Labels=labels | {"drydock.device": "jetpack6"})
    assert doctor.codes(named) == []
    assert doctor.codes(named, "--for", "train") == ["DD201", "DD602"]
    code, _, said = doctor.run(image.with_config(Labels=labels | {"drydock.device": "jetson"}))
    assert code == 2
    assert "no device jetson is known (the image's label drydock.device)" in said


def test_a_library_is_held_against_the_device_not_the_image(doctor: Doctor) -> None:
    """The image's own glibc would do: it is for whoever copies the wheel out, or builds FROM the device's base."""
    wheel = File(elf(ARM64, {"libc.so.6": ["GLIBC_2.34"]}))
    image = DEVICE.with_layer({"opt/venv/lib/python3.11/site-packages/onnxruntime.so": wheel})

    assert doctor.codes(image, "--device", "jetpack5") == ["DD605"]
    assert doctor.codes(image, "--device", "jetpack6") == []
    assert doctor.codes(image, "--device", "graviton", "--for", "serve") == ["DD202"]


def test_a_plug_in_that_nothing_is_linked_with_may_lack_its_libraries(doctor: Doctor) -> None:
    """NVIDIA's wheels bring them for InfiniBand and MPI; what a module is linked with, or loads as its own, counts."""
    packages = "opt/venv/lib/python3.11/site-packages/nvidia/"
    plug_in = {f"{packages}transport_ucx.so.6": linked_with("libucp.so.0", "UCP_1")}

    assert doctor.codes(WELL.with_layer(plug_in)) == []
    linked = plug_in | {f"{packages}module.abi3.so": File(elf(needs={"transport_ucx.so.6": []}))}
    assert doctor.codes(WELL.with_layer(linked)) == ["DD606"]
    assert doctor.codes(WELL.with_layer({f"{packages}libown.so": linked_with("libgomp.so.1", "GOMP_1")})) == ["DD606"]
    assert doctor.codes(WELL.with_layer({"usr/lib/libown.so.1": linked_with("libgomp.so.1", "GOMP_1")})) == ["DD606"]


def test_ten_gibibytes_are_too_many_for_serverless_inference(doctor: Doctor, tmp_path: Path) -> None:
    """The layer is a hole in a file, which takes no space."""
    layout = layouts.oci(tmp_path / "layout", WELL.with_layer({"big": File(b"big")}), compress=False)
    (small,) = [blob for blob in (layout / "blobs/sha256").iterdir() if blob.read_bytes()[:4] == b"big\0"]
    header = tarfile.TarInfo("big")
    header.size = 11 << 30
    small.write_bytes(header.tobuf())
    os.truncate(small, header.size + 2048)

    assert doctor.codes(layout, "--for", "serve") == ["DD301"]


def test_what_could_not_be_looked_into_is_said(doctor: Doctor) -> None:
    lost = elf(needs={"libc.so.6": ["GLIBC_2.17"]}, lead=40 << 20, padding=40 << 20)

    assert doctor.codes(WELL.with_layer({"opt/venv/big.so": File(lost)})) == ["DD607"]


def test_every_finding_is_tested() -> None:
    tests = [*Path(__file__).parent.glob("test_*.py"), *(ROOT / "tests" / "images").glob("test_doctor_*.py")]
    text = "".join(path.read_text() for path in tests)
    assert [code for code in RULES if f'"{code}"' not in text] == []


@pytest.mark.parametrize("image", [WELL, DEVICE], ids=["SageMaker", "a device"])
def test_a_healthy_image_is_clean(doctor: Doctor, image: Made) -> None:
    code, out, err = doctor.run(image, *(["--device", "raspberry-pi-4"] if image is DEVICE else []))

    assert code == 0
    assert err.startswith("\nclean")
    assert image.architecture in out
