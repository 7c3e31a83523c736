"""Data sets whose images have one label each: folders, manifests, lists, and what is refused in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import classification, formats, splits


def picture(path: Path, size: tuple[int, int] = (12, 8), shade: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size[::-1], 3), shade, np.uint8)).save(path)
    return path


def found(dataset) -> dict[str, str]:
    return {sample.name: dataset.classes[sample.label] for sample in dataset.samples}


def refusal(folder: Path, **arguments: str) -> str:
    with pytest.raises(Refusal) as caught:
        formats.load_labels(folder, **arguments)
    assert caught.value.hint
    return caught.value.message


def test_a_folder_for_each_class(tmp_path):
    for name in ("shop/normal/1.png", "shop/anomalous/1.png", "shop/anomalous/deep/2.jpg", "shop/.hidden/3.png"):
        picture(tmp_path / name)
    (tmp_path / "shop/read.me").write_text("hello")
    dataset = formats.load_labels(tmp_path)
    assert dataset.classes == ("anomalous", "normal")
    assert found(dataset) == {
        "shop/normal/1.png": "normal",
        "shop/anomalous/1.png": "anomalous",
        "shop/anomalous/deep/2.jpg": "anomalous",
    }
    assert dataset.notes == ("files that are no images passed over: 1 .me",)


def test_a_linked_class_folder_is_followed_and_one_that_leads_back_is_not(tmp_path):
    data = tmp_path / "data"
    picture(data / "normal/1.png")
    picture(tmp_path / "elsewhere/deep/2.png")
    (data / "anomalous").symlink_to(tmp_path / "elsewhere")
    (data / "normal/back").symlink_to(data)
    (data / "itself").symlink_to("itself")
    assert found(formats.load_labels(data)) == {"normal/1.png": "normal", "anomalous/deep/2.png": "anomalous"}


def test_folders_of_parts_are_the_split(tmp_path):
    for part in ("train", "val", "test"):
        for name in ("a", "b"):
            picture(tmp_path / part / name / "1.png")
    dataset = formats.load_labels(tmp_path)
    train, validation = splits.given(dataset)
    assert [sample.name for sample in train.samples] == ["train/a/1.png", "train/b/1.png"]
    assert [sample.name for sample in validation.samples] == ["val/a/1.png", "val/b/1.png"]


def test_masks_beside_all_images_are_left_aside_and_others_refused(tmp_path):
    for name in ("MT_Free", "MT_Crack"):
        for number in (1, 2):
            picture(tmp_path / name / "Imgs" / f"exp{number}.jpg")
            picture(tmp_path / name / "Imgs" / f"exp{number}.png")
    dataset = formats.load_labels(tmp_path)
    assert len(dataset.samples) == 4
    assert {sample.image.suffix for sample in dataset.samples} == {".jpg"}
    assert "4 masks left aside" in dataset.notes
    (tmp_path / "MT_Free/Imgs/exp2.png").unlink()
    assert "exp1.jpg and" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("kos{}_Part1.jpg", "kos{}_Part1_label.bmp"),
        ("{}.png", "{}_GT.png"),
        ("{}.png", "{}_mask.png"),
        ("{} (copy).png", "{}_GT (copy).png"),
        ("images/{}.jpg", "masks/{}.png"),
    ],
)
def test_masks_that_names_and_folders_tell_are_left_aside(tmp_path, image, mask):
    for number in range(4):
        folder = tmp_path / "Data" / ("Train_NG" if number < 2 else "Train_OK")
        picture(folder / image.format(number))
        picture(folder / mask.format(number))
    dataset = formats.load_labels(tmp_path)
    assert [sample.image.name for sample in dataset.samples] == [Path(image.format(n)).name for n in range(4)]
    assert dataset.notes == ("4 masks left aside",)
    next((tmp_path / "Data/Train_OK").rglob(Path(image.format(3)).name)).unlink()
    assert f"{Path(mask.format(3)).name} is a mask as those beside it are, but its image is not there" in refusal(
        tmp_path
    )


def test_masks_of_a_folder_beside_the_parts_are_left_aside(tmp_path):
    for name in ("train/good/1.png", "test/good/2.png", "test/crack/1.png", "ground_truth/crack/1_mask.png"):
        picture(tmp_path / "tile" / name)
    dataset = formats.load_labels(tmp_path)
    assert dataset.classes == ("crack", "good")
    assert dataset.notes == ("1 masks left aside",)


def test_classes_and_images_that_are_only_called_like_masks_are_none(tmp_path):
    for name in ("label/1.png", "label/2.png", "no_label/1.png", "no_label/front_label.png"):
        picture(tmp_path / name)
    dataset = formats.load_labels(tmp_path)
    assert dataset.classes == ("label", "no_label")
    assert len(dataset.samples) == 4


def test_images_of_one_item_of_kolektor_stay_on_one_side_of_a_split(tmp_path):
    for name in ("ok/kos01_Part1.jpg", "ng/kos01_Part5.jpg", "ok/kos02_Part1.jpg"):
        picture(tmp_path / name)
    assert [sample.group for sample in formats.load_labels(tmp_path).samples] == ["kos01", "kos01", ""]


def test_exposures_of_one_magnetic_tile_stay_on_one_side_of_a_split(tmp_path):
    crack = ["exp1_num_276355", "exp6_num_265500", "exp1_num_265613"]
    broken = ["exp2_num_276373", "exp6_num_276751", "exp1_num_276900"]
    for name in [f"MT_Crack/Imgs/{name}.jpg" for name in crack] + [f"MT_Break/Imgs/{name}.jpg" for name in broken]:
        picture(tmp_path / name)
    dataset = formats.load_labels(tmp_path)
    assert {sample.image.stem for sample in dataset.samples if sample.group == "tile 276355"} == {
        "exp1_num_276355",
        "exp2_num_276373",
        "exp6_num_276751",
    }
    assert "6 images exp…_num_… taken for exposures of 4 tiles by their numbers" in dataset.notes


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a/1.png", "2.png"], "2.png lies in no class folder"),
        (["1.png", "2.png"], "lies in no class folder"),
        (["only/1.png", "only/2.png"], "are in one folder"),
        (["train/1.png", "val/a/1.png"], "train/1.png lies in no class folder"),
        ([], "no images in"),
    ],
)
def test_folders_that_tell_no_class(tmp_path, names, said):
    for name in names:
        picture(tmp_path / name)
    assert said in refusal(tmp_path)


def manifest(folder: Path, *entries: object) -> Path:
    for name in "ab":
        picture(folder / f"images/{name}.png")
    (folder / "x.manifest").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return folder


def lookout(image: str, label: int, name: str, **more: object) -> dict[str, object]:
    metadata = {"class-name": name, "type": "groundtruth/image-classification", "confidence": 1}
    return {"source-ref": f"s3://bucket/images/{image}.png", "defect": label, "defect-metadata": metadata, **more}


def test_a_manifest_of_lookout_for_vision_without_masks(tmp_path):
    folder = manifest(tmp_path, lookout("a", 1, "anomaly"), lookout("b", 0, "normal"))
    dataset = formats.load_labels(folder)
    assert dataset.classes == ("normal", "anomaly")  # by label, 0 first
    assert found(dataset) == {"images/a.png": "anomaly", "images/b.png": "normal"}
    assert dataset.samples[0].source.endswith("x.manifest:1")


def test_masks_of_a_manifest_are_left_aside_with_a_note(tmp_path):
    folder = manifest(tmp_path, lookout("a", 1, "anomaly", **{"anomaly-mask-ref": "m.png"}), lookout("b", 0, "normal"))
    assert formats.load_labels(folder).notes[0].startswith("1 masks left aside")


def test_a_label_that_contradicts_its_class_name_is_told(tmp_path):
    lines = [lookout("a", 1, "anomaly"), lookout("b", 0, "normal")]
    folder = manifest(tmp_path, *lines, lookout("c", 1, "normal"), lookout("d", 1, "anomaly"))
    for name in "cd":
        picture(tmp_path / f"images/{name}.png")
    dataset = formats.load_labels(folder)
    assert found(dataset)["images/c.png"] == "normal"
    assert 'x.manifest:3: label 1 but class-name "normal": the class-name counts' in dataset.notes[0]


def test_an_augmented_manifest_of_numbers(tmp_path):
    lines = [{"source-ref": "images/a.png", "class": "10"}, {"source-ref": "images/b.png", "class": 9}]
    assert formats.load_labels(manifest(tmp_path, *lines)).classes == ("9", "10")


BOXES = {"type": "groundtruth/object-detection", "class-map": {"0": "dog"}}
VERIFIED = {"type": "groundtruth/label-verification", "class-name": "good"}


def test_attributes_of_other_types_beside_the_label_are_left_aside(tmp_path):
    boxes = {"bb": {"image_size": [], "annotations": []}, "bb-metadata": BOXES}
    lines = [
        lookout("a", 1, "anomaly", **boxes),
        lookout("b", 0, "normal", **boxes, **{"check": 0, "check-metadata": VERIFIED}),
    ]
    dataset = formats.load_labels(manifest(tmp_path, *lines))
    assert found(dataset) == {"images/a.png": "anomaly", "images/b.png": "normal"}
    assert dataset.notes == (
        '"bb", of type object-detection, left aside in 2 lines: an image has one label here',
        '"check", of type label-verification, left aside in 1 lines: an image has one label here',
    )


def corrected(label: int, name: str, status: str) -> dict[str, object]:
    """What an adjustment job of Ground Truth adds to a line."""
    metadata = {"class-name": name, "type": "groundtruth/image-classification", "adjustment-status": status}
    return {"again": label, "again-metadata": metadata}


def test_the_label_that_an_adjustment_job_wrote_counts(tmp_path):
    lines = [
        lookout("a", 1, "anomaly", **corrected(0, "normal", "adjusted")),
        lookout("b", 1, "anomaly", **corrected(1, "anomaly", "unadjusted")),
    ]
    dataset = formats.load_labels(manifest(tmp_path, *lines))
    assert found(dataset) == {"images/a.png": "normal", "images/b.png": "anomaly"}
    assert dataset.notes == (
        '"defect", of type image-classification, left aside in 2 lines: an image has one label here',
    )
    untold = lookout("a", 1, "anomaly", **corrected(0, "normal", ""))
    assert "more than one label: 'defect', 'again'" in refusal(manifest(tmp_path, untold))


@pytest.mark.parametrize("kind", [{}, {"type": "groundtruth/image-classification"}])
def test_images_that_ground_truth_could_not_label_are_left_aside(tmp_path, kind):
    failed = {"source-ref": "images/gone.png", "id": 3, "defect-metadata": kind | {"failure-reason": "ClientError"}}
    boxes = {"bb-metadata": {"failure-reason": "ClientError"}}  # which the label does not need
    dataset = formats.load_labels(
        manifest(tmp_path, failed, lookout("a", 1, "anomaly", **boxes), lookout("b", 0, "ok"))
    )
    assert found(dataset) == {"images/a.png": "anomaly", "images/b.png": "ok"}
    assert dataset.notes == ("1 images that Ground Truth could not label (failure-reason) left aside",)
    assert "could label none of the 1 images" in refusal(manifest(tmp_path, failed))


def test_a_bare_class_beside_boxes_is_the_label(tmp_path):
    boxes = {"bb": {"image_size": [], "annotations": []}, "bb-metadata": BOXES}
    lines = [{"source-ref": f"images/{name}.png", "class": name, **boxes} for name in "ab"]
    assert formats.load_labels(manifest(tmp_path, *lines)).classes == ("a", "b")


@pytest.mark.parametrize("kind", [{"type": "groundtruth/image-classification"}, {"confidence": 1}])
def test_the_attribute_with_metadata_is_the_label_and_other_fields_are_left_aside(tmp_path, kind):
    lines = [
        {"source-ref": f"images/{name}.png", "id": number, "class": number % 2, "class-metadata": kind}
        for number, name in ((16, "a"), (17, "b"))
    ]
    dataset = formats.load_labels(manifest(tmp_path, *lines))
    assert found(dataset) == {"images/a.png": "0", "images/b.png": "1"}
    assert dataset.notes == ('"id" left aside in 2 lines: an image has one label here',)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"source-ref": "images/b.png"}, "has no label"),
        ({"source-ref": "images/b.png", "class": [0, 1]}, "several labels"),
        ({"source-ref": "images/b.png", "class": True}, "True"),
        ({"source-ref": "images/b.png", "class": 0, "class-metadata": [1]}, '"class-metadata" is [1], not an object'),
        ({"source-ref": "images/b.png", "class": 0, "class-metadata": "x"}, "\"class-metadata\" is 'x', not an"),
        ({"source-ref": "images/b.png", "class": 0, "class-metadata": None}, '"class-metadata" is None, not an'),
        ({"source-ref": "images/b.png", "class": 1, "colour": 2}, "more than one label"),
        ({"source-ref": "images/z.png", "class": 1}, "no image images/z.png"),
        ({"class": 1}, 'no "source-ref"'),
        (lookout("b", 1, ""), '"class-name" is'),
        ({"source-ref": "images/b.png", "x-metadata": BOXES}, "object-detection"),
        ({"source-ref": "images/b.png", "id": 17, "x": {}, "x-metadata": BOXES}, "\"x\" is of type 'object-detection'"),
        (
            {
                "source-ref": "images/b.png",
                "x": [0],
                "x-metadata": {"type": "groundtruth/image-classification-multilabel"},
            },
            "'image-classification-multilabel'",
        ),
        ({"source-ref": "images/b.png", "x-metadata": {"type": "groundtruth/image-classification"}}, 'without "x"'),
    ],
)
def test_a_fault_in_a_manifest_is_named_with_its_line(tmp_path, entry, said):
    message = refusal(manifest(tmp_path, {"source-ref": "images/a.png", "class": "0"}, entry), channel="train")
    assert said in message
    assert "train/x.manifest:2" in message


def lst(folder: Path, text: str, name: str = "x.lst") -> Path:
    for image in "ab":
        picture(folder / f"images/{image}.png")
    (folder / name).write_text(text)
    return folder


def test_a_list_of_the_built_in_algorithm(tmp_path):
    dataset = formats.load_labels(lst(tmp_path, "5\t1\timages/a.png\n1\t0.000000\timages/b.png\n"))
    assert dataset.classes == ("0", "1")
    assert found(dataset) == {"images/a.png": "1", "images/b.png": "0"}


def test_a_list_in_a_channel_of_its_own(tmp_path):
    images, lists = tmp_path / "train", tmp_path / "train_lst"
    for name in "ab":
        picture(images / f"{name}.png")
    lists.mkdir()
    (lists / "x.lst").write_text("1\t0\ta.png\n2\t1\tb.png\n")
    channels = {"train": images, "validation": images, "train_lst": lists, "validation_lst": lists}
    split = tmp_path / "split.json"
    train, _ = classification.load_sets(channels, manifest="", fraction=0.2, seed=0, split_file=split)
    assert train.samples[1].source == "train_lst/x.lst:2"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2 1 images/b.png", "1 columns between tabs"),
        ("2\t1\t0\timages/b.png", "several labels an image"),
        ("2\tdog\timages/b.png", "the label is 'dog'"),
        ("2\t0.5\timages/b.png", "the label is '0.5'"),
        ("2\t1\timages/z.png", "no image images/z.png"),
    ],
)
def test_a_fault_in_a_list_is_named_with_its_line(tmp_path, line, said):
    message = refusal(lst(tmp_path, f"1\t0\timages/a.png\n{line}\n"), channel="train")
    assert said in message
    assert "train/x.lst:2" in message


def test_several_annotation_files_leave_a_choice(tmp_path):
    folder = lst(manifest(tmp_path, lookout("a", 1, "anomaly"), lookout("b", 0, "normal")), "1\t0\timages/a.png\n")
    assert "2 annotation files" in refusal(folder)
    assert formats.load_labels(folder, prefer="x.manifest").classes == ("normal", "anomaly")


def test_an_image_listed_twice_is_refused(tmp_path):
    assert "annotated twice" in refusal(lst(tmp_path, "1\t0\timages/a.png\n2\t1\timages/a.png\n"))


def test_images_that_are_all_the_same_cannot_be_split(tmp_path):
    for name in ("normal", "anomalous"):
        picture(tmp_path / name / "1.png")
    with pytest.raises(Refusal, match="2 samples that show 1 things are too few"):
        splits.split(formats.load_labels(tmp_path))


def test_a_split_holds_every_class_in_both_parts(tmp_path):
    for name, count in (("normal", 20), ("anomalous", 5)):
        for number in range(count):
            picture(tmp_path / name / f"{number}.png", shade=count + number)
    train, validation = splits.split(formats.load_labels(tmp_path), 0.2, seed=3)
    assert sorted(validation.classes[i] for i in classification.labels(validation)) == ["anomalous"] + ["normal"] * 4
    assert len(train.samples) == 20


@pytest.mark.parametrize(
    ("classes", "wanted", "index"),
    [
        (("anomalous", "normal"), "", 0),
        (("good", "scratched"), "", 1),
        (("0", "1"), "", 1),
        (("cat", "dog"), "", 1),
        (("cat", "dog"), "cat", 0),
        (("Train_NG", "Train_OK"), "", 0),
        (("back_bad", "ok_front"), "", 0),
        (("GoodParts", "Scratched"), "", 1),
        (("no_good", "really good"), "", 0),
        (("normal", "not-normal"), "", 1),
        (("class_0", "class_1"), "", 1),
    ],
)
def test_which_of_two_classes_is_to_be_found(classes, wanted, index):
    assert classification.positive_class(classes, wanted) == index


def test_two_classes_that_are_both_called_normal_have_to_be_told_apart():
    with pytest.raises(Refusal, match="Both are called normal: ok_back, ok_front") as caught:
        classification.positive_class(("ok_back", "ok_front"), "")
    assert "positive-class=ok_front" in caught.value.hint


def test_a_class_beyond_the_head_is_named_with_its_line(tmp_path):
    dataset = formats.load_labels(lst(tmp_path, "1\t0\timages/a.png\n2\t4\timages/b.png\n"), channel="train")
    with pytest.raises(Refusal, match=r"num-classes=1, .* class 4 stands first in train/x.lst:2"):
        classification.check_classes(dataset, 1)


@pytest.mark.real_data
def test_real_sets_read(real_data):
    aliens = formats.load_labels(real_data / "l4v-aliens")
    assert (aliens.classes, len(aliens.samples)) == (("anomaly", "normal"), 60)
    tiles = formats.load_labels(real_data / "magnetic-tile")
    assert (len(tiles.classes), len(tiles.samples)) == (6, 258)
    assert len({sample.group or sample.name for sample in tiles.samples}) == 45
    parts = [{sample.group for sample in part.samples} for part in splits.split(tiles, 0.2, seed=0)]
    assert parts[0] & parts[1] <= {""}
    items = formats.load_labels(real_data / "ksdd")
    assert (items.classes, len(items.samples)) == (("Train_NG", "Train_OK"), 23)
    cookies = formats.load_labels(real_data / "cookie", prefer="train_class.manifest")
    assert (cookies.classes, len(cookies.samples)) == (("normal", "anomaly"), 63)
