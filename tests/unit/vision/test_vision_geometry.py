from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision import boxes, transforms

SIDES = st.integers(1, 900)
INPUTS = st.integers(1, 28).map(lambda n: 32 * n)


@given(st.tuples(SIDES, SIDES), INPUTS, st.booleans(), st.booleans(), st.integers(0, 99))
def test_boxes_come_back_from_the_letterbox(size, side, scale_up, center, seed):
    width, height = size
    letterbox = boxes.fit((width, height), (side, side), scale_up=scale_up, center=center)
    corners = np.random.default_rng(seed).random((5, 2, 2))
    found = np.sort(corners, axis=1).reshape(5, 4) * [width, height, width, height]
    back = boxes.to_image(boxes.to_input(found, letterbox), letterbox)
    assert np.allclose(back, found, atol=1e-6 * max(width, height))


@given(SIDES, SIDES, INPUTS)
def test_the_letterbox_holds_the_whole_image_and_touches_two_sides(width, height, side):
    letterbox = boxes.fit((width, height), (side, side))
    assert max(letterbox.content) == side
    assert 0 <= letterbox.left <= letterbox.left + letterbox.content[0] <= side
    assert 0 <= letterbox.top <= letterbox.top + letterbox.content[1] <= side


def test_a_box_in_the_border_beside_the_image_is_not_visible_in_it():
    letterbox = boxes.fit((40, 20), (64, 64))
    corners = boxes.to_image([[0, 0, 64, 16], [0, 0, 64, 16.01], [10, 0, 20, 20]], letterbox)
    assert boxes.visible(corners).tolist() == [False, True, True]
    assert boxes.visible(np.empty((0, 4))).shape == (0,)


def test_a_letterboxed_image_lies_in_the_middle_of_grey():
    image = np.full((20, 40, 3), 200, np.uint8)
    canvas, scale, (left, top) = transforms.letterbox(image, 64)
    assert (scale, left, top) == (1.6, 0, 16)
    assert (canvas[16:48] == 200).all()
    assert (canvas[:16] == 114).all()
    assert (canvas[48:] == 114).all()


def test_a_mask_of_the_input_comes_back_in_the_size_of_the_image():
    letterbox = boxes.fit((40, 20), (64, 64))
    mask = np.zeros((64, 64), bool)
    mask[16:48, :32] = True
    back = transforms.mask_to_image(mask, letterbox)
    assert back.shape == (20, 40)
    assert back[:, :20].all()
    assert not back[:, 20:].any()


def test_resizing_takes_the_nearest_four_pixels():
    ramp = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(4, axis=0)
    assert transforms.resize(ramp, 4, 2)[0, :, 0].tolist() == [5, 25, 45, 65]


@pytest.mark.parametrize(
    ("other", "expected"), [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((10, 0, 20, 10), 0.0), ((3, 3, 3, 9), 0.0)]
)
def test_overlap_of_half_open_boxes(other, expected):
    assert boxes.iou([(0, 0, 10, 10)], [other]) == pytest.approx(np.array([[expected]]))


def test_overlap_of_nothing_with_something_is_an_empty_table():
    assert boxes.iou([], [(0, 0, 1, 1)]).shape == (0, 1)
    assert boxes.iou([(2, 2, 2, 2)], [(2, 2, 2, 2)]).tolist() == [[0.0]]
