"""An image is read the same from every form that it can be stored in, and what is none is refused."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support import layouts
from tests.support.doctored import Doctor
from tests.support.layouts import ARM64, File, elf, healthy, link

FAULTY = healthy().with_config(Entrypoint=["/bin/sh", "-c", "python3 x.py"])


def packed(folder: Path, path: Path, compress: bool = False) -> Path:
    with tarfile.open(path, "w:gz" if compress else "w") as tar:
        tar.add(folder, ".")
    return path


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return layouts.oci(tmp_path / "layout", FAULTY)


def test_every_form_of_an_archive_gives_the_same_findings(doctor: Doctor, layout: Path, tmp_path: Path) -> None:
    plain = layouts.oci(tmp_path / "plain", FAULTY, compress=False)
    saved = layouts.docker_archive(tmp_path / "saved.tar", FAULTY)
    zipped = tmp_path / "saved.tar.gz"
    zipped.write_bytes(gzip.compress(saved.read_bytes()))
    forms = [plain, packed(layout, tmp_path / "oci.tar"), packed(plain, tmp_path / "oci.tgz", True), saved, zipped]

    first = doctor(layout)

    assert [finding["code"] for finding in first["findings"]] == ["DD101"]
    for form in forms:
        assert doctor(form) | {"image": ""} == first | {"image": ""}, form


def test_a_repeated_layer_is_saved_as_a_link(doctor: Doctor, tmp_path: Path) -> None:
    once = {"root/.ssh/authorized_keys": File(b"ssh-ed25519 AAAA me\n")}
    image = healthy().with_layer(once).with_layer({"root/.ssh/.wh.authorized_keys": File()}).with_layer(once)

    report = doctor(layouts.docker_archive(tmp_path / "saved.tar", image))

    assert len(report["layers"]) == 5
    assert report["findings"][0]["where"].endswith(
        "(layer 3, deleted or replaced later), /root/.ssh/authorized_keys (layer 5)"
    )


def test_the_platform_of_an_index_is_chosen(doctor: Doctor, tmp_path: Path) -> None:
    both = layouts.oci(tmp_path / "both", healthy(), healthy(ARM64, "arm64"))

    assert doctor(both, "--platform", "linux/arm64", "--for", "other")["platform"] == "linux/arm64"
    assert doctor(both, "--platform", "linux/amd64", "--for", "other")["platform"] == "linux/amd64"
    code, _, err = doctor.run(both, "--platform", "linux/riscv64")
    assert (code, err.splitlines()[0]) == (
        2,
        "error: the archive has no image for linux/riscv64; it has linux/amd64, linux/arm64",
    )


def test_a_platform_that_the_only_image_is_not_for_is_a_finding(doctor: Doctor) -> None:
    assert doctor.codes(healthy(), "--platform", "linux/arm64") == ["DD601"]
    assert doctor.codes(healthy(), "--device", "jetpack5") == ["DD601", "DD203"]
    assert doctor.codes(healthy(ARM64, "arm64"), "--for", "train") == ["DD602"]


def test_a_large_library_that_streams_past_is_looked_into(doctor: Doctor, tmp_path: Path) -> None:
    """Larger than what is held in memory whole; its dynamic section lies between what is kept of the ends."""
    wanted = elf(needs={"libc.so.6": ["GLIBC_2.99"]}, padding=36 << 20)
    image = healthy().with_layer({"opt/venv/big.so": File(wanted + bytes(68 << 20))})

    assert doctor.codes(layouts.oci(tmp_path / "big", image)) == ["DD604"]


def test_links_lead_to_the_program(doctor: Doctor) -> None:
    moved = healthy().with_layer(
        {"opt/tools/train": link("../program/run"), "opt/program/run": File(b"#!/bin/sh\nexec python3 x\n", 0o755)}
    )
    round_about = {"opt/round": link("about"), "opt/about": link("round")}

    assert doctor.codes(moved.with_config(Entrypoint=["/opt/tools/train"]), "--for", "train") == []
    lost = moved.with_layer(round_about).with_config(Entrypoint=["/opt/round/train"])
    assert doctor.codes(lost, "--for", "train") == ["DD102"]


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not on this machine")
def test_zstd_is_read_or_refused_with_a_way_out(doctor: Doctor, tmp_path: Path) -> None:
    layout = layouts.oci(tmp_path / "layout", healthy(), compress=False)
    for blob in (layout / "blobs/sha256").iterdir():
        if b"ustar" in blob.read_bytes():
            packed = subprocess.run(["zstd", "-c"], input=blob.read_bytes(), capture_output=True, check=True).stdout
            blob.write_bytes(packed)

    code, out, err = doctor.run(layout)

    assert code == 0 or (code == 2 and "zstd" in err and "docker load" in err), (out, err)


def test_what_is_no_image_is_refused_with_a_hint(doctor: Doctor, layout: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    rootfs = tmp_path / "rootfs.tar"
    rootfs.write_bytes(layouts.tar({"bin/sh": File(elf())}))
    cut = tmp_path / "cut.tar"
    whole = packed(layout, tmp_path / "whole.tar").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    for blob in (layout / "blobs/sha256").iterdir():
        if blob.read_bytes()[:2] == b"\x1f\x8b":
            blob.unlink()

    for image in (text, rootfs, cut, layout, tmp_path):
        code, out, err = doctor.run(image)
        assert (code, out) == (2, ""), image
        assert err.startswith("error: "), err
        assert "\n\nhint: " in err, err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--device", "toaster"], "no device toaster is known"),
        (["--device", "jetpack4"], "jetpack4 is not supported: its Ubuntu 18.04"),
        (["--ignore", "DD999"], "no finding has the code DD999"),
    ],
)
def test_unknown_words_are_refused_with_the_known_ones(
    doctor: Doctor, layout: Path, arguments: list[str], says: str
) -> None:
    code, out, err = doctor.run(layout, *arguments)

    assert (code, out) == (2, "")
    assert says in err
    assert "hint: " in err


def test_the_exit_code_is_for_ci(doctor: Doctor) -> None:
    warned = healthy().with_config(User="nobody")

    assert doctor(warned)["exit_code"] == 0
    assert doctor(warned, "--strict")["exit_code"] == 1
    assert doctor(warned, "--strict", "--ignore", "DD201")["exit_code"] == 0
    assert doctor(healthy(), "--max-size", "0.000001")["findings"][0]["code"] == "DD302"
    assert doctor(healthy(), "--max-size", "0.000001")["exit_code"] == 1
