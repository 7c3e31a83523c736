"""Images with a mask each: which belong together, what masks mean, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import copies, formats, segmentation, splits

RED, GREEN = (255, 0, 0), (0, 255, 0)


def picture(path: Path, width: int = 12, height: int = 8, shade: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (shade, shade, shade)).save(path)
    return path


def mask(path: Path, values: dict[tuple[int, int], int], mode: str = "L", size: tuple[int, int] = (12, 8)) -> Path:
    """A mask with some values at (x, y)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(size[::-1], np.uint8)
    for (x, y), value in values.items():
        pixels[y, x] = value
    image = Image.fromarray(pixels, "P" if mode == "P" else "L")
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 255, 255, 0, 128, 0])
    (image if mode in ("L", "P") else image.convert(mode)).save(path)
    return path


def marked(folder: Path) -> dict[str, list[tuple[int, int, int]]]:
    """(x, y, label) of every pixel that is not background, by image."""
    found = {}
    for sample in formats.load_masks(folder).samples:
        labels = segmentation.labels(sample)
        found[sample.name] = [(int(x), int(y), int(labels[y, x])) for y, x in np.argwhere(labels)]
    return found


@pytest.mark.parametrize("around", ["", "set/"])
def test_folders_of_images_and_masks_in_parts(tmp_path: Path, around: str) -> None:
    for part in ("train", "val"):
        picture(tmp_path / around / part / "images/a.jpg")
        mask(tmp_path / around / part / "masks/a.png", {(3, 2): 255})
    assert marked(tmp_path) == {f"{around}{part}/images/a.jpg": [(3, 2, 1)] for part in ("train", "val")}
    assert {sample.split for sample in formats.load_masks(tmp_path).samples} == {"train", "validation"}


def test_kolektor_2_with_the_copy_that_a_glob_takes_for_an_image(tmp_path: Path) -> None:
    picture(tmp_path / "train/10301.png")
    mask(tmp_path / "train/10301_GT.png", {(1, 1): 255})
    picture(tmp_path / "train/10301 (copy).png")
    mask(tmp_path / "train/10301_GT (copy).png", {(1, 1): 255})
    picture(tmp_path / "train/20000.png", shade=40)
    mask(tmp_path / "train/20000_GT.png", {})
    assert marked(tmp_path) == {"train/10301.png": [(1, 1, 1)], "train/20000.png": []}
    assert formats.load_masks(tmp_path).notes == ("1 images left aside that repeat another under the name of a copy",)


def test_kolektor_1_palettes_stray_values_and_items_that_a_split_keeps_together(tmp_path: Path) -> None:
    for item, shade in (("kos01", 10), ("kos02", 60), ("kos03", 110), ("kos26", 10)):
        for part in (1, 2):
            picture(tmp_path / f"{item}/Part{part}.jpg", shade=shade + 10 * part)
            mask(tmp_path / f"{item}/Part{part}_label.bmp", {(4, 4): 2, (0, 0): 1} if part == 1 else {}, "P")
    dataset = formats.load_masks(tmp_path)
    assert marked(tmp_path)["kos02/Part1.jpg"] == [(0, 0, 1), (4, 4, 1)]
    assert any("masks of more than two values" in note for note in dataset.notes)
    groups = {sample.name.split("/")[0]: sample.group for sample in copies.together(dataset)[0].samples}
    assert groups["kos01"] == groups["kos26"]  # the same photographs, byte for byte
    assert len(set(groups.values())) == 3
    for seed in range(5):
        parts = splits.split(dataset, 0.3, seed)
        held = [{groups[sample.name.split("/")[0]] for sample in part.samples} for part in parts]
        assert not held[0] & held[1]


def test_pairs_that_differ_in_the_suffix_with_greys_between(tmp_path: Path) -> None:
    picture(tmp_path / "MT_Crack/Imgs/a.jpg")
    mask(tmp_path / "MT_Crack/Imgs/a.png", {(1, 1): 127, (2, 2): 128, (3, 3): 255})
    assert marked(tmp_path) == {"MT_Crack/Imgs/a.jpg": [(2, 2, 1), (3, 3, 1)]}


def test_a_grey_mask_made_a_palette_means_what_the_greys_do_and_one_with_white_as_index_0_is_refused(
    tmp_path: Path,
) -> None:
    picture(tmp_path / "images/a.png")
    path = mask(tmp_path / "masks/a.png", {(1, 1): 100, (2, 2): 200, (3, 3): 255})
    with Image.open(path) as image:
        grey = image.convert("L")
    grey.convert("P").save(path)
    assert marked(tmp_path) == {"images/a.png": [(2, 2, 1), (3, 3, 1)]}
    grey.point(lambda value: 255 * (value > 0)).convert("RGB").quantize(2).save(path)
    assert "a palette whose index 0, the background, is lighter than index 1" in refused(tmp_path)


