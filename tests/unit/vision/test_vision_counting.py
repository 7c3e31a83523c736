"""Data sets of counted objects: ABID's lists and metadata, folders named by the count, and what is refused in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import bins, counting, samples


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 9, 3), 90, np.uint8)).save(path)


@pytest.fixture
def abid(tmp_path: Path) -> Path:
    """Images 7, 42 and 100313, with metadata that says 1, 3 and 8 objects."""
    for number, count in ((7, 1), (42, 3), (100313, 8)):
        picture(tmp_path / f"bin-images/{number:05d}.jpg")
        metadata = {"BIN_FCSKU_DATA": {"A": {"asin": "B", "quantity": count}}, "EXPECTED_QUANTITY": count}
        (tmp_path / "metadata").mkdir(exist_ok=True)
        (tmp_path / f"metadata/{number:05d}.json").write_text(json.dumps(metadata))
    return tmp_path


def found(dataset) -> dict[str, str]:
    return {sample.image.stem: dataset.classes[sample.label] for sample in dataset.samples}


def refusal(folder: Path, **arguments: str) -> str:
    with pytest.raises(Refusal) as caught:
        counting.load(folder, **arguments)
    assert caught.value.hint
    return caught.value.message


def test_metadata_says_how_many(abid):
    dataset = counting.load(abid)
    assert dataset.classes == ("1", "3", "8")
    assert found(dataset) == {"00007": "1", "00042": "3", "100313": "8"}


def test_images_of_more_objects_are_left_out_with_a_note(abid):
    dataset = counting.load(abid, max_count=5)
    assert dataset.classes == ("1", "3")
    assert "1 images of more than 5 objects left out" in dataset.notes


def test_images_of_counts_that_no_model_knows_are_no_evaluation(abid):
    assert found(counting.evaluation_set(abid, "", ["1", "2", "3"])) == {"00007": "1", "00042": "3"}
    (abid / "bin-images/00007.jpg").unlink()
    (abid / "metadata/00007.json").unlink()
    with pytest.raises(Refusal, match="has a count that the model knows, 2 at most"):
        counting.evaluation_set(abid, "", ["1", "2"])


@pytest.mark.parametrize(
    ("least", "given", "classes"),
    [
        (0, {"counts": 6}, "012345"),  # ABID's own task
        (1, {"counts": 5}, "12345"),  # folders 1 to 5 of the published projects
        (1, {"counts": 3}, "123"),
        (0, {}, "012345"),
        (0, {"max_count": 2}, "012"),
    ],
)
def test_so_many_counts_from_the_least_one_on(tmp_path, least, given, classes):
    for count in range(least, 8):
        for copy in range(4):
            path = tmp_path / f"data/{count}/{copy}.jpg"
            picture(path)
            path.write_bytes(path.read_bytes() + bytes([count, copy]))
    usual = {"max_count": None, "counts": None, "manifest": "", "fraction": 0.25, "seed": 0}
    sets = counting.load_sets({"train": tmp_path / "data"}, split_file=tmp_path / "split.json", **(usual | given))
    assert [part.classes for part in sets] == [tuple(classes)] * 2


def test_metadata_that_amazon_could_not_make_is_left_out_with_a_note(abid):
    (abid / "metadata/00007.json").write_text("{}")
    dataset = counting.load(abid)
    assert dataset.classes == ("3", "8")
    assert dataset.notes == ("1 metadata files without EXPECTED_QUANTITY left out",)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "file_list.json",
            {"1": ["data/metadata/7.json"], "3": ["data/metadata/00042.json"]},
            {"00007": "1", "00042": "3"},
        ),
        ("val.json", {"0": ["00008.jpg"], "8": ["100313.jpg"]}, {"00008": "0", "100313": "8"}),
        ("counting_train.json", [[41, 3], [6, 1], [7, 0]], {"00042": "3", "00007": "1", "00008": "0"}),  # from 0
        ("random_train.txt", "42\n7\n", {"00042": "3", "00007": "1"}),  # ids from 1
    ],
)
def test_lists_of_ids(abid, name, content, expected):
    picture(abid / "bin-images/00008.jpg")  # without metadata
    (abid / name).write_text(content if isinstance(content, str) else json.dumps(content))
    assert found(counting.load(abid)) == expected


def test_a_list_whose_numbers_begin_at_1_is_read_so_where_only_that_fits_the_metadata(abid):
    picture(abid / "bin-images/00008.jpg")
    (abid / "metadata/00008.json").write_text('{"EXPECTED_QUANTITY": 5}')
    (abid / "counting_train.json").write_text("[[7, 1], [42, 3]]")  # of images 8 and 43, were they from 0
    dataset = counting.load(abid, channel="train")
    assert found(dataset) == {"00007": "1", "00042": "3"}
    assert dataset.notes == (
        "the numbers of train/counting_train.json are taken as ids from 1: so they agree with the metadata",
        "2 images that train/counting_train.json does not name left out",
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "counting_train.json",
            [[6, 3], [41, 3]],
            "image 00007 has 3 objects by train/counting_train.json, [0], but 1",
        ),
        ("counting_train.json", [[6, 1], [42, 3], [41, 1]], "by train/counting_train.json, [2], but 3 by"),
        ("file_list.json", {"2": ["42.jpg"]}, 'image 00042 has 2 objects by train/file_list.json, "2"[0], but 3 by'),
        ("x.lst", "1\t3\t00042.jpg\n2\t7\t100313.jpg\n", "image 100313 has 7 objects by train/x.lst:2, but 8 by"),
    ],
)
def test_a_list_that_contradicts_the_metadata_is_refused(abid, name, content, said):
    (abid / name).write_text(content if isinstance(content, str) else json.dumps(content))
    message = refusal(abid, channel="train")
    assert said in message
    assert "EXPECTED_QUANTITY in train/metadata/" in message


def test_count_folders_are_held_against_the_metadata_and_keep_images_without_any(abid):
    for number, count in ((7, 1), (42, 3), (50, 1)):
        picture(abid / f"{count}/{number:05d}.jpg")
    shutil.rmtree(abid / "bin-images")
    assert found(counting.load(abid)) == {"00007": "1", "00042": "3", "00050": "1"}
    (abid / "3/00042.jpg").rename(abid / "1/00042.jpg")
    picture(abid / "3/00051.jpg")
    assert refusal(abid, channel="train") == (
        "image 00042 has 1 objects by train/1/00042.jpg, but 3 by EXPECTED_QUANTITY in train/metadata/00042.json"
    )


def test_images_without_metadata_are_left_out_with_a_note(abid):
    picture(abid / "bin-images/00008.jpg")
    picture(abid / "bin-images/shelf.jpg")
    assert counting.load(abid).notes == ("2 images without metadata left out",)


def test_folders_named_by_the_count(tmp_path):
    for name in ("1", "2", "10"):
        picture(tmp_path / name / f"{name}.jpg")
    assert counting.load(tmp_path).classes == ("1", "2", "10")
    picture(tmp_path / "many" / "x.jpg")
    assert "class 'many' of" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"1": ["data/metadata/00008.json"]},
            'no image of id 8 (train/file_list.json, "1"[0]; looked in channel "train")',
        ),
        ({"1": ["data/metadata/00007.json", "x.json"]}, '(train/file_list.json, "1"[1])'),
        ({"1": ["00007.jpg"], "some": ["00042.jpg"]}, "'some' is no count"),
        (
            {"1": ["00007.jpg", 2]},
            '2 names no image: entries are texts such as "data/metadata/00001.json" (train/file_list.json, "1"[1])',
        ),
        ({"1": ["shelf.jpg"]}, "'shelf.jpg' names no image by its number (train/file_list.json, \"1\"[0])"),
        ([[6, 1], [41]], "[41] is no index with its count (train/file_list.json, [1])"),
        ({"1": ["00007.jpg", "00007.json"]}, "annotated twice"),
    ],
)
def test_a_fault_in_a_list_is_named_with_its_place(abid, content, said):
    (abid / "file_list.json").write_text(json.dumps(content))
    assert said in refusal(abid, channel="train")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"EXPECTED_QUANTITY": -1}', "EXPECTED_QUANTITY is -1 (train/metadata/00007.json)"),
        ('{"EXPECTED_QUANTITY": "3"}', "EXPECTED_QUANTITY is '3'"),
        ("{", "train/metadata/00007.json"),
    ],
)
def test_a_fault_in_metadata_is_named_with_its_file(abid, content, said):
    (abid / "metadata/00007.json").write_text(content)
    assert said in refusal(abid, channel="train")


def test_two_images_of_one_id_are_refused(abid):
    picture(abid / "other/42.png")
    assert "are of one id" in refusal(abid)


def test_accuracy_takes_the_most_probable_count_and_rmse_the_expected_one():
    probabilities = np.array([[0.6, 0.0, 0.4], [0.1, 0.8, 0.1]])
    values = counting.metrics(probabilities, np.array([0, 2]), ("1", "2", "3"))
    assert values["validation:accuracy"] == 0.5
    assert values["validation:rmse"] == pytest.approx(1.0)  # 1.8 is 2, off by one; 2 is off by one


def test_generated_bins_hold_what_they_say_and_are_the_same_again(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        samples.write(folder, images=10, seed=3, kind="counting")
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert all((first / path).read_bytes() == (second / path).read_bytes() for path in files)
    dataset = counting.load(first)
    assert dataset.classes == ("1", "2", "3", "4", "5")
    assert len(dataset.samples) == 10


def test_more_objects_change_more_of_an_empty_bin():
    def edges(count: int) -> float:
        pictures = [bins.photograph(np.random.default_rng(seed), 160, 120, count) for seed in range(6)]
        return float(np.mean([np.abs(np.diff(picture.astype(int), axis=1)).mean() for picture in pictures]))

    assert edges(1) < edges(3) < edges(5)


@pytest.mark.real_data
def test_real_pieces_of_the_set_read(real_data, tmp_path):
    abid = real_data / "abid"
    for name in ("image1_small.jpg", "image1_small.json"):
        path = tmp_path / name.replace("image1_small", "00001")
        path.write_bytes((abid / "abid_challenge" / name).read_bytes())
    assert found(counting.load(tmp_path)) == {"00001": "3"}
    (tmp_path / "file_list.json").write_bytes((abid / "lists/file_list.json").read_bytes())
    assert "no image of id 100313 (" in refusal(tmp_path)
