"""Pascal VOC: how boxes, names, images and parts are read, and what is refused, by file and line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from optml.errors import Refusal
from vision import formats, splits

SIZE = "<size><width>200</width><height>100</height><depth>1</depth></size>"


def thing(*box: object, name: str = "rolled-in_scale", difficult: int = 0) -> str:
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name><difficult>{difficult}</difficult>\n<bndbox>{corners}</bndbox></object>"


def annotate(folder: Path, stem: str, *things: str, size: str = SIZE, image: str = "", filename: str = "") -> Path:
    """An image of 200x100 px and the XML that annotates it, in IMAGES/ and ANNOTATIONS/."""
    for name in ("IMAGES", "ANNOTATIONS"):
        (folder / name).mkdir(exist_ok=True, parents=True)
    Image.new("RGB", (200, 100)).save(folder / "IMAGES" / (image or f"{stem}.jpg"))
    content = f"<annotation>\n<filename>{filename or stem}</filename>\n{size}\n{''.join(things)}\n</annotation>\n"
    (folder / "ANNOTATIONS" / f"{stem}.xml").write_text(content)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(Refusal) as caught:
        formats.load(folder, channel="train")
    assert caught.value.hint
    return caught.value.message


def test_pixels_are_counted_from_1_with_both_ends_in_the_box(tmp_path):
    data = formats.load(annotate(tmp_path, "crazing_1", thing(1, 1, 200, 100), thing(60, 20, 60, 20, name="crazing")))
    assert data.classes == ("crazing", "rolled-in_scale")
    (sample,) = data.samples
    assert [(i.class_id, i.box) for i in sample.instances] == [(1, (0, 0, 200, 100)), (0, (59, 19, 60, 20))]
    assert (sample.name, sample.source) == ("IMAGES/crazing_1.jpg", f"{tmp_path}/ANNOTATIONS/crazing_1.xml")


def test_repeated_difficult_and_missing_objects(tmp_path):
    annotate(tmp_path, "a_1", thing(1, 1, 9, 9), thing(1, 1, 9, 9), thing(5, 5, 9, 9, difficult=1))
    annotate(tmp_path, "b_1")
    Image.new("RGB", (200, 100)).save(tmp_path / "IMAGES" / "c_1.jpg")
    data = formats.load(tmp_path)
    assert [[i.difficult for i in sample.instances] for sample in data.samples] == [[False, True], []]
    assert data.notes == (
        "1 repeated objects dropped",
        "1 objects marked difficult",
        "1 images without an XML file left out",
    )


def test_boxes_beyond_the_edges_are_cut_and_told(tmp_path):
    data = formats.load(annotate(tmp_path, "a", thing(0, 1, 10, 10), thing(150, 50, 260, 80)))
    assert [i.box for i in data.samples[0].instances] == [(0, 0, 10, 10), (149, 49, 200, 80)]
    assert data.notes == (
        "1 boxes that begin before pixel 1, where VOC begins to count",
        "1 boxes clipped to their image",
    )


def test_an_xml_belongs_to_the_image_of_its_own_name_else_to_its_filename(tmp_path):
    annotate(tmp_path, "a", thing(1, 1, 9, 9), filename="b.jpg")
    annotate(tmp_path, "b", thing(1, 1, 9, 9))
    annotate(tmp_path, "c", thing(1, 1, 9, 9), image="other.png", filename="other.png")
    assert [sample.name for sample in formats.load(tmp_path).samples] == [
        "IMAGES/a.jpg",
        "IMAGES/b.jpg",
        "IMAGES/other.png",
    ]


def test_the_official_layout_with_masks_of_the_images_names(tmp_path):
    folder = tmp_path / "VOCdevkit/VOC2007"
    for name in ("000032", "000033"):
        annotate(folder, name, thing(1, 1, 9, 9), filename=f"{name}.jpg")
        for masks in ("SegmentationClass", "SegmentationObject"):
            (folder / masks).mkdir(exist_ok=True)
            Image.new("P", (200, 100)).save(folder / masks / f"{name}.png")
    data = formats.load(tmp_path)
    assert [sample.image.parent.name for sample in data.samples] == ["IMAGES", "IMAGES"]
    assert data.notes == ("4 masks in Segmentation folders left aside",)


def test_of_several_images_of_its_name_an_xml_belongs_to_its_filename(tmp_path):
    annotate(tmp_path, "a", thing(1, 1, 9, 9), filename="a.png")
    Image.new("RGB", (200, 100)).save(tmp_path / "IMAGES/a.png")
    assert [sample.name for sample in formats.load(tmp_path).samples] == ["IMAGES/a.png"]
    annotate(tmp_path, "a", thing(1, 1, 9, 9), filename="a")
    assert "could annotate any of train/IMAGES/a.jpg, train/IMAGES/a.png" in refusal(tmp_path)


@pytest.mark.parametrize("how", ["folders", "folders in one", "lists"])
def test_the_parts_that_the_data_set_names_are_its_split(tmp_path, how):
    if how.startswith("folders"):
        folder = tmp_path / "NEU-DET/deep" if how == "folders in one" else tmp_path
        annotate(folder / "train", "a", thing(1, 1, 9, 9))
        annotate(folder / "validation", "a", thing(1, 1, 9, 9))
    else:
        for name in "ab":
            annotate(tmp_path, name, thing(1, 1, 9, 9))
        (tmp_path / "ImageSets/Main").mkdir(parents=True)
        (tmp_path / "ImageSets/Main/train.txt").write_text("a\n")
        (tmp_path / "ImageSets/Main/val.txt").write_text("b\n")
    train, validation = splits.given(formats.load(tmp_path))
    assert len(train.samples) == len(validation.samples) == 1


def listed(folder: Path, *stems: str, **lists: str) -> Path:
    """Images of these names, annotated, and lists of them in ImageSets/Main."""
    for stem in stems:
        annotate(folder, stem, thing(1, 1, 9, 9))
    (folder / "ImageSets/Main").mkdir(parents=True)
    for name, content in lists.items():
        (folder / f"ImageSets/Main/{name}.txt").write_text(content)
    return folder


@pytest.mark.parametrize(
    ("train", "val", "third"),
    [
        ("a\n", "b.1\nc d\n", "c d"),
        ("a.jpg\n", "b.1.JPG\nc d.jpg\n", "c d"),
        ("a  1\r\n", "b.1 -1\r\nc 1\r\n", "c"),
        ("a.jpg 1", "b.1.png 1\nc.jpg\t1", "c"),
    ],
)
def test_a_list_names_images_with_or_without_suffix_by_its_first_word(tmp_path, train, val, third):
    data = formats.load(listed(tmp_path, "a", "b.1", "c d", "c", train=train, val=val, trainval="z\n"))
    split = {Path(sample.name).stem: sample.split for sample in data.samples}
    assert split == {"c d": "", "c": ""} | {"a": "train", "b.1": "validation", third: "validation"}
    assert data.notes == ("1 images that no list of ImageSets/Main names",)


def test_names_of_no_image_and_images_that_no_list_names_are_told(tmp_path):
    data = formats.load(listed(tmp_path, *"abcd", train="a\nx\ny.jpg\n", val="b\nx1 1\n", test=""))
    assert data.notes == (
        "3 names in lists of ImageSets/Main that no image has",
        "2 images that no list of ImageSets/Main names",
    )


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"val": "\n0001\n0002 1\n"}, "no line names an image, 0001 for instance (train/ImageSets/Main/val.txt:2)"),
        ({"val": "b\na.jpg\n"}, "a is in the train and the validation part (train/ImageSets/Main/val.txt:2)"),
    ],
)
def test_lists_that_cannot_be_a_split_are_refused(tmp_path, lists, said):
    assert refusal(listed(tmp_path, "a", "b", train="a\n", **lists)) == said


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"things": [thing(10, 10, 9, 20)]}, "no area (train/ANNOTATIONS/a.xml:5)"),
        ({"things": [thing(300, 10, 400, 20)]}, "lies outside the 200x100 image (train/ANNOTATIONS/a.xml:5)"),
        ({"things": [thing("ten", 1, 20, 20)]}, "a box from ten, 1, 20, 20 (train/ANNOTATIONS/a.xml:5)"),
        ({"things": ["<object><name>a</name></object>"]}, "a box from nothing, nothing, nothing, nothing"),
        ({"things": ["<object></object>"]}, "an object without a name (train/ANNOTATIONS/a.xml:4)"),
        ({"things": ["<object>"]}, "not XML: mismatched tag"),
        (
            {"size": "<size><width>200</width><height>200</height></size>"},
            "declared 200x200 (train/ANNOTATIONS/a.xml:3)",
        ),
        ({"image": "z.jpg"}, "no image a (train/ANNOTATIONS/a.xml:2"),
    ],
)
def test_faults_are_told_with_file_and_line(tmp_path, made, said):
    annotate(tmp_path, "a", *made.pop("things", ()), **made)
    assert said in refusal(tmp_path)


@pytest.mark.parametrize("left", ["", '<?xml version="1.0"?>\n', "<!-- "])
def test_an_xml_that_was_cut_off_is_refused(tmp_path, left):
    annotate(tmp_path, "b", thing(1, 1, 9, 9))
    annotate(tmp_path, "a")
    (tmp_path / "ANNOTATIONS/a.xml").write_text(left)
    (tmp_path / "ANNOTATIONS/other.xml").write_text("<layout/>")
    assert "not XML: " in refusal(tmp_path)
    assert "(train/ANNOTATIONS/a.xml:" in refusal(tmp_path)


def test_entities_are_refused(tmp_path):
    annotate(tmp_path, "a")
    file = tmp_path / "ANNOTATIONS/a.xml"
    file.write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]>' + file.read_text())
    assert "it declares entities (train/ANNOTATIONS/a.xml)" in refusal(tmp_path)


@pytest.mark.real_data
def test_the_real_steel_surfaces_are_read_whole(real_data):
    dataset = formats.load(real_data / "neu-det")
    boxes = Counter(dataset.classes[item.class_id] for sample in dataset.samples for item in sample.instances)
    assert len(dataset.samples) == 1402
    assert boxes.total() == 3291 - 3  # three are there twice
    assert boxes["pitted_surface"] == 309
    assert dataset.notes == ("3 repeated objects dropped", "59 objects marked difficult")
