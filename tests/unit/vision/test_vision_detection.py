"""The sets of a job: which annotation file each channel is read by, and what errors call a channel's files."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from optml.errors import Refusal
from training import verbs
from vision import detection, formats, prepare, samples
from vision.record import Dataset

TEMPLATE = "manifests/template.manifest"


@pytest.fixture(scope="module")
def cookies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.write(tmp_path_factory.mktemp("samples") / "cookies", images=8, seed=3).parents[1]


def job(tmp_path: Path, cookies: Path, *, train: tuple[str, ...], validation: tuple[str, ...]) -> Path:
    """The input/data of a job whose channels hold the cookies, each with annotation files of the given names."""
    data = tmp_path / "input/data"
    for name, files in (("train", train), ("validation", validation)):
        shutil.copytree(cookies, data / name)
        lines = (data / name / TEMPLATE).read_text()
        (data / name / TEMPLATE).unlink()
        for file in files:
            (data / name / file).write_text(lines)
    return data


def load(data: Path, manifest: str = "") -> tuple[Dataset, Dataset]:
    return detection.load_sets(
        {folder.name: folder for folder in data.iterdir()},
        manifest=manifest,
        fraction=0.2,
        seed=0,
        split_file=data.parent / "split.json",
        masks=False,
    )


def sources(parts: tuple[Dataset, Dataset]) -> list[str]:
    return [part.samples[0].source for part in parts]


@pytest.mark.parametrize(
    ("train", "validation", "manifest", "read"),
    [
        (("a.manifest",), ("b.manifest",), "", ("train/a.manifest:1", "validation/b.manifest:1")),
        (
            ("a.manifest", "b.manifest"),
            ("c.manifest",),
            "b.manifest",
            ("train/b.manifest:1", "validation/c.manifest:1"),
        ),
        (
            ("a.manifest",),
            ("b.manifest", "c.manifest"),
            "b.manifest",
            ("train/a.manifest:1", "validation/b.manifest:1"),
        ),
        (
            ("a.manifest", "b.manifest"),
            ("a.manifest", "b.manifest"),
            "b.manifest",
            ("train/b.manifest:1", "validation/b.manifest:1"),
        ),
    ],
)
def test_manifest_chooses_in_each_channel_that_holds_several(tmp_path, cookies, train, validation, manifest, read):
    assert sources(load(job(tmp_path, cookies, train=train, validation=validation), manifest)) == list(read)


def test_a_validation_channel_with_several_annotation_files_says_how_to_choose(tmp_path, cookies):
    data = job(tmp_path, cookies, train=("t.manifest",), validation=("a.manifest", "b.manifest"))
    with pytest.raises(
        Refusal, match=r'2 annotation files in channel "validation": a\.manifest, b\.manifest'
    ) as caught:
        load(data)
    assert "the hyperparameter manifest=b.manifest" in caught.value.hint
    assert sources(load(data, "b.manifest")) == ["train/t.manifest:1", "validation/b.manifest:1"]
    with pytest.raises(Refusal, match=r'none of the 2 annotation files of channel "validation" \(a\.man') as caught:
        load(data, "t.manifest")
    assert caught.value.hint == 'leave one of them in channel "validation", or call the one to use t.manifest'
    with pytest.raises(Refusal, match=r'manifest=c\.manifest: is not there .* channel "train"'):
        load(data, "c.manifest")


def break_image(channel: Path) -> str:
    path = min(channel.rglob("*.jpg"))
    path.write_bytes(path.read_bytes()[:-2000])
    return f"image train/{path.relative_to(channel)} does not decode"


def remove_image(channel: Path) -> str:
    first = json.loads((channel / TEMPLATE).read_text().splitlines()[0])
    next(channel.rglob(Path(first["source-ref"]).name)).unlink()
    return f'(train/{TEMPLATE}:1; looked in channel "train")'


def break_line(channel: Path) -> str:
    lines = (channel / TEMPLATE).read_text().splitlines()
    (channel / TEMPLATE).write_text("\n".join([*lines[:2], lines[2][:30]]))
    return f"(train/{TEMPLATE}:3)"


def write_latin(channel: Path) -> str:
    (channel / TEMPLATE).write_bytes(b"\xe9")
    return f"manifest train/{TEMPLATE} cannot be read"


def coco(channel: Path) -> str:
    shutil.rmtree(channel / "manifests")
    (channel / "boxes.json").write_text(json.dumps({"images": [], "annotations": []}))
    return "train/boxes.json has no"


def yolo(channel: Path) -> str:
    shutil.rmtree(channel / "manifests")
    (channel / "data.yaml").write_text("names: [cracked]\ntrain: elsewhere\n")
    return '"train: elsewhere" of train/data.yaml does not exist (looked in channel "train")'


def outside(channel: Path) -> str:
    shutil.rmtree(channel / "manifests")
    (channel.parent / "other").mkdir()
    Image.new("RGB", (20, 20)).save(channel.parent / "other/x.jpg")
    (channel / "data.yaml").write_text(f"names: [cracked]\ntrain: {channel.parent}/other\n")
    return 'image train/../other/x.jpg lies outside channel "train"'


def only_a_validation_part(channel: Path) -> str:
    shutil.rmtree(channel / "manifests")
    (channel / "labels").mkdir()
    for image in channel.rglob("*.jpg"):
        (channel / "labels" / image.name).with_suffix(".txt").write_text("0 .5 .5 .1 .1\n")
    next(channel.glob("*images")).rename(channel / "images")
    (channel / "data.yaml").write_text("names: [cracked]\nval: images\n")
    return "the train set is empty: train/data.yaml puts no image into it"


def no_object(channel: Path) -> str:
    lines = (channel / TEMPLATE).read_text().splitlines()
    (channel / TEMPLATE).write_text("".join(f"{line}\n" for line in lines if '"anomaly-mask-ref"' not in line))
    return f"images of the train set has an annotated object (train/{TEMPLATE})"


def empty(channel: Path) -> str:
    shutil.rmtree(channel)
    channel.mkdir()
    return 'no images in channel "train"'


@pytest.mark.parametrize(
    "damage",
    [break_image, remove_image, break_line, write_latin, coco, yolo, outside, empty, only_a_validation_part, no_object],
)
def test_errors_name_the_channel_and_the_path_in_it(tmp_path, cookies, damage: Callable[[Path], str]):
    channel = tmp_path / "job/input/data/train"
    shutil.copytree(cookies, channel)
    said = damage(channel)
    with pytest.raises(Refusal) as caught:
        prepare.training_folder(tmp_path / "scaled", *load(channel.parent), 64, masks=False)
    assert said in caught.value.message
    assert str(tmp_path) not in caught.value.message.replace(f"{channel.parent}/other", "")
    assert str(tmp_path) not in caught.value.hint


@pytest.mark.parametrize("damage", [break_image, remove_image, break_line, write_latin])
def test_errors_keep_the_path_that_was_typed(tmp_path, cookies, damage: Callable[[Path], str], monkeypatch):
    shutil.copytree(cookies, tmp_path / "train")
    monkeypatch.chdir(tmp_path)
    said = damage(tmp_path / "train").replace('channel "train"', "train")
    with pytest.raises(Refusal) as caught:
        prepare.scaled(formats.load(Path("train")), tmp_path / "scaled", 64)
    assert said in caught.value.message
    assert os.fspath(tmp_path) not in caught.value.message


def test_a_folder_may_be_typed_from_the_folder_beside_it(tmp_path, monkeypatch):
    Image.new("RGB", (80, 40)).save(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1\n0 .5 .5 .1\n")
    (tmp_path / "data.yaml").write_text("names: [cracked]\ntrain: .\n")
    (tmp_path / "beside").mkdir()
    monkeypatch.chdir(tmp_path / "beside")
    with pytest.raises(Refusal, match=r"4 columns \(\.\./a\.txt:2\)"):
        formats.load(Path(".."))
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1\n")
    assert formats.load(Path("..")).samples[0].name == "a.jpg"


def test_a_class_that_training_does_not_know_is_told_with_its_channel(tmp_path, cookies):
    data = job(tmp_path, cookies, train=("a.manifest",), validation=("a.manifest",))
    lines = data / "validation/a.manifest"
    lines.write_text(lines.read_text().replace('"cracked"', '"chipped"'))
    first = next(number for number, line in enumerate(lines.read_text().splitlines(), 1) if '"chipped"' in line)
    said = rf"class 'chipped' of validation is not among the training classes \(cracked\) \(.*a\.manifest:{first}\)"
    with pytest.raises(Refusal, match=said):
        load(data)


def voc(folder: Path, **objects: str) -> Path:
    """An image for each word, and the XML that annotates it: an object of a letter's class, difficult if a capital."""
    for stem, letters in objects.items():
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (sum(stem.encode()) % 256, 0, 0)).save(folder / f"{stem}.png")
        box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
        things = "".join(
            f"<object><name>{letter.lower()}</name><difficult>{int(letter.isupper())}</difficult>{box}</object>"
            for letter in letters
        )
        (folder / f"{stem}.xml").write_text(f"<annotation>{things}</annotation>")
    return folder


