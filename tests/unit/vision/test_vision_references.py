"""How references of annotation files are found in a channel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from optml.errors import Refusal
from vision import formats
from vision.folder import Folder
from vision.formats.resolve import Resolver


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12)).save(folder / name)
    return folder


def find(channel: Path, reference: str, manifest: str = "manifests/m.manifest") -> str:
    return (
        Resolver(channel / manifest, Folder(channel, "train"))
        .find(reference, "m.manifest:1")
        .relative_to(channel)
        .as_posix()
    )


def test_the_exact_key_comes_before_the_manifests_folder_and_its_parents(tmp_path):
    channel = tree(tmp_path, "a.jpg", "x/a.jpg", "x/y/a.jpg")
    assert find(channel, "a.jpg", "x/y/m.manifest") == "a.jpg"
    (channel / "a.jpg").unlink()
    assert find(channel, "a.jpg", "x/y/m.manifest") == "x/y/a.jpg"
    (channel / "x/y/a.jpg").unlink()
    assert find(channel, "a.jpg", "x/y/m.manifest") == "x/a.jpg"


@pytest.mark.parametrize(
    "reference",
    [
        "s3://bucket/some/prefix/set/normal/10.png",
        "/opt/ml/input/data/train/set/normal/10.png",
        "file:///home/me/set/normal/10.png",
        "../set/normal/10.png",
        "normal/10.png",
        "somewhere\\else\\normal\\10.png",
    ],
)
def test_the_longest_suffix_tells_equal_names_apart(tmp_path, reference):
    channel = tree(tmp_path, "set/normal/10.png", "set/anomaly/10.png")
    assert find(channel, reference) == "set/normal/10.png"


def test_two_files_with_the_longest_suffix_are_refused_with_their_names(tmp_path):
    channel = tree(tmp_path, "set/normal/10.png", "set/anomaly/10.png")
    with pytest.raises(
        Refusal, match=r"10\.png could be any of train/set/anomaly/10\.png, train/set/normal/10\.png \(m\.manifest:1\)"
    ):
        find(channel, "s3://bucket/10.png")


def test_nothing_outside_the_channel_is_taken(tmp_path):
    tree(tmp_path, "outside.png", "channel/a.png")
    with pytest.raises(Refusal, match=r"no image \.\./outside\.png \(m\.manifest:1"):
        find(tmp_path / "channel", "../outside.png", "m.manifest")
    with pytest.raises(Refusal, match="no image"):
        find(tmp_path / "channel", str(tmp_path / "outside.png"), "m.manifest")


@pytest.mark.parametrize("reference", ["", "s3://bucket", "/"])
def test_a_reference_that_names_no_file_is_refused(tmp_path, reference):
    with pytest.raises(Refusal, match=r"names no file \(m\.manifest:1\)"):
        find(tree(tmp_path, "a.png"), reference)


def manifest(path: Path, *references: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"source-ref": reference}) + "\n" for reference in references))
    return path


def test_the_root_is_the_nearest_folder_that_holds_all_references(tmp_path):
    tree(tmp_path, "set/training-images/a.jpg", "set/manifests/b.jpg", "set/other.jpg", "unrelated/c.jpg")
    file = manifest(tmp_path / "set/manifests/m.manifest", "training-images/a.jpg", "b.jpg")
    assert formats.common_root(file) == tmp_path / "set"
    assert formats.references(file) == [tmp_path / "set/training-images/a.jpg", tmp_path / "set/manifests/b.jpg"]
    assert formats.common_root(manifest(tmp_path / "set/manifests/n.manifest", "b.jpg")) == tmp_path / "set/manifests"


def test_a_reference_that_is_nowhere_near_its_manifest_is_refused(tmp_path):
    tree(tmp_path, "set/a.jpg")
    with pytest.raises(Refusal, match=r"no image gone\.jpg \(.*/deep/er/m\.manifest:2"):
        formats.common_root(manifest(tmp_path / "set/manifests/deep/er/m.manifest", "a.jpg", "gone.jpg"))