def test_named_classes(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    mask(tmp_path / "masks/a.png", {(1, 1): 1, (2, 1): 2})
    (tmp_path / "classes.txt").write_text("crack\nstain\n")
    assert formats.load_masks(tmp_path).classes == ("crack", "stain")
    assert marked(tmp_path) == {"images/a.png": [(1, 1, 1), (2, 1, 2)]}


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "1"])
def test_masks_of_every_mode(tmp_path: Path, mode: str) -> None:
    picture(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/a.png", {(5, 6): 255}, mode)
    assert marked(tmp_path) == {"images/a.jpg": [(5, 6, 1)]}


def test_an_image_that_exif_turns_has_its_mask_turned(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (12, 8)).save(tmp_path / "images/a.jpg", exif=exif)
    mask(tmp_path / "masks/a.png", {(0, 0): 255})
    sample = formats.load_masks(tmp_path).samples[0]
    assert (sample.width, sample.height) == (8, 12)
    assert marked(tmp_path) == {"images/a.jpg": [(7, 0, 1)]}


def test_an_empty_mask_of_another_size_means_nothing_wrong(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/a.png", {}, size=(16, 16))
    assert marked(tmp_path) == {"images/a.jpg": []}


def refused(folder: Path) -> str:
    with pytest.raises(Refusal) as refusal:
        formats.load_masks(folder, channel="train")
    assert refusal.value.hint
    return str(refusal.value)


@pytest.mark.parametrize(
    ("values", "mode", "size", "said"),
    [
        ({(1, 1): 3, (2, 2): 5}, "L", (12, 8), "has the values 0, 3, 5 (3 first at pixel 1, 1), which may be"),
        (
            {(x, y): 100 for x in range(2, 5) for y in range(3, 6)} | {(9, 6): 200},
            "L",
            (12, 8),
            "has areas of the value 100 (first at pixel 3, 4) beside 200, which may be class numbers or greys",
        ),
        (
            {(x, y): 1 for x in range(2, 5) for y in range(3, 6)} | {(9, 6): 255},
            "L",
            (12, 8),
            "has areas of the value 1 (first at pixel 3, 4) beside 255, which may be class numbers or greys",
        ),
        ({(1, 1): 255}, "L", (6, 4), "is 6x4, its image 12x8"),
        ({(1, 1): 255}, "CMYK", (12, 8), "is of mode CMYK"),
        ({(1, 1): 255}, "I;16", (12, 8), "is of mode I;16"),
    ],
)
def test_masks_that_are_refused(
    tmp_path: Path, values: dict[tuple[int, int], int], mode: str, size: tuple[int, int], said: str
) -> None:
    picture(tmp_path / "images/a.jpg")
    mask(tmp_path / f"masks/a.{'tif' if mode in ('CMYK', 'I;16') else 'png'}", values, mode, size)
    assert said in refused(tmp_path)
    assert "mask train/masks/a." in refused(tmp_path)


def test_a_mask_in_colours(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (12, 8), RED).save(tmp_path / "masks/a.png")
    assert "mask train/masks/a.png is in colours (255, 0, 0 first at pixel 0, 0)" in refused(tmp_path)


def test_a_class_beyond_those_named(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/a.png", {(4, 5): 2})
    (tmp_path / "classes.txt").write_text("crack\n")
    assert "mask train/masks/a.png has the value 2 (first at pixel 4, 5)" in refused(tmp_path)


def test_a_mask_of_exactly_its_images_name_comes_before_one_with_a_suffix(tmp_path: Path) -> None:
    for name in ("part", "part_label", "other"):
        picture(tmp_path / f"images/{name}.png")
    for x, name in enumerate(("part", "part_label", "other_label")):
        mask(tmp_path / f"masks/{name}.png", {(x, 0): 255})
    assert marked(tmp_path) == {
        "images/other.png": [(2, 0, 1)],
        "images/part.png": [(0, 0, 1)],
        "images/part_label.png": [(1, 0, 1)],
    }


def test_partners_that_are_missing(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/b.png", {})
    assert "image train/images/a.jpg has no mask" in refused(tmp_path)
    mask(tmp_path / "masks/a.png", {})
    assert "mask train/masks/b.png has no image" in refused(tmp_path)


def test_two_images_of_one_name(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    picture(tmp_path / "images/a.png")
    mask(tmp_path / "masks/a.png", {})
    assert "differ in the suffix only" in refused(tmp_path)


def test_no_masks_at_all(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    assert 'no masks in channel "train"' in refused(tmp_path)
