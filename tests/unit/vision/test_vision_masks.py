from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vision import masks

MASKS = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))
BLOBS = st.builds(
    lambda seed, share: np.random.default_rng(seed).random((20, 26)) < share, st.integers(0, 10**6), st.floats(0.1, 0.9)
)


def flood(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """8-connected regions, pixel by pixel: slow and obvious."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    regions = []
    while left:
        region, front = set(), [left.pop()]
        while front:
            y, x = front.pop()
            region.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front += near
        regions.append(region)
    return regions


def shoelace(ring: np.ndarray) -> float:
    after = np.roll(ring, -1, axis=0)
    return float((ring[:, 0] * after[:, 1] - after[:, 0] * ring[:, 1]).sum() / 2)


@given(MASKS)
def test_run_lengths_come_back_as_the_same_mask(mask):
    rle = masks.encode(mask)
    assert rle["size"] == list(mask.shape)
    assert (masks.decode(rle) == mask).all()


def test_run_lengths_read_what_pycocotools_writes():
    expected = masks.decode({"size": [9, 10], "counts": [6, 1, 40, 4, 5, 4, 5, 4, 21]})
    assert (masks.decode({"size": [9, 10], "counts": "61X13mN000`0"}) == expected).all()
    assert masks.encode(expected)["counts"] == "61X13mN000`0"


@pytest.mark.parametrize("counts", [[3, 4], [90, -1, 1], "61X13mN000", "6~", "61X"])
def test_run_lengths_that_do_not_fill_the_mask_are_an_error(counts):
    with pytest.raises(ValueError, match="run lengths"):
        masks.decode({"size": [9, 10], "counts": counts})


@settings(max_examples=60)
@given(BLOBS)
def test_components_are_the_8_connected_regions(mask):
    found, dropped = masks.components(mask, minimum_area=3)
    expected = flood(mask)
    assert dropped == sum(len(region) < 3 for region in expected)
    pixels = [
        {(int(y) + part.box[1], int(x) + part.box[0]) for y, x in zip(*np.nonzero(part.mask), strict=True)}
        for part in found
    ]
    assert sorted(map(sorted, pixels)) == sorted(sorted(region) for region in expected if len(region) >= 3)
    assert all(masks.box_of(part.mask) == (0, 0, *part.mask.shape[::-1]) for part in found)


@settings(max_examples=60)
@given(BLOBS)
def test_an_outline_encloses_exactly_its_component(mask):
    for part in masks.components(mask, minimum_area=1)[0]:
        ring = masks.outline(part)
        full = np.zeros(mask.shape, bool)
        x1, y1, x2, y2 = part.box
        full[y1:y2, x1:x2] = part.mask
        assert (masks.rasterise([ring], *mask.shape) == full).all()
        assert [*ring.min(axis=0), *ring.max(axis=0)] == list(part.box)
        assert shoelace(ring) == part.area_px


def test_contours_turn_one_way_around_a_region_and_the_other_around_its_hole():
    mask = np.ones((5, 6), bool)
    mask[2, 2:4] = False
    outer, hole = masks.contours(mask)
    assert (shoelace(outer), shoelace(hole)) == (30, -2)
    assert len(outer) == 4


def test_regions_that_touch_at_a_corner_are_one():
    found, _ = masks.components(np.eye(5, dtype=bool), minimum_area=1)
    assert [part.box for part in found] == [(0, 0, 5, 5)]
    assert len(masks.contours(found[0].mask)) == 1


def test_polygons_are_united_and_clipped_to_the_image():
    outside, inside = (np.array([[a, a], [b, a], [b, b], [a, b]], float) for a, b in ((-3, 4), (2, 7)))
    mask = masks.rasterise([outside, inside], 8, 8)
    assert mask.sum() == 4 * 4 + 5 * 5 - 2 * 2
    assert mask[0, 0]
    assert not mask[7, 7]


def test_an_empty_mask_has_no_box_and_no_components():
    empty = np.zeros((4, 4), bool)
    assert masks.box_of(empty) is None
    assert masks.components(empty) == ([], 0)
