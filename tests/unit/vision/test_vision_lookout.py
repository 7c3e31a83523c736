"""Lookout for Vision manifests: the quirks of AWS's cookie data set on small look-alikes, and every refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optml.errors import Refusal
from vision import formats, images

GREEN = (35, 164, 54)
CRACKED = {"0": {"class-name": "cracked", "hex-color": "#23A436"}}
BACKGROUND = {"0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"}}


class Channel:
    """A channel with the layout of the real set, built line by line."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, []
        for name in ("training-images", "mask-images", "manifests"):
            (folder / name).mkdir(parents=True)

    def image(self, name: str, size: tuple[int, int] = (60, 40), **options: Any) -> str:
        Image.new("RGB", size, (90, 80, 70)).save(self.folder / "training-images" / name, **options)
        return f"training-images/{name}"

    def mask(self, name: str, pixels: np.ndarray) -> str:
        Image.fromarray(pixels).save(self.folder / "mask-images" / name)
        return f"mask-images/{name}"

    def line(self, image: str, anomalous: bool, mask: str = "", colors: Any = None, **changes: Any) -> None:
        entry: dict[str, Any] = {
            "source-ref": image,
            "anomaly-label": int(anomalous),
            "anomaly-label-metadata": {
                "class-name": "anomaly" if anomalous else "normal",
                "creation-date": "2022-08-22T20:49:51.428",
                "type": "groundtruth/image-classification",
            },
        }
        if mask:
            entry["anomaly-mask-ref"] = mask
            entry["anomaly-mask-ref-metadata"] = {
                "internal-color-map": CRACKED if colors is None else colors,
                "creation-date": "Mon Aug 22 2022 13:52:52 GMT-0700 (Pacific Daylight Time)",
                "type": "groundtruth/semantic-segmentation",
            }
        self.lines.append(json.dumps(entry | changes))

    def load(self, name: str = "manifests/template.manifest"):
        (self.folder / name).write_text("".join(f"{line}\n" for line in self.lines))
        return formats.load(self.folder, channel="train")


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    return Channel(tmp_path / "channel")


def rgba(size: tuple[int, int] = (60, 40)) -> np.ndarray:
    """A transparent mask of (width, height)."""
    return np.zeros((size[1], size[0], 4), np.uint8)


def cracked(*box: int, size: tuple[int, int] = (60, 40)) -> np.ndarray:
    pixels = rgba(size)
    x1, y1, x2, y2 = box
    pixels[y1:y2, x1:x2] = (*GREEN, 255)
    return pixels


def refused(channel: Channel, match: str) -> Refusal:
    with pytest.raises(Refusal, match=match) as caught:
        channel.load()
    assert caught.value.hint
    return caught.value


def test_a_pixel_counts_by_colour_and_by_alpha_of_at_least_128(channel):
    pixels = cracked(10, 5, 30, 15)
    pixels[4, 10:30] = (*GREEN, 127)
    pixels[15, 10:30] = (*GREEN, 128)
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", pixels))
    (sample,) = channel.load().samples
    (instance,) = sample.instances
    assert (sample.name, sample.width, sample.height) == ("training-images/a.jpg", 60, 40)
    assert (instance.box, instance.mask.sum()) == ((10, 5, 30, 16), 20 * 11)
    assert sample.source == "train/manifests/template.manifest:1"


def test_palette_entries_that_differ_in_alpha_only_are_one_class(channel):
    indices = np.zeros((40, 60), np.uint8)
    indices[5:15, 10:30] = np.arange(60, 260, 10)
    mask = Image.fromarray(indices, "P")
    mask.putpalette([0, 0, 0, *GREEN * 255])
    mask.save(channel.folder / "mask-images/a.png", transparency=bytes(range(256)))
    channel.line(channel.image("a.jpg"), True, "mask-images/a.png")
    data = channel.load()
    assert data.classes == ("cracked",)
    assert [i.mask.sum() for i in data.samples[0].instances] == [10 * 13]


def test_colour_maps_are_per_line_and_class_ids_are_not(channel):
    two = {"0": BACKGROUND["0"], "7": CRACKED["0"], "8": {"class-name": "chipped", "hex-color": "1f77b4"}}
    opaque = np.full((40, 60, 3), 255, np.uint8)
    opaque[5:15, 5:15], opaque[20:30, 20:40] = GREEN, (0x1F, 0x77, 0xB4)
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(10, 5, 30, 15)))
    channel.line(channel.image("b.jpg"), True, channel.mask("b.png", opaque), two)
    data = channel.load()
    assert data.classes == ("chipped", "cracked")
    found = [[(data.classes[i.class_id], i.box) for i in s.instances] for s in data.samples]
    assert found == [[("cracked", (10, 5, 30, 15))], [("chipped", (20, 20, 40, 30)), ("cracked", (5, 5, 15, 15))]]


