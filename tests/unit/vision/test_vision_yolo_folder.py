from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from optml.errors import Refusal
from vision import formats, masks, samples, splits
from vision.formats import yolo_folder

SIZE = (80, 40)


def folder(root: Path, labels: dict[str, str | None], settings: object = None) -> Path:
    """A YOLO folder: label text by image name, None for no label file."""
    for name, text in labels.items():
        image = root / "images" / name
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (80, 70, 60)).save(image)
        label = (root / "labels" / name).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            label.write_text(text)
    (root / "data.yaml").write_text(yaml.safe_dump(settings or {"names": ["cracked", "chipped"]}))
    return root


def refused(channel: Path, match: str) -> None:
    with pytest.raises(Refusal, match=match) as caught:
        formats.load(channel, channel="train")
    assert caught.value.hint


def test_boxes_and_polygons_are_read_in_pixels(tmp_path):
    channel = folder(tmp_path, {"a.jpg": "1 0.5 0.5 0.25 0.5\n", "b.jpg": "0 0 0 0.5 0 0.5 0.5\n"})
    data = formats.load(channel, channel="train")
    box, polygon = (sample.instances[0] for sample in data.samples)
    assert (box.class_id, box.box, box.mask) == (1, (30, 10, 50, 30), None)
    assert polygon.box == (0, 0, 40, 20)
    assert polygon.mask.shape == (40, 80)
    assert polygon.mask.sum() == pytest.approx(400, abs=20)
    assert not data.has_masks
    assert [sample.source for sample in data.samples] == ["train/labels/a.txt", "train/labels/b.txt"]


def test_empty_and_missing_label_files_are_negatives_and_the_missing_are_noted(tmp_path):
    data = formats.load(folder(tmp_path, {"a.jpg": "0 .5 .5 .1 .1", "b.jpg": "", "c.jpg": None}))
    assert [len(sample.instances) for sample in data.samples] == [1, 0, 0]
    assert data.notes == ("1 images without a label file taken as negatives",)


def test_the_parts_of_data_yaml_are_kept(tmp_path):
    settings = {"path": ".", "train": "images/one", "val": ["images/two"], "test": "list.txt", "names": {0: "cracked"}}
    channel = folder(tmp_path, {f"{part}/a.jpg": "0 .5 .5 .1 .1" for part in ("one", "two", "three")}, settings)
    (channel / "list.txt").write_text("./images/three/a.jpg\n\n")
    data = formats.load(channel)
    assert {s.name: s.split for s in data.samples} == {
        "images/one/a.jpg": "train",
        "images/two/a.jpg": "validation",
        "images/three/a.jpg": "test",
    }
    assert [len(part.samples) for part in splits.given(data)] == [1, 1]


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "../datasets/elsewhere", "train": "images"},
        {"train": "../images"},
        {"path": "/no/such", "train": "images"},
    ],
)
def test_a_data_yaml_from_another_machine_is_read_beside_its_images(tmp_path, settings):
    data = formats.load(folder(tmp_path, {"a.jpg": "0 .5 .5 .1 .1"}, {"names": ["cracked"], **settings}))
    assert [sample.name for sample in data.samples] == ["images/a.jpg"]