def test_difficult_objects_are_trained_on_and_others_are_needed_to_evaluate(tmp_path):
    voc(tmp_path / "data/train", one="A", two="")
    voc(tmp_path / "data/validation", three="a")
    assert [len(part.samples) for part in load(tmp_path / "data")] == [2, 1]
    voc(tmp_path / "data/validation", three="A", four="A")
    said = "all 2 objects of {} are marked difficult, and a model is asked for others only"
    with pytest.raises(Refusal, match=said.format("the validation set") + r" \(the XML files of channel") as refused:
        load(tmp_path / "data")
    assert refused.value.hint
    folder = tmp_path / "data/validation"
    with pytest.raises(Refusal, match=said.format(folder)):
        verbs.evaluation_set(argparse.Namespace(data=folder, manifest=""), ["a"])


@pytest.mark.parametrize(
    ("first", "held_out", "told"),
    [
        ("ab", "b", ["train: 2 images, 3 instances of a, b, 0 images without any"]),
        ("a", "b", ["train: 2 images, 2 instances of a, 0 images without any", "of class b: it is not learnt"]),
        (
            "a",
            "bc",
            ["train: 2 images, 2 instances of a, 0 images without any", "of classes b, c: they are not learnt"],
        ),
    ],
)
def test_a_class_that_only_validation_has_is_told(tmp_path, capsys, first, held_out, told):
    voc(tmp_path / "data/train/train", one=first, two="a")
    voc(tmp_path / "data/train/validation", three=held_out)
    load(tmp_path / "data")
    said = [line.removeprefix("note: the train set has no object ") for line in capsys.readouterr().out.splitlines()]
    classes = ", ".join(held_out)
    assert said == [*told, f"validation: 1 images, {len(held_out)} instances of {classes}, 0 images without any"]


def test_a_detector_is_not_evaluated_on_images_without_objects(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "data.yaml").write_text("names: [cracked]\ntrain: images\n")
    for name in "ab":
        Image.new("RGB", (40, 40)).save(tmp_path / f"images/{name}.jpg")
        (tmp_path / f"labels/{name}.txt").touch()
    with pytest.raises(Refusal, match=f"none of the 2 images of {tmp_path} has an annotated object") as refused:
        verbs.evaluation_set(argparse.Namespace(data=tmp_path, manifest=""), ["cracked"])
    assert "predict" in refused.value.hint
