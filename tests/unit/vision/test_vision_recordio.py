"""RecordIO and detection lists: written files read back equal, a file made by hand from the format's description."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from optml.errors import Refusal
from vision import formats
from vision.formats import recordio
from vision.record import Dataset, Instance, Sample, build

MAGIC = bytes.fromhex("0a23d7ce")


def encoded(side: int = 40, form: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2 * side, side), (9, 90, 200)).save(stream, form)
    return stream.getvalue()


def dataset(folder: Path, *, boxes: bool, difficult: int = -1) -> Dataset:
    """Three images, with objects or a label each; those objects are difficult that are of this class."""
    samples = []
    for index, side in enumerate((40, 50, 60)):
        path = folder / f"images/{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(side))
        size = (side, 2 * side)
        objects = [
            Instance(c, (3.0 + c, 4.0, 20.0, 2.0 * side / 3), size, difficult=c == difficult)
            for c in range(index if boxes else 0)
        ]
        label = None if boxes else index % 2
        samples.append(Sample(path, f"images/{index}.jpg", 2 * side, side, tuple(objects), "", label=label))
    return build(["0", "1"], samples)


def content(data: Dataset) -> list[object]:
    return [
        [s.width, s.height, s.label, s.image.read_bytes()]
        + [[i.class_id, *(round(value, 3) for value in i.box), i.difficult] for i in s.instances]
        for s in data.samples
    ]


def record(data: bytes, kind: int = 0) -> bytes:
    return MAGIC + struct.pack("<I", kind << 29 | len(data)) + data + bytes(-len(data) % 4)


def refusal(folder: Path, read=formats.load) -> str:
    with pytest.raises(Refusal) as caught:
        read(folder, channel="train")
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(("boxes", "difficult"), [(True, -1), (True, 1), (False, -1)])
def test_what_is_written_reads_back_equal(tmp_path, boxes, difficult):
    source = tmp_path / "source"
    (tmp_path / "packed").mkdir()
    source.mkdir()
    written = dataset(source, boxes=boxes, difficult=difficult)
    recordio.save(tmp_path / "packed/train.rec", written)
    read = formats.load if boxes else formats.load_labels
    assert content(read(tmp_path / "packed")) == content(written)
    (source / "train.lst").write_bytes((tmp_path / "packed/train.lst").read_bytes())
    assert content(read(source)) == content(written)
    offsets = [line.split("\t") for line in (tmp_path / "packed/train.idx").read_text().splitlines()]
    packed = (tmp_path / "packed/train.rec").read_bytes()
    assert [number for number, _ in offsets] == ["0", "1", "2"]
    assert all(packed[int(at) :].startswith(MAGIC) for _, at in offsets)


@pytest.mark.parametrize("data", [b"", b"a", MAGIC, b"ab" + MAGIC, b"abcd" + MAGIC + b"e", MAGIC * 3 + b"xyz"])
def test_a_magic_number_within_the_data_is_cut_out_and_put_back(tmp_path, data):
    file = tmp_path / "x.rec"
    image = encoded() + bytes(-len(encoded()) % 4)
    with file.open("wb") as stream:
        for tail in (data, b"next"):
            recordio.write(stream.write, recordio.pack([1], 0, image + tail))
    assert [found for _, found, _ in recordio.read(file, "x.rec")] == [image + data, image + b"next"]
    assert len(file.read_bytes()) % 4 == 0


def test_a_file_made_by_hand(tmp_path):
    image = encoded(form="PNG")
    row = struct.pack("<14f", 4, 5, 80, 40, 1, 0.125, 0.25, 0.5, 0.75, 0, 0, 0, 1, 1)
    whole = struct.pack("<IfQQ", 14, 0.0, 7, 0) + row + image
    alone = struct.pack("<IfQQ", 4, 0.0, 8, 0) + struct.pack("<4f", 4, 5, 80, 40) + encoded() + MAGIC + b"tail"
    cut = alone.index(MAGIC)
    pad = -cut % 4
    alone = alone[:cut] + bytes(pad) + alone[cut:]  # zeros behind a JPEG are no fault
    first, second = alone[: cut + pad], alone[cut + pad + 4 :]
    (tmp_path / "x.rec").write_bytes(record(whole) + record(first, 1) + record(second, 3))
    data = formats.load(tmp_path)
    assert data.classes == ("0", "1")
    assert [[(i.class_id, i.box) for i in s.instances] for s in data.samples] == [
        [(1, (10, 10, 40, 30)), (0, (0, 0, 80, 40))],
        [],
    ]
    assert data.samples[1].image.read_bytes() == alone[24 + 16 :]
    assert [s.name for s in data.samples] == ["x.rec/000000.png", "x.rec/000001.jpg"]


LABEL = struct.pack("<IfQQ", 0, 1.0, 0, 0)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"", "train/x.rec holds no record"),
        (b"abcdefgh", "no record begins here (train/x.rec, byte 0)"),
        (record(LABEL + encoded())[:-8], "the file ends within a record"),
        (record(LABEL + encoded(), 1), "the file ends within a record (train/x.rec, byte 0)"),
        (record(LABEL + encoded(), 3), "part 3 of a record where another belongs"),
        (record(b"short"), "a record of 5 bytes, too short for a label"),
        (record(LABEL), "a label of 0 numbers and no image behind it"),
        (record(LABEL + b"no image"), "image of the record at train/x.rec, byte 0 does not decode"),
        (record(LABEL + encoded()), "one label, without boxes (train/x.rec, byte 0)"),
    ],
)
def test_faults_of_records(tmp_path, written, said):
    (tmp_path / "x.rec").write_bytes(written)
    assert said in refusal(tmp_path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("4 5 80 40 0 .1 .1 .5", "8 numbers that say A=4, B=5 (train/x.lst:1)"),
        ("4 5 80 40 .5 .1 .1 .5 .5", "class 0.5 of an object (train/x.lst:1)"),
        ("4 5 80 40 0 8 4 40 20", "a box from 8, 4, 40, 20, which are no shares of the image (train/x.lst:1)"),
        ("4 5 80 40 0 .5 .1 .1 .5", "has no area (train/x.lst:1)"),
        ("4 5 40 40 0 .1 .1 .5 .5", "the image is 80x40 as displayed, but declared 40x40 (train/x.lst:1)"),
        ("4 6 80 40 0 .1 .1 .5 .5 .7", "the sixth number of an object is 0.7 (train/x.lst:1)"),
        ("4 five", "no numbers between index and path"),
        ("1", "one label an image, without boxes (train/x.lst:1)"),
    ],
)
def test_faults_of_a_list(tmp_path, columns, said):
    (tmp_path / "a.jpg").write_bytes(encoded())
    (tmp_path / "x.lst").write_text("\t".join(["0", *columns.split(), "a.jpg"]) + "\n")
    assert said in refusal(tmp_path)


def test_padding_in_a_list_is_no_object(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded())
    (tmp_path / "x.lst").write_text("0\t2\t6\t3\t.25\t.25\t.5\t.5\t0\t-1\t-1\t-1\t-1\t-1\t-1\ta.jpg\n")
    data = formats.load(tmp_path)
    assert [(i.class_id, i.box) for i in data.samples[0].instances] == [(0, (20, 10, 40, 20))]
    assert data.classes == ("3",)


def test_the_sixth_number_of_an_object_says_difficult_in_every_row_alike(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded())
    (tmp_path / "x.lst").write_text("0\t2\t6\t0\t.1\t.1\t.5\t.5\t1\t0\t.2\t.2\t.5\t.5\t0\ta.jpg\n")
    data = formats.load(tmp_path)
    assert [i.difficult for i in data.samples[0].instances] == [True, False]
    assert data.notes == ("1 objects marked difficult",)
    (tmp_path / "source").mkdir()
    recordio.save(tmp_path / "y.rec", dataset(tmp_path / "source", boxes=True, difficult=1))
    assert [line.split("\t")[2] for line in (tmp_path / "y.lst").read_text().splitlines()] == ["6", "6", "6"]


def test_several_numbers_are_no_label_of_an_image(tmp_path):
    numbers = struct.pack("<IfQQ", 2, 0.0, 0, 0) + struct.pack("<2f", 1, 0)
    (tmp_path / "x.rec").write_bytes(record(numbers + encoded()))
    assert "2 numbers as its label (train/x.rec, byte 0)" in refusal(tmp_path, formats.load_labels)
