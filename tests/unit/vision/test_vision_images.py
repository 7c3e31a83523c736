from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import images

QUADRANTS = np.zeros((40, 60, 3), np.uint8)
QUADRANTS[:20, :30] = (250, 0, 0)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (2, (0, -1)), (3, (-1, -1)), (4, (-1, 0)), (6, (0, -1))]
)
def test_the_exif_orientation_is_applied(tmp_path, orientation, corner):
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    path = save(tmp_path / "a.png", Image.fromarray(QUADRANTS), exif=exif)
    image = images.open_image(path)
    assert image.shape == ((60, 40, 3) if orientation == 6 else (40, 60, 3))
    assert image[corner].tolist() == [250, 0, 0]
    assert images.image_size(path) == image.shape[1::-1]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_common_mode_becomes_rgb_of_8_bits(tmp_path, mode):
    grey = np.full((12, 14), 255, np.uint8)
    if mode == "I;16":
        image = Image.fromarray(np.full((12, 14), 0xFFFF, np.uint16))
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode)
    path = save(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"), image)
    opened = images.open_image(path)
    assert (opened.shape, opened.dtype) == ((12, 14, 3), np.uint8)
    assert (opened == 255).all()


def test_sixteen_bits_are_scaled_by_their_range_not_stretched(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(np.array([[0, 257 * 10], [257 * 20, 257 * 100]], np.uint16)))
    assert images.open_image(path)[..., 1].tolist() == [[0, 10], [20, 100]]


def test_transparent_pixels_keep_their_colour(tmp_path):
    rgba = np.full((4, 4, 4), (10, 20, 30, 0), np.uint8)
    assert images.open_image(save(tmp_path / "a.png", Image.fromarray(rgba)))[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_image_is_refused_by_name(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    path = save(tmp_path / f"torn{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(Refusal, match=f"torn{suffix} does not decode") as caught:
        images.open_image(path)
    assert caught.value.hint


def test_a_file_that_is_no_image_and_one_that_is_missing_are_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>")
    with pytest.raises(Refusal, match=r"a\.jpg does not decode: not an image"):
        images.image_size(tmp_path / "a.jpg")
    with pytest.raises(Refusal, match=r"no such image: .*b\.jpg"):
        images.open_image(tmp_path / "b.jpg")


def test_verify_names_the_first_broken_image_and_counts_the_others(tmp_path):
    paths = [save(tmp_path / f"{i}.png", Image.fromarray(QUADRANTS)) for i in range(5)]
    images.verify(paths)
    for path in (paths[1], paths[3], paths[4]):
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(Refusal, match=r"1\.png does not decode.*2 more images"):
        images.verify(paths)


def test_find_lists_images_and_leaves_hidden_files_out(tmp_path):
    for name in ("b/c.PNG", "a.jpg", ".hidden.jpg", ".cache/d.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in images.find(tmp_path)] == ["a.jpg", "b/c.PNG"]
