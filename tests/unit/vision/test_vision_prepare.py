from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision import formats, prepare
from vision.record import Dataset, Instance, Sample, build

HEIGHT, WIDTH = 40, 80
TRIANGLE = np.array([(10.0, 10.0), (30.0, 10.0), (10.0, 30.0)])
BOX = (10.0, 10.0, 30.0, 30.0)
OUTLINED = Instance(0, BOX, (HEIGHT, WIDTH), (TRIANGLE,))
BOXED = Instance(0, BOX, (HEIGHT, WIDTH))


def dataset(folder: Path, *instances: Instance) -> Dataset:
    """One image that holds `instances`."""
    folder.mkdir()
    image = folder / "a.png"
    Image.new("RGB", (WIDTH, HEIGHT), (90, 80, 70)).save(image)
    return build(["cracked"], [Sample(image, "a.png", WIDTH, HEIGHT, instances, "a.txt:1")])


def columns(data_yaml: Path) -> list[int]:
    """Numbers in each line of the labels of the training part, without the class."""
    (labels,) = (data_yaml.parent / "labels" / "train").iterdir()
    return [len(line.split()) - 1 for line in labels.read_text().splitlines()]


@pytest.mark.parametrize(
    ("train", "validation", "masks", "expected"),
    [
        ([OUTLINED], [OUTLINED], False, [6]),
        ([OUTLINED], [OUTLINED], True, [6]),
        ([OUTLINED], [], False, [6]),
        ([OUTLINED, BOXED], [OUTLINED], False, [4, 4]),
        ([OUTLINED], [BOXED], False, [4]),
    ],
)
def test_objects_are_outlines_where_every_one_of_both_sets_has_one(
    tmp_path: Path, train: list[Instance], validation: list[Instance], masks: bool, expected: list[int]
) -> None:
    parts = [dataset(tmp_path / "a", *train), dataset(tmp_path / "b", *validation)]

    data_yaml = prepare.training_folder(tmp_path / "out", parts[0], parts[1], 32, masks=masks)

    assert columns(data_yaml) == expected
    assert {sample.instances[0].box for sample in formats.load(data_yaml.parent).samples if sample.instances} == {
        tuple(side * 32 / WIDTH for side in BOX)
    }


def test_images_are_scaled_to_the_longer_side_once(tmp_path: Path) -> None:
    parts = [dataset(tmp_path / name, OUTLINED) for name in "ab"]

    data_yaml = prepare.training_folder(tmp_path / "out", parts[0], parts[1], 32, masks=False)

    sizes = {Image.open(path).size for path in (data_yaml.parent / "images").rglob("*") if path.is_file()}
    assert sizes == {(32, 16)}
