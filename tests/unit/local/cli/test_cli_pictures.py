from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from local.cli.pictures import draw, mask_image
from vision import masks

BOX = {"class": "cracked", "class_id": 0, "score": 0.91, "box": [40.0, 60.0, 90.0, 100.0]}


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_that_a_program_encodes_is_the_mask_that_is_drawn(seed: int) -> None:
    mask = np.random.default_rng(seed).random((17 + seed, 23)) > (0.5 if seed else 2.0)

    assert np.array_equal(np.asarray(mask_image(masks.encode(mask))) == 255, mask)


def test_run_lengths_that_do_not_fill_the_mask_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 3"):
        mask_image({"size": [2, 2], "counts": [1, 2]})


def test_a_box_is_drawn_where_it_is_and_nowhere_else(tmp_path: Path) -> None:
    Image.new("RGB", (160, 120)).save(tmp_path / "a.png")

    draw(tmp_path / "a.png", {"predictions": [BOX]}, tmp_path / "drawn.png")

    drawn = np.asarray(Image.open(tmp_path / "drawn.png")).sum(axis=2) > 0
    assert drawn[61:100, 40].all()
    assert drawn[100, 40:91].all()
    assert not drawn[65:95, 45:85].any()
    assert not drawn[105:].any()


def test_the_class_of_an_image_is_written_on_it_and_no_other(tmp_path: Path) -> None:
    Image.new("RGB", (160, 120)).save(tmp_path / "a.png")
    classes = [{"class": "cracked", "class_id": 0, "score": 0.9}, {"class": "whole", "class_id": 1, "score": 0.1}]

    draw(tmp_path / "a.png", {"predictions": classes}, tmp_path / "both.png")
    draw(tmp_path / "a.png", {"predictions": classes[:1]}, tmp_path / "one.png")

    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "one.png").read_bytes()
    assert (np.asarray(Image.open(tmp_path / "one.png")) == 255).all(axis=2).any()


def test_a_mask_tints_its_own_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    mask = np.zeros((6, 8), bool)
    mask[5, 7] = True
    item = BOX | {"box": [0.0, 0.0, 1.0, 1.0], "mask": masks.encode(mask)}

    draw(tmp_path / "a.png", {"predictions": [item]}, tmp_path / "drawn.png")

    assert Image.open(tmp_path / "drawn.png").getpixel((7, 5)) != (0, 0, 0)


def test_a_photograph_is_drawn_upright_and_without_its_metadata(tmp_path: Path) -> None:
    photograph = Image.new("RGB", (40, 20))
    exif = photograph.getexif()
    exif[0x0112] = 6
    exif[0x010E] = "somebody's kitchen"
    photograph.save(tmp_path / "a.jpg", exif=exif)

    draw(tmp_path / "a.jpg", {"predictions": []}, tmp_path / "drawn.jpg")

    drawn = Image.open(tmp_path / "drawn.jpg")
    assert drawn.size == (20, 40)
    assert not drawn.getexif()