def test_repeated_lines_are_dropped_and_boxes_that_stick_out_are_clipped(tmp_path):
    data = formats.load(folder(tmp_path, {"a.jpg": "0 .5 .5 .1 .1\n0  .5 .5 .1 .1\n\n1 0 .5 .5 .5\n"}))
    assert [i.box for i in data.samples[0].instances] == [pytest.approx((36, 18, 44, 22)), (0, 10, 20, 30)]
    assert data.notes == ("1 objects clipped to their image", "1 repeated label lines dropped")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 .5 .5 .1", r"4 columns \(train/labels/a\.txt:2\)"),
        ("0 .5 .5 .1 .1 .9", r"6 columns \(train/labels/a\.txt:2\)"),
        ("0 .5 .5 .1 .1 .9 .9 .9", r"8 columns \(train/labels/a\.txt:2\)"),
        ("0 .5 .5 .1 1.2", r"outside 0\.\.1.*labels/a\.txt:2"),
        ("0 .5 -.5 .1 .2", r"outside 0\.\.1.*labels/a\.txt:2"),
        ("0 .5 nan .1 .2", r"outside 0\.\.1.*labels/a\.txt:2"),
        ("2 .5 .5 .1 .1", r"class 2, but data\.yaml names 2 \(train/labels/a\.txt:2\)"),
        ("-1 .5 .5 .1 .1", r"class -1.*labels/a\.txt:2"),
        ("0.5 .5 .5 .1 .1", r"class 0\.5.*labels/a\.txt:2"),
        ("cracked .5 .5 .1 .1", r"not a number.*labels/a\.txt:2"),
        ("0 .5 .5 0 .1", r"without area.*labels/a\.txt:2"),
    ],
)
def test_a_bad_label_line_is_refused_by_file_and_line(tmp_path, line, match):
    refused(folder(tmp_path, {"a.jpg": f"0 .5 .5 .1 .1\n{line}\n"}), match)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"train": "images"}, "data.yaml has no names"),
        ({"names": ["a"], "nc": 2}, "says nc: 2 but lists 1 names"),
        ({"names": {1: "a", 2: "b"}}, "numbered"),
        ({"names": ["a", "a"]}, "lists a class name twice"),
        ({"names": ["a", "b"], "train": "images/gone"}, r'"train: images/gone" of train/data\.yaml does not exist'),
        ({"names": ["a", "b"], "train": "images", "val": "images"}, "in both the train and the validation part"),
        (["a"], "data.yaml is no mapping"),
        ({"names": [["a"]]}, r"names of train/data\.yaml holds a list"),
        (
            {"names": ["a"], "train": "images/a.jpg"},
            r'"train: images/a\.jpg" of train/data\.yaml is a single image',
        ),
        ({"names": ["a"], "train": "a" * 5000}, r'"train: a{80}…a{80}" of train/data\.yaml does not exist'),
        ({"names": ["a"], "path": "a" * 5000, "train": "gone"}, r'"train: gone" of train/data\.yaml does not exist'),
        ({"names": ["a"], "train": "images", "val": "labels"}, r'^"val: labels" of train/data\.yaml holds no images'),
        ({"names": ["a"], "train": ["labels"]}, r"""^"train: \['labels'\]" of train/data\.yaml holds no images"""),
    ],
)
def test_a_data_yaml_that_contradicts_itself_is_refused(tmp_path, settings, match):
    refused(folder(tmp_path, {"a.jpg": "0 .5 .5 .1 .1"}, settings), match)


def test_a_data_yaml_that_does_not_parse_and_a_list_with_a_missing_image_are_refused(tmp_path):
    channel = folder(tmp_path, {"a.jpg": "0 .5 .5 .1 .1"}, {"names": ["a"], "train": "list.txt"})
    (channel / "list.txt").write_text("images/a.jpg\nimages/gone.jpg\n")
    refused(channel, r"no image images/gone\.jpg \(train/list\.txt:2\)")
    (channel / "data.yaml").write_text("names: [a")
    refused(channel, r"not YAML: .*\(train/data\.yaml:1\)")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ("names: " + "[" * 100_000, "nested too deep"),
        ("names: " + "[" * 50 + "]" * 50, "nested too deep"),
        ("names: &again [*again]", "nested too deep"),
        ("nc: " + "9" * 5000, "limit"),
        ("nc: !!int ''", "index out of range"),
        ("made: 2024-13-45", "month"),
        ('names: ["\\ud800"]', "surrogates not allowed"),
    ],
)
def test_yaml_that_nothing_can_be_done_with_is_refused_by_file(tmp_path, settings, match):
    channel = folder(tmp_path, {"a.jpg": "0 .5 .5 .1 .1"})
    (channel / "data.yaml").write_text(settings)
    refused(channel, rf"{match}.*\(train/data\.yaml\)")


