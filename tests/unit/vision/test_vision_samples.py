from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import formats, images, samples, steel


@pytest.fixture(scope="module")
def cookies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.write(tmp_path_factory.mktemp("samples") / "cookies", images=24, seed=1).parents[1]


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / samples.MANIFEST).read_text().splitlines()]


def test_they_have_the_layout_of_the_real_set(cookies):
    assert {path.name for path in cookies.iterdir()} == {
        "manifests",
        "training-images",
        "mask-images",
        "dummy_anomaly_mask.png",
    }
    assert [path.name for path in (cookies / "manifests").iterdir()] == ["template.manifest"]
    assert {path.suffix for path in (cookies / "training-images").iterdir()} == {".jpg"}


def test_half_of_them_are_cracked_and_every_crack_is_found(cookies):
    data = formats.load(cookies)
    assert (data.classes, data.has_masks) == (("cracked",), True)
    assert Counter(bool(sample.instances) for sample in data.samples) == {True: 12, False: 12}
    for sample in data.samples:
        assert bool(sample.instances) == sample.image.name.startswith("anomaly")
        for instance in sample.instances:
            assert instance.mask.sum() >= 100


def test_the_quirks_of_the_real_set_are_there(cookies):
    entries = lines(cookies)
    masks = [Image.open(path) for path in sorted((cookies / "mask-images").iterdir())]
    assert {mask.mode for mask in masks} == {"P", "RGBA"}
    palette = np.array(next(m for m in masks if m.mode == "P").getpalette()).reshape(-1, 3)
    assert len(np.unique(palette, axis=0)) == 2
    assert len({entry["anomaly-label-metadata"]["creation-date"][-1] == "Z" for entry in entries}) == 2
    maps = [e["anomaly-mask-ref-metadata"]["internal-color-map"] for e in entries if "anomaly-mask-ref" in e]
    assert {names["0"]["class-name"] for names in maps} == {"cracked", "BACKGROUND"}
    assert any("anomaly-mask-ref" not in entry for entry in entries if not entry["anomaly-label"])
    assert any("GMT" in e["anomaly-mask-ref-metadata"]["creation-date"] for e in entries if "anomaly-mask-ref" in e)
    with Image.open(cookies / "dummy_anomaly_mask.png") as dummy:
        assert (dummy.size, dummy.mode, dummy.getpixel((3, 3))) == ((16, 16), "RGB", (255, 255, 255))


def test_mask_pixels_by_colour_alone_would_be_too_many(cookies):
    data = formats.load(cookies)
    sample = next(s for s in data.samples if s.instances)
    mask = np.asarray(Image.open(cookies / "mask-images" / f"{sample.image.stem}.png").convert("RGBA"))
    assert mask[..., 1].astype(bool).sum() > sum(i.mask.sum() for i in sample.instances) * 1.05


def test_they_differ_in_size_light_and_surface(cookies):
    pictures = [images.open_image(path) for path in images.find(cookies / "training-images")]
    assert len({picture.shape for picture in pictures}) >= 3
    corners = np.array([picture[:20, :20].mean(axis=(0, 1)) for picture in pictures])
    assert corners.std(axis=0).min() > 15
    assert not any(Image.open(path).getexif() for path in images.find(cookies / "training-images"))


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    first, second, third = (
        content(samples.write(tmp_path / name, images=4, seed=seed).parents[1])
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert first == second
    assert first["training-images/anomaly-1.jpg"] != third["training-images/anomaly-1.jpg"]


def test_more_images_leave_the_first_ones_as_they_were(tmp_path):
    few, more = (content(samples.write(tmp_path / str(n), images=n).parents[1]) for n in (4, 6))
    assert all(more[name] == few[name] for name in few if name.endswith((".jpg", ".png")))


def test_the_command_says_where_the_manifest_is_and_refuses_a_folder_that_is_there(tmp_path, capsys):
    assert samples.main([str(tmp_path / "out"), "--images", "2"]) == 0
    assert Path(capsys.readouterr().out.strip()) == tmp_path / "out" / "manifests" / "template.manifest"
    assert samples.main([str(tmp_path / "out"), "--images", "2"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'out'} exists already\n\nhint: ")


def test_nothing_is_left_of_a_data_set_that_could_not_be_made(tmp_path):
    with pytest.raises(Refusal, match="1 images with seed 0"):
        samples.write(tmp_path / "out", images=1)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        samples.write(tmp_path / "file" / "out", images=2)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_plates_of_which_half_have_a_defect_that_their_mask_marks(tmp_path):
    samples.write(tmp_path / "plates", images=6, seed=1, kind="segmentation")
    data = formats.load_masks(tmp_path / "plates")
    assert (data.classes, data.has_masks, data.notes) == (("defect",), True, ())
    assert Counter(bool(sample.instances) for sample in data.samples) == {True: 3, False: 3}
    assert all(instance.mask.sum() >= 60 for sample in data.samples for instance in sample.instances)
    samples.write(tmp_path / "again", images=6, seed=1, kind="segmentation")
    assert content(tmp_path / "again") == content(tmp_path / "plates")


def test_steel_strip_whose_boxes_read_back_as_they_were_drawn(tmp_path):
    for name in ("a", "b"):
        samples.write(tmp_path / name, images=8, seed=3, kind="steel")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    dataset = formats.load(tmp_path / "a", "", "train")
    assert set(dataset.classes) <= set(steel.DEFECTS)
    for sample in dataset.samples:
        number = int(sample.image.stem.removeprefix("steel_"))
        _, drawn = steel.strip(np.random.default_rng([3, number]))
        read = [(dataset.classes[one.class_id], tuple(int(edge) for edge in one.box)) for one in sample.instances]
        assert read == drawn
        assert all(min(x2 - x1, y2 - y1) >= steel.SMALLEST_PX for _, (x1, y1, x2, y2) in drawn)


def test_steel_of_which_half_is_sound(tmp_path):
    samples.write(tmp_path / "steel", images=6, seed=1, kind="classification")
    counts = Counter(path.parent.name for path in images.find(tmp_path / "steel"))
    assert counts == {"normal": 3, "anomalous": 3}
    assert steel.strip(np.random.default_rng(0), sound=True)[1] == []
