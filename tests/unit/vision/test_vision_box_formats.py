"""AWS's own formats for boxes: per-image JSON, augmented manifests, JumpStart's annotations.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from optml.errors import Refusal
from vision import formats
from vision.folder import Folder

DOG, CAT = {"class_id": 0, "name": "dog"}, {"class_id": 1, "name": "cat"}
BOX = {"class_id": 1, "left": 10, "top": 20, "width": 30, "height": 15}
EXPECTED = [("cat", (10, 20, 40, 35))]


def pictures(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    for name in "ab":
        Image.new("L", (80, 40)).save(folder / "images" / f"{name}.jpg")
    return folder


def per_image(folder: Path, name: str, *annotations: dict[str, Any], **changes: Any) -> None:
    size = [{"width": 80, "height": 40, "depth": 3}]
    content = {"file": f"{name}.jpg", "image_size": size, "annotations": annotations, "categories": [DOG, CAT]}
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content | changes))


def line(name: str, *annotations: dict[str, Any], **metadata: Any) -> str:
    boxes = {"image_size": [{"width": 80, "height": 40, "depth": 3}], "annotations": annotations}
    described = {"class-map": {"0": "dog", "1": "cat"}, "type": "groundtruth/object-detection"} | metadata
    return json.dumps({"source-ref": f"s3://b/{name}.jpg", "boxes": boxes, "boxes-metadata": described}) + "\n"


def jumpstart(folder: Path, *annotations: dict[str, Any], **changes: Any) -> None:
    images = [{"file_name": f"{name}.jpg", "height": 40, "width": 80, "id": i} for i, name in enumerate("ab")]
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations} | changes))


def found(data) -> list[list[tuple[str, tuple[float, ...]]]]:
    return [[(data.classes[i.class_id], i.box) for i in sample.instances] for sample in data.samples]


def refusal(folder: Path, **arguments: Any) -> str:
    with pytest.raises(Refusal) as caught:
        formats.load(folder, channel="train", **arguments)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("apart", [False, True])
def test_a_json_file_an_image_in_the_same_folder_or_one_of_its_own(tmp_path, apart):
    folder = pictures(tmp_path / "train")
    lists = tmp_path / "lists" if apart else folder / "annotations"
    per_image(lists, "a", BOX)
    per_image(lists, "b")
    data = formats.load(folder, annotations=Folder(lists, "train_annotation") if apart else None)
    assert data.classes == ("dog", "cat")
    assert found(data) == [EXPECTED, []]


def test_annotations_and_images_in_linked_folders_are_found(tmp_path):
    per_image(pictures(tmp_path / "elsewhere") / "annotations", "a", BOX)
    (tmp_path / "train").mkdir()
    (tmp_path / "train/link").symlink_to(tmp_path / "elsewhere")
    assert found(formats.load(tmp_path / "train")) == [EXPECTED]


def test_an_augmented_manifest_with_boxes(tmp_path):
    (pictures(tmp_path) / "x.manifest").write_text(line("a", BOX) + line("b"))
    data = formats.load(tmp_path)
    assert data.classes == ("dog", "cat")
    assert found(data) == [EXPECTED, []]
    assert [sample.source.rpartition(":")[2] for sample in data.samples] == ["1", "2"]


def test_an_augmented_manifest_is_known_by_what_its_json_says(tmp_path):
    escaped = line("a", BOX).replace("groundtruth/", "groundtruth\\/")
    (pictures(tmp_path) / "x.manifest").write_text("\ufeff\n" + escaped)
    assert found(formats.load(tmp_path)) == [EXPECTED]
    (tmp_path / "x.manifest").write_text('{"source-ref": "b.jpg"}\n' + line("a", BOX))
    assert refusal(tmp_path) == "no attribute is of type groundtruth/object-detection (train/x.manifest:1)"


@pytest.mark.parametrize("kind", [{}, {"type": "groundtruth/object-detection"}])
def test_images_that_ground_truth_could_not_draw_boxes_on_are_left_aside(tmp_path, kind):
    failed = json.dumps({"source-ref": "s3://b/gone.jpg", "boxes-metadata": kind | {"failure-reason": "ClientError"}})
    (pictures(tmp_path) / "x.manifest").write_text(f"{failed}\n{line('a', BOX)}{failed}\n")
    data = formats.load(tmp_path)
    assert found(data) == [EXPECTED]
    assert "2 images that Ground Truth could not label (failure-reason) left aside" in data.notes


def test_the_boxes_that_an_adjustment_job_drew_count(tmp_path):
    before, after = json.loads(line("a")), json.loads(line("a", BOX, **{"adjustment-status": "adjusted"}))
    both = before | {"again": after["boxes"], "again-metadata": after["boxes-metadata"]}
    (pictures(tmp_path) / "x.manifest").write_text(json.dumps(both))
    assert found(formats.load(tmp_path)) == [EXPECTED]
    del both["again-metadata"]["adjustment-status"]
    (tmp_path / "x.manifest").write_text(json.dumps(both))
    assert refusal(tmp_path).startswith("both 'boxes' and 'again' are of type")


def test_boxes_without_metadata_are_refused(tmp_path):
    bare = json.loads(line("a", BOX))
    del bare["boxes-metadata"]
    lookout = {"source-ref": "b.jpg", "defect": 0, "defect-metadata": {"type": "groundtruth/image-classification"}}
    pictures(tmp_path)
    for lines in ([bare], [json.loads(line("b")), bare], [lookout, bare]):
        (tmp_path / "x.manifest").write_text("\n".join(map(json.dumps, lines)))
        said = refusal(tmp_path)
        assert said == f'"boxes" holds boxes, but there is no "boxes-metadata" (train/x.manifest:{len(lines)})'


def test_the_boxes_of_jumpstart_are_corners_and_its_classes_their_ids(tmp_path):
    first = {"image_id": 0, "bbox": [10, 20, 40, 35], "category_id": 4, "id": 7}
    jumpstart(pictures(tmp_path), first, first | {"category_id": 2, "id": 8})
    data = formats.load(tmp_path)
    assert data.classes == ("2", "4")
    assert found(data) == [[("4", (10, 20, 40, 35)), ("2", (10, 20, 40, 35))], []]


@pytest.mark.parametrize(
    ("annotation", "changes", "said"),
    [
        (BOX | {"class_id": 2}, {}, "class_id 2 is not among the classes 0, 1 (train/j/a.json, annotations[0])"),
        (BOX | {"width": -5}, {}, "the box from 10, 20 to 5, 35 has no area (train/j/a.json, annotations[0])"),
        (BOX | {"left": None}, {}, "left, top, width, height are None, 20, 30, 15"),
        (BOX, {"file": "z.jpg"}, "no image z.jpg (train/j/a.json; looked in"),
        (BOX, {"image_size": [{"width": 40, "height": 80}]}, "80x40 as displayed, but declared 40x80 (train/j/a.json)"),
        (
            BOX,
            {"image_size": [{"width": "80", "height": 40}]},
            '"width" of the image is "80", which is no number (train/j/a.json)',
        ),
        (BOX, {"categories": [DOG, CAT | {"name": "dog"}]}, "dog has two ids (train/j/a.json)"),
        (BOX, {"categories": [DOG, CAT | {"class_id": [1]}]}, "class [1] is called 'cat' (train/j/a.json)"),
        (BOX, {"categories": [DOG, CAT | {"class_id": 0}]}, "class_id 0 is cat, but dog before (train/j/a.json)"),
        (BOX, {"categories": [DOG, ["cat"]]}, '"categories" is no list of classes (train/j/a.json)'),
        (BOX, {"categories": 2}, '"categories" is no list of classes (train/j/a.json)'),
        (BOX, {"annotations": {}}, '"annotations" is no list (train/j/a.json)'),
    ],
)
def test_faults_of_a_json_file_an_image(tmp_path, annotation, changes, said):
    per_image(pictures(tmp_path) / "j", "a", annotation, **changes)
    assert said in refusal(tmp_path)


def test_a_class_id_that_two_files_call_differently(tmp_path):
    folder = pictures(tmp_path) / "j"
    per_image(folder, "a", BOX)
    per_image(folder, "b", categories=[{"class_id": 0, "name": "wolf"}])
    assert "class_id 0 is wolf, but dog before (train/j/b.json)" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (line("a", BOX, **{"class-map": {"0": "dog"}}), "class_id 1 is not among the classes 0 (train/x.manifest:1"),
        (line("a") + line("a", BOX), "images/a.jpg is annotated twice"),
        (line("a", **{"class-map": None}), 'no "class-map" (train/x.manifest:1)'),
        (line("a") + '{"source-ref": "b.jpg"}\n', "no attribute is of type groundtruth/object-detection"),
    ],
)
def test_faults_of_an_augmented_manifest(tmp_path, lines, said):
    (pictures(tmp_path) / "x.manifest").write_text(lines)
    assert said in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bbox": [30, 20, 10, 15]}, "has no area (train/annotations.json, annotation 7)"),
        ({"bbox": [1, 2, 3]}, "a box is [1, 2, 3] (train/annotations.json, annotation 7)"),
        ({"category_id": "crazing"}, "category_id is 'crazing'"),
        ({"image_id": 9}, "annotation of image 9, which is not among images"),
    ],
)
def test_faults_of_jumpstart(tmp_path, changes, said):
    jumpstart(pictures(tmp_path), {"image_id": 0, "bbox": [10, 20, 40, 35], "category_id": 4, "id": 7} | changes)
    assert said in refusal(tmp_path)


@pytest.mark.parametrize(
    ("side", "said"),
    [
        ({"height": "40"}, '"height" of image train/images/a.jpg is "40", which is no number'),
        ({"height": None}, '"height" of image train/images/a.jpg is null, which is no number'),
        ({"height": 80}, "image train/images/a.jpg is 80x40 as displayed, but declared 80x80"),
    ],
)
@pytest.mark.parametrize("categories", [{}, {"categories": [{"id": 4, "name": "dog"}]}])  # JumpStart's, COCO's
def test_a_declared_side_that_is_no_number_is_refused_by_name(tmp_path, side, said, categories):
    images = [{"file_name": "a.jpg", "width": 80, "id": 3} | side]
    jumpstart(pictures(tmp_path), images=images, **categories)
    assert refusal(tmp_path) == f"{said} (train/annotations.json, image 3)"


def test_categories_that_are_empty_are_told_as_such(tmp_path):
    jumpstart(pictures(tmp_path), categories=[])
    assert refusal(tmp_path) == '"categories" is an empty list (train/annotations.json)'


def test_two_images_of_one_id_in_jumpstart_are_refused(tmp_path):
    images = [{"file_name": f"{name}.jpg", "id": 3} for name in "ab"]
    jumpstart(pictures(tmp_path), {"image_id": 3, "bbox": [10, 20, 40, 35], "category_id": 4}, images=images)
    assert refusal(tmp_path) == "image id 3 stands twice, for 'a.jpg' and 'b.jpg' (train/annotations.json)"