@pytest.mark.parametrize("name", ["list.txt", "data.yaml", "labels/a.txt"])
def test_text_that_is_not_utf_8_is_refused_by_file(tmp_path, name):
    channel = folder(tmp_path, {"a.jpg": "0 .5 .5 .1 .1"}, {"names": ["a"], "train": "list.txt"})
    (channel / "list.txt").write_text("images/a.jpg\n")
    (channel / name).write_bytes(b"\xff\xd8\xe9")
    refused(channel, rf"^train/{name} cannot be read: .*utf-8")


def test_images_without_any_label_file_are_refused(tmp_path):
    refused(folder(tmp_path, {"a.jpg": None, "b.jpg": None}), r"none of 2 images has a label file.*labels/a\.txt")


@pytest.mark.parametrize("polygons", [False, True])
def test_what_is_saved_is_loaded_again(tmp_path, polygons):
    data = formats.load(samples.write(tmp_path / "cookies", images=10, seed=4).parents[1])
    parts = splits.split(data)
    file = yolo_folder.save(tmp_path / "scratch", *parts, polygons=polygons)
    again = formats.load(file.parent)
    assert again.classes == data.classes
    assert again.has_masks == polygons
    loaded = {sample.image.resolve().name: sample for sample in again.samples}
    for part, split in zip(parts, ("train", "validation"), strict=True):
        for sample in part.samples:
            found = loaded.pop(sample.image.name)
            assert found.split == split
            assert [i.class_id for i in found.instances] == [i.class_id for i in sample.instances]
            for one, other in zip(found.instances, sample.instances, strict=True):
                assert one.box == pytest.approx(other.box, abs=1e-6)
                if polygons:
                    assert (one.mask ^ other.mask).sum() <= 2
    assert not loaded


def test_saving_keeps_files_of_one_name_apart_and_the_channel_as_it_was(tmp_path):
    channel = folder(tmp_path / "channel", {"x/a.jpg": "0 .5 .5 .1 .1", "y/a.jpg": "", "x-a.jpg": ""})
    torn = channel / "images/y/a.jpg"
    torn.write_bytes(torn.read_bytes() + b"trailer")
    before = {path: path.read_bytes() for path in channel.rglob("*") if path.is_file()}
    data = formats.load(channel)
    yolo_folder.save(tmp_path / "scratch", data, data.subset([]), polygons=False)
    assert {path: path.read_bytes() for path in channel.rglob("*") if path.is_file()} == before
    written = sorted((tmp_path / "scratch/images/train").iterdir())
    assert len({path.stem for path in written}) == 3
    assert [path.is_symlink() for path in written] == [True, True, False]
    assert written[2].read_bytes() == torn.read_bytes() + b"\xff\xd9"


def test_holes_and_parts_become_one_polygon_a_line(tmp_path):
    mask = np.zeros((40, 80), bool)
    mask[5:25, 5:40], mask[10:20, 10:30], mask[28:35, 60:70] = True, False, True
    parts, _ = masks.components(mask)
    ring = masks.bridge([masks.outline(part) for part in parts])
    text = "0 " + " ".join(f"{v:.10g}" for v in (ring / (80, 40)).ravel())
    data = formats.load(folder(tmp_path, {"a.jpg": text}))
    assert (data.samples[0].instances[0].mask == mask).all()


def test_images_too_small_for_training_and_objects_without_masks_are_refused(tmp_path):
    channel = folder(tmp_path / "channel", {"a.jpg": "0 .5 .5 .1 .1"})
    data = formats.load(channel, channel="train")
    with pytest.raises(Refusal, match=r"without a mask \(train/labels/a\.txt\)"):
        yolo_folder.save(tmp_path / "one", data, data.subset([]), polygons=True)
    Image.new("RGB", (9, 9)).save(channel / "images/a.jpg")
    data = formats.load(channel, channel="train")
    with pytest.raises(Refusal, match=r"image train/images/a\.jpg is 9x9, too small .*\(train/labels/a\.txt\)"):
        yolo_folder.save(tmp_path / "two", data, data.subset([]), polygons=False)
