from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vision import masks, pictures

IMAGE = np.full((120, 160, 3), 128, np.uint8)
MASK = np.zeros((120, 160), bool)
MASK[40:80, 50:110] = True


def mark(**changes):
    return pictures.Mark(**{"class_id": 0, "label": "cracked", "box": (50, 40, 110, 80)} | changes)


def test_a_box_is_drawn_on_its_edges_and_the_image_given_stays_as_it_was():
    drawn = pictures.draw(IMAGE, [mark()])
    assert (IMAGE == 128).all()
    assert drawn.shape == IMAGE.shape
    edge, inside = drawn[60, 50], drawn[60, 80]
    assert edge[0] > 180
    assert edge[1] < 100
    assert inside.tolist() == [128, 128, 128]
    assert drawn[60, 109].tolist() == edge.tolist()
    assert drawn[60, 110].tolist() == [128, 128, 128]


def test_a_mask_tints_its_pixels_only():
    drawn = pictures.draw(IMAGE, [mark(mask=MASK)])
    assert drawn[60, 80, 0] > drawn[60, 80, 1]
    assert drawn[100, 80].tolist() == [128, 128, 128]


@pytest.mark.parametrize("box", [(0, 0, 160, 120), (-20, -20, 10, 10), (155, 115, 300, 300), (30.4, 0.2, 30.6, 0.4)])
def test_marks_at_the_border_are_drawn_with_their_label(box):
    drawn = pictures.draw(IMAGE, [mark(box=box, score=0.5)])
    assert (drawn == 255).all(axis=2).any()


def test_predictions_of_the_contract_become_marks():
    entry = {"class": "cracked", "class_id": 0, "score": 0.9, "box": [50, 40, 110, 80], "mask": masks.encode(MASK)}
    (found,) = pictures.predictions([entry])
    assert (found.label, found.score, found.box) == ("cracked", 0.9, (50, 40, 110, 80))
    assert (found.mask == MASK).all()
    assert pictures.predictions([{**entry, "mask": None}])[0].mask is None


@pytest.mark.parametrize("count", [1, 4])
def test_a_contact_sheet_shows_every_row(tmp_path, count):
    rows = [pictures.Row("a/very/long/path/of/an/image.jpg", IMAGE, [mark(mask=MASK)], [mark(score=0.7)])] * count
    pictures.contact_sheet(tmp_path / "sheet.png", rows, columns=2, tile_px=100)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(int)
    reddish = (sheet[..., 0] > 150) & (sheet[..., 1] < 110)
    assert len(masks.components(reddish, 200)[0]) >= count
    assert sheet.shape[1] > (200 if count == 1 else 400)


def test_a_label_is_left_out_where_a_larger_mark_has_its_own():
    large, small = mark(box=(40, 50, 120, 110)), mark(box=(41, 51, 44, 54), class_id=1)
    both, alone = pictures.draw(IMAGE, [small, large]), pictures.draw(IMAGE, [large])
    assert (both == 255).sum() == (alone == 255).sum()
    apart = pictures.draw(IMAGE, [mark(box=(2, 100, 6, 110), class_id=1), large])
    assert (apart == 255).sum() > (alone == 255).sum()
