import json
from pathlib import Path

import pytest

from local.cli.references import bundle
from local.cli.refusal import Refusal


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def write_manifest(path: Path, *records: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def names(manifest: Path) -> tuple[Path, str, set[str]]:
    found = bundle(manifest)
    return found.folder, found.manifest, {path.relative_to(found.folder).as_posix() for path in found.files}


def test_the_nearest_folder_that_holds_all_references_is_taken_with_only_those_files(tmp_path: Path) -> None:
    touch(tmp_path / "set/images/a.jpg", tmp_path / "set/masks/a.png", tmp_path / "set/other.jpg")
    manifest = write_manifest(
        tmp_path / "set/manifests/m.manifest",
        {"source-ref": "images/a.jpg", "x-ref": "masks/a.png", "x-ref-metadata": {}},
    )

    assert names(manifest) == (
        tmp_path / "set",
        "manifests/m.manifest",
        {"manifests/m.manifest", "images/a.jpg", "masks/a.png"},
    )


def test_a_list_takes_its_images_along(tmp_path: Path) -> None:
    touch(tmp_path / "images/a.jpg", tmp_path / "images/b.jpg")
    (tmp_path / "x.lst").write_text("1\t0\timages/a.jpg\n")

    assert names(tmp_path / "x.lst") == (tmp_path, "x.lst", {"x.lst", "images/a.jpg"})


def test_an_s3_reference_is_found_by_the_end_of_its_key(tmp_path: Path) -> None:
    touch(tmp_path / "images/a.jpg")
    manifest = write_manifest(tmp_path / "m.manifest", {"source-ref": "s3://bucket/getting-started/images/a.jpg"})

    assert names(manifest) == (tmp_path, "m.manifest", {"m.manifest", "images/a.jpg"})


def test_a_file_of_the_same_name_elsewhere_does_not_stand_in_while_the_path_itself_exists(tmp_path: Path) -> None:
    touch(tmp_path / "set/train/1.jpg", tmp_path / "set/val/1.jpg")
    manifest = write_manifest(tmp_path / "set/train/m.manifest", {"source-ref": "val/1.jpg"})

    assert names(manifest)[2] == {"train/m.manifest", "val/1.jpg"}


def test_a_file_that_lies_elsewhere_is_found_by_name(tmp_path: Path) -> None:
    touch(tmp_path / "data/dummy.png", tmp_path / "data/files/images/a.jpg")
    manifest = write_manifest(
        tmp_path / "m.manifest", {"source-ref": "s3://b/x/images/a.jpg", "mask-ref": "s3://b/x/masks/dummy.png"}
    )

    assert names(manifest)[2] == {"m.manifest", "data/dummy.png", "data/files/images/a.jpg"}


def test_a_reference_that_leads_upwards_stays_below_the_folder(tmp_path: Path) -> None:
    touch(tmp_path / "secret/a.jpg", tmp_path / "set/in/a.jpg")
    manifest = write_manifest(tmp_path / "set/m.manifest", {"source-ref": "../../secret/../in/a.jpg"})

    assert names(manifest)[2] == {"m.manifest", "in/a.jpg"}


def test_a_missing_file_is_named_with_its_line(tmp_path: Path) -> None:
    touch(tmp_path / "a/b/c/a.jpg")
    manifest = write_manifest(tmp_path / "a/b/c/m.manifest", {"source-ref": "a.jpg"}, {"source-ref": "gone.jpg"})

    with pytest.raises(Refusal, match=r"m\.manifest:2: gone\.jpg"):
        bundle(manifest)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"source-ref": "a.jpg"}\n{oops\n', ":2 is not JSON"),
        ('{"image": "a.jpg"}\n', ':1 has no "source-ref"'),
        ('["a.jpg"]\n', ':1 has no "source-ref"'),
        ("\n", "is empty"),
    ],
)
def test_a_manifest_that_is_none_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "m.manifest").write_text(text)

    with pytest.raises(Refusal) as refused:
        bundle(tmp_path / "m.manifest")

    assert told in refused.value.message
    assert refused.value.hint


def write_coco(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": [{"id": i, "file_name": n} for i, n in enumerate(names)], "annotations": []}))
    return path


def test_a_coco_file_takes_its_images_along(tmp_path: Path) -> None:
    touch(tmp_path / "set/train/a.jpg", tmp_path / "set/train/b.jpg", tmp_path / "set/other.jpg")
    coco = write_coco(tmp_path / "set/annotations/instances.json", "a.jpg", "train/b.jpg")

    assert names(coco) == (
        tmp_path / "set",
        "annotations/instances.json",
        {"annotations/instances.json", "train/a.jpg", "train/b.jpg"},
    )


def test_an_image_of_a_coco_file_that_is_missing_is_named_with_its_place(tmp_path: Path) -> None:
    touch(tmp_path / "a/b/c/a.jpg")
    coco = write_coco(tmp_path / "a/b/c/c.json", "a.jpg", "gone.jpg")

    with pytest.raises(Refusal, match=r"c\.json, images\[1\]: gone\.jpg"):
        bundle(coco)


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}', '{"images": [], "annotations": []}', "[" * 100_000])
def test_json_that_is_no_coco_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)

    with pytest.raises(Refusal, match=r"c\.json is no"):
        bundle(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("place", "settings"),
    [
        ("data.yaml", "train: images/train\nval: [images/val]"),
        ("data.yaml", "train: ../images/train\nval: images/val"),
        ("sub/data.yaml", "path: ..\ntrain: images/train\nval: images/val"),
        ("sub/data.yml", "train: ../images/train\nval: ../images/val"),
        ("data.yaml", "names: [a]"),
        ("data.yaml", "train: list.txt\nval: images/val/b.jpg"),
    ],
)
def test_a_data_yaml_takes_its_images_and_labels_along(tmp_path: Path, place: str, settings: str) -> None:
    pictures = {"images/train/a.jpg", "images/val/b.jpg", "labels/train/a.txt"}
    folder = tmp_path / "set"
    touch(*(folder / name for name in pictures), folder / "other.jpg", folder / "images/.hidden", folder / place)
    (folder / "list.txt").write_text("images/train/a.jpg\n")
    (folder / place).write_text(settings)

    found = names(folder / place)

    assert found[:2] == (folder, place)
    assert found[2] - {"list.txt"} == pictures | {place}
    assert ("list.txt" in found[2]) == ("list.txt" in settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("train: gone", "data.yaml: train names gone, which does not exist"),
        ("[1]", "is no mapping"),
        ("a: [", "does not parse"),
    ],
)
def test_a_data_yaml_that_is_wrong_is_refused(tmp_path: Path, settings: str, told: str) -> None:
    (tmp_path / "data.yaml").write_text(settings)

    with pytest.raises(Refusal) as refused:
        bundle(tmp_path / "data.yaml")

    assert told in refused.value.message
