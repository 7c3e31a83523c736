from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import formats, masks

MASK = np.zeros((40, 80), bool)
MASK[10:30, 20:50] = True
MASK[15:20, 30:40] = False
RUNS = [len(list(run)) for _, run in itertools.groupby(MASK.T.ravel().tolist())]


def annotation(**changes: Any) -> dict[str, Any]:
    return {"id": 5, "image_id": 1, "category_id": 7, "bbox": [20, 10, 30, 20], **changes}


def coco(folder: Path, *annotations: dict[str, Any], **changes: Any) -> Path:
    (folder / "images").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (80, 40)).save(folder / "images" / name)
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 80, "height": 40}, {"id": 2, "file_name": "images/b.jpg"}],
        "categories": [{"id": 7, "name": "cracked"}, {"id": 3, "name": "chipped"}],
        "annotations": list(annotations),
    }
    (folder / "instances.json").write_text(json.dumps(content | changes))
    return folder


def refused(channel: Path, match: str) -> None:
    with pytest.raises(Refusal, match=match) as caught:
        formats.load(channel, channel="train")
    assert caught.value.hint


def test_boxes_become_corners_and_category_ids_indices(tmp_path):
    data = formats.load(coco(tmp_path, annotation(), annotation(id=6, category_id=3, bbox=[0.5, 0, 10, 10])))
    assert data.classes == ("chipped", "cracked")
    assert [(i.class_id, i.box) for i in data.samples[0].instances] == [(1, (20, 10, 50, 30)), (0, (0.5, 0, 10.5, 10))]
    assert [(s.name, len(s.instances)) for s in data.samples] == [("images/a.jpg", 2), ("images/b.jpg", 0)]
    assert not data.has_masks


def test_polygons_of_several_parts_are_one_instance(tmp_path):
    parts = [[20, 10, 30, 10, 30, 30, 20, 30], [40, 10, 50, 10, 50, 30, 40, 30]]
    data = formats.load(coco(tmp_path, annotation(segmentation=parts)))
    assert data.has_masks
    assert data.samples[0].instances[0].mask.sum() == 400


@pytest.mark.parametrize("compressed", [False, True])
def test_run_lengths_are_read_with_their_holes(tmp_path, compressed):
    counts = masks.encode(MASK)["counts"] if compressed else RUNS
    channel = coco(tmp_path, annotation(segmentation={"size": [40, 80], "counts": counts}))
    (instance,) = formats.load(channel).samples[0].instances
    assert (instance.mask == MASK).all()
    assert (masks.rasterise(instance.polygons, 40, 80) == MASK).all()


def test_a_box_is_taken_from_the_polygon_where_there_is_none(tmp_path):
    data = formats.load(coco(tmp_path, annotation(bbox=None, segmentation=[[20, 10, 50, 10, 50, 30]])))
    assert data.samples[0].instances[0].box == (20, 10, 50, 30)


def test_crowds_empty_boxes_and_boxes_that_stick_out_are_noted(tmp_path):
    crowd, empty, outside = annotation(iscrowd=1), annotation(bbox=[1, 1, 0, 9]), annotation(bbox=[70, 30, 20, 20])
    data = formats.load(coco(tmp_path, crowd, empty, outside))
    assert [i.box for i in data.samples[0].instances] == [(70, 30, 80, 40)]
    assert data.notes == (
        "1 crowd annotations skipped",
        "1 objects without area dropped",
        "1 boxes clipped to their image",
        "1 images found by the end of their path only",
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"category_id": 1}, "category_id 1 is not among categories 3, 7"),
        ({"category_id": [1]}, r"category_id \[1\] is not among categories 3, 7"),
        ({"bbox": [10**90, 1, 10**90, 1]}, "outside the 80x40 image"),
        ({"bbox": [1e308, 1, 1e308, 1]}, "outside the 80x40 image"),
        ({"image_id": 9}, "image 9, which is not among images"),
        ({"image_id": None}, "no image_id"),
        ({"bbox": [1, 2, 3]}, r"bbox is \[1, 2, 3\]"),
        ({"bbox": [1, 2, 3, float("nan")]}, "bbox is"),
        ({"bbox": [1, 2, -3, 4]}, "negative size"),
        ({"bbox": [90, 2, 3, 4]}, "outside the 80x40 image"),
        ({"segmentation": [[1, 2, 3, 4]]}, "segmentation does not parse"),
        ({"segmentation": {"size": [80, 40], "counts": [3200]}}, r"size \[80, 40\], not \[40, 80\]"),
        ({"segmentation": {"size": [40, 80], "counts": [3, 4]}}, "run lengths add up to 7"),
        ({"segmentation": {"size": [40, 80], "counts": [10**30]}}, f"run lengths add up to {10**30}"),
        ({"segmentation": {"size": [40, 80], "counts": [2**63, -(2**63) + 3200]}}, "run lengths add up to 3200"),
        ({"segmentation": {"size": [40, 80], "counts": "o" * 5000}}, "a run length has too many characters"),
        ({"segmentation": {"size": [40, 80]}}, "without counts"),
    ],
)
def test_a_bad_annotation_is_refused_by_its_id(tmp_path, changes, match):
    refused(coco(tmp_path, annotation(**changes)), rf"{match}.*instances\.json, annotation 5")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"categories": None}, 'no "categories".*JumpStart'),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "stands twice"),
        ({"annotations": {"a": 1}}, 'no list of objects "annotations"'),
        ({"images": [{"id": 1}]}, "without id or file_name"),
        (
            {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]},
            r"image id 1 stands twice, for 'a\.jpg' and 'b\.jpg' \(train/instances\.json\)",
        ),
        ({"images": [{"id": 1, "file_name": "gone.jpg"}]}, r"no image gone\.jpg \(train/instances\.json, image 1"),
        (
            {"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 80}]},
            r"is 80x40 as displayed, but declared 40x80 \(train/instances\.json, image 1\)",
        ),
    ],
)
def test_a_file_that_is_not_coco_is_refused(tmp_path, changes, match):
    refused(coco(tmp_path, **changes), match)


def test_json_that_does_not_parse_is_refused_by_line(tmp_path):
    channel = coco(tmp_path)
    (channel / "instances.json").write_text('{\n"images": [],\n"annotations": [}\n')
    refused(channel, r"not JSON: .*\(train/instances\.json:3\)")


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("[" * 100_000, "nested too deep"),
        ("[" * 50 + "]" * 50, "nested too deep"),
        ("9" * 5000, "a number of 5000 digits"),
        (str(10**400), "a number of 401 digits"),
        ('"\\ud800"', "surrogates not allowed"),
    ],
)
def test_json_that_nothing_can_be_done_with_is_refused_by_file(tmp_path, value, match):
    channel = coco(tmp_path)
    (channel / "instances.json").write_text(f'{{"images": [], "annotations": [{{"bbox": [{value}, 1, 1, 1]}}]}}')
    refused(channel, rf"{match}.*\(train/instances\.json\)")