def test_separate_regions_are_instances_and_specks_are_counted(channel):
    pixels = cracked(2, 2, 12, 12) + cracked(40, 20, 50, 30) + cracked(30, 35, 33, 39)
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", pixels))
    data = channel.load()
    assert [i.box for i in data.samples[0].instances] == [(2, 2, 12, 12), (40, 20, 50, 30)]
    assert data.notes == ("1 specks of under 16 px (8-connected) dropped from masks",)


def test_negatives_stay_with_and_without_the_dummy_mask_of_another_size(channel):
    Image.new("RGB", (16, 16), "white").save(channel.folder / "dummy.png")
    channel.line(channel.image("a.jpg"), False, "s3://bucket/x/mask-images/dummy.png", BACKGROUND)
    channel.line(channel.image("b.jpg"), False)
    data = channel.load()
    assert [sample.instances for sample in data.samples] == [(), ()]
    assert not data.has_masks
    assert any("1 background-only masks of another size" in note for note in data.notes)


def test_a_mask_of_another_size_that_marks_something_is_refused(channel):
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(2, 2, 12, 12, size=(30, 20))))
    refused(
        channel, r"mask train/mask-images/a\.png is 30x20, its image 60x40 \(train/manifests/template\.manifest:1\)"
    )


def test_a_colour_that_the_map_lacks_is_refused_by_colour_and_line(channel):
    pixels = cracked(2, 2, 12, 12)
    pixels[20:25, 20:25] = (255, 0, 16, 200)
    channel.line(channel.image("a.jpg"), False)
    channel.line(channel.image("b.jpg"), True, channel.mask("b.png", pixels))
    refused(
        channel,
        r"mask train/mask-images/b\.png has 25 pixels of colour #FF0010, which the colour map lacks "
        r"\(train/manifests/template\.manifest:2",
    )


def test_the_class_name_counts_where_the_label_contradicts_it(channel):
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(2, 2, 12, 12)))
    channel.line(channel.image("b.jpg"), False, **{"anomaly-label": 1})
    assert (
        'train/manifests/template.manifest:2: label 1 but class-name "normal": the class-name counts'
        in channel.load().notes
    )


def test_a_verification_beside_a_mask_is_left_aside(channel):
    verified = {"check": 0, "check-metadata": {"class-name": "good", "type": "groundtruth/label-verification"}}
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(2, 2, 12, 12)), **verified)
    data = channel.load()
    assert len(data.samples[0].instances) == 1
    assert data.notes == ("1 verifications of labels left aside",)


@pytest.mark.parametrize("status", ["adjusted", "unadjusted"])
def test_the_mask_that_an_adjustment_job_wrote_counts(channel, status):
    again = {"internal-color-map": CRACKED, "type": "groundtruth/semantic-segmentation", "adjustment-status": status}
    changes = {"again-ref": channel.mask("b.png", cracked(20, 2, 40, 12)), "again-ref-metadata": again}
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(2, 2, 12, 12)), **changes)
    assert [instance.box for instance in channel.load().samples[0].instances] == [(20, 2, 40, 12)]
    del again["adjustment-status"]
    channel.lines.clear()
    channel.line("training-images/a.jpg", True, "mask-images/a.png", **changes)
    refused(channel, 'both "anomaly-mask-ref" and "again-ref" are of type semantic-segmentation')


def test_images_that_ground_truth_could_not_mask_are_left_aside(channel):
    for metadata in ({"failure-reason": "x"}, {"failure-reason": "x", "type": "groundtruth/semantic-segmentation"}):
        channel.line("training-images/gone.jpg", False, **{"anomaly-mask-ref-metadata": metadata})
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(2, 2, 12, 12)))
    data = channel.load()
    assert len(data.samples) == 1
    assert data.notes == ("2 images that Ground Truth could not label (failure-reason) left aside",)
    channel.lines.append(
        '{"source-ref": "a.jpg", "bb-metadata": {"failure-reason": "x", "type": "g/object-detection"}}'
    )
    refused(channel, "object-detection.*template.manifest:4")


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_orientation_of_an_image_turns_its_mask_alike(channel, orientation):
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    pixels = cracked(0, 0, 10, 5)
    channel.line(channel.image("a.jpg", exif=exif), True, channel.mask("a.png", pixels))
    data = channel.load()
    (sample,) = data.samples
    expected = {3: (50, 35, 60, 40), 6: (35, 0, 40, 10), 8: (0, 50, 5, 60)}[orientation]
    assert (sample.width, sample.height) == ((60, 40) if orientation == 3 else (40, 60))
    assert sample.instances[0].box == expected
    assert "1 masks turned by the EXIF orientation of their image" in data.notes


