"""The pictures that the starter of SSDLite learns from."""

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
