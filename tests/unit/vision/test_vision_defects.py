"""The pictures that the starters of SSDLite and EfficientNet-B0 learn from."""

from __future__ import annotations

from pathlib import Path

from vision import defects, formats


def test_every_defect_is_large_enough_and_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        defects.write(tmp_path / name, 24, seed=3)
    dataset = formats.load(tmp_path / "one", "", "train")
    assert dataset.classes == defects.NAMES
    assert len(dataset.samples) == 24
    for sample in dataset.samples:
        for instance in sample.instances:
            x1, y1, x2, y2 = instance.box
            assert min(x2 - x1, y2 - y1) >= 7
            assert 0 <= x1 < x2 <= defects.SIDE_PX
            assert 0 <= y1 < y2 <= defects.SIDE_PX
    files = [sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("one", "two")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_there_is_a_folder_of_pictures_for_each_surface_and_defect(tmp_path: Path) -> None:
    defects.write_labelled(tmp_path, 2 * len(defects.PAIRS), seed=3)
    counts = {folder.name: len(list(folder.glob("*.jpg"))) for folder in tmp_path.iterdir()}
    assert counts == {"-".join(pair): 2 for pair in defects.PAIRS}