def test_a_mask_drawn_on_the_image_as_displayed_stays(channel):
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    channel.line(channel.image("a.jpg", exif=exif), True, channel.mask("a.png", cracked(0, 0, 10, 5, size=(40, 60))))
    assert channel.load().samples[0].instances[0].box == (0, 0, 10, 5)


def test_an_anomaly_without_a_mask_among_others_is_refused(channel):
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(2, 2, 12, 12)))
    channel.line(channel.image("b.jpg"), True)
    refused(channel, r"anomaly without a mask \(train/manifests/template\.manifest:2; 1 of 2")


def test_a_classification_manifest_is_refused_for_what_it_is(channel):
    channel.line(channel.image("a.jpg"), True)
    channel.line(channel.image("b.jpg"), False)
    refused(channel, "classification manifest: none of its 1 anomalies has a mask")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ('{"source-ref": "a.jpg",}', r"not JSON: .* at column 24 \(train/manifests/template\.manifest:2\)"),
        ('["a.jpg"]', r'no "source-ref" \(train/manifests/template\.manifest:2\)'),
        ('{"anomaly-label": 1}', r'no "source-ref" \(train/manifests/template\.manifest:2\)'),
        (
            '{"source-ref": "a.jpg", "boxes-metadata": {"type": "groundtruth/object-detection"}}',
            r"object-detection.*template\.manifest:2",
        ),
        ('{"source-ref": "a.jpg", "anomaly-mask-ref": "a.png"}', r"lacks its .*template\.manifest:2"),
        ('{"source-ref": ' + "[" * 100_000, r"nested too deep \(train/manifests/template\.manifest:2\)"),
        ('{"source-ref": "a.jpg", "x": ' + "[" * 50 + "]" * 50 + "}", r"nested too deep \(.*template\.manifest:2\)"),
        (f'{{"source-ref": "a.jpg", "x": {"9" * 5000}}}', r"a number of 5000 digits \(.*template\.manifest:2\)"),
        ('{"source-ref": "a.jpg", "x": "\\ud800"}', r"surrogates not allowed \(.*template\.manifest:2\)"),
        ('{"source-ref": "file://[bad/0.png"}', r"no image file://\[bad/0\.png \(.*template\.manifest:2"),
        (f'{{"source-ref": "{"a" * 5000}"}}', r"^no image a{80}…a{80} \(train/manifests/template\.manifest:2"),
        (f'{{"source-ref": "{"a/" * 2500}"}}', r"^no image .{161} \(train/manifests/template\.manifest:2"),
    ],
)
def test_a_line_that_does_not_parse_is_refused_by_file_and_line(channel, line, match):
    channel.line(channel.image("a.jpg"), False)
    channel.lines.append(line)
    refused(channel, match)


@pytest.mark.parametrize(
    ("colors", "match"),
    [
        ({}, "no .internal-color-map"),
        ({"0": {"class-name": "cracked"}}, 'entry "0"'),
        ({"0": {"class-name": "cracked", "hex-color": "#23A43"}}, 'entry "0"'),
        ({"0": CRACKED["0"], "1": {"class-name": "x", "hex-color": "#23a436"}}, "#23A436 stands for two classes"),
    ],
)
def test_a_colour_map_that_says_nothing_clear_is_refused(channel, colors, match):
    channel.line(channel.image("a.jpg"), True, channel.mask("a.png", cracked(2, 2, 12, 12)), colors)
    refused(channel, f"{match}.*template\\.manifest:1")


def test_a_missing_image_and_a_missing_mask_are_refused_by_line(channel):
    channel.line(channel.image("a.jpg"), False)
    channel.line("training-images/gone.jpg", False)
    refused(channel, r"no image training-images/gone\.jpg \(train/manifests/template\.manifest:2")
    channel.lines.pop()
    channel.line(channel.image("b.jpg"), True, "mask-images/gone.png")
    refused(channel, r"no mask mask-images/gone\.png \(train/manifests/template\.manifest:2")


def test_one_image_in_two_lines_is_refused(channel):
    channel.line(channel.image("a.jpg"), False)
    channel.line("s3://bucket/training-images/a.jpg", False)
    refused(
        channel, r"annotated twice \(train/manifests/template\.manifest:1 and train/manifests/template\.manifest:2\)"
    )


def test_an_empty_manifest_is_refused(channel):
    channel.image("a.jpg")
    refused(channel, "template.manifest is empty")
