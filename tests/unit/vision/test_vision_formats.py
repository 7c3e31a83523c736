"""Which format a channel holds, and the real data sets."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest

from optml.errors import Refusal
from vision import formats, images, masks, samples

TEMPLATE = "cookie-dataset/dataset-files/manifests/template.manifest"


def test_a_channel_without_images_and_one_without_annotations_are_refused(tmp_path):
    with pytest.raises(Refusal, match="no such folder"):
        formats.load(tmp_path / "gone")
    (tmp_path / "m.manifest").write_text("{}\n")
    with pytest.raises(Refusal, match=r"no images in .*looked for \.bmp, \.jpeg, \.jpg"):
        formats.load(tmp_path)
    channel = samples.write(tmp_path / "cookies", images=2).parents[1]
    shutil.rmtree(channel / "manifests")
    (channel / "notes.json").write_text('{"images": 3}')
    with pytest.raises(Refusal, match=r"no annotations in .*\*\.manifest, \*\.jsonl, data\.yaml, \*\.lst, .*\.xml"):
        formats.load(channel)


def test_a_link_that_leads_nowhere_is_no_annotation_file(tmp_path):
    channel = samples.write(tmp_path / "cookies", images=2).parents[1]
    (channel / "gone.json").symlink_to(tmp_path / "nowhere.json")
    assert len(formats.load(channel).samples) == 2


def test_of_several_annotation_files_one_has_to_be_chosen(tmp_path):
    channel = samples.write(tmp_path / "cookies", images=4).parents[1]
    shutil.copy(channel / "manifests/template.manifest", channel / "again.jsonl")
    with pytest.raises(
        Refusal, match=r"2 annotation files in .*: again\.jsonl, manifests/template\.manifest"
    ) as caught:
        formats.load(channel)
    assert "--manifest manifests/template.manifest" in caught.value.hint
    with pytest.raises(Refusal, match=r'2 annotation files in channel "train": again\.jsonl') as caught:
        formats.load(channel, channel="train")
    assert "manifest=manifests/template.manifest" in caught.value.hint
    assert len(formats.load(channel, prefer="template.manifest").samples) == 4
    assert len(formats.load(channel, prefer="manifests/template.manifest").samples) == 4
    with pytest.raises(Refusal, match=r"manifest=gone\.jsonl: is not there"):
        formats.load(channel, prefer="gone.jsonl")


@pytest.mark.real_data
@pytest.mark.parametrize("name", [TEMPLATE, "train_segmentation.manifest"])
def test_the_real_cookies_are_read_to_the_pixel(real_data, name):
    data = formats.load(real_data / "cookie", prefer=name)
    found = {sample.image.stem: sample.instances for sample in data.samples}
    assert (data.classes, len(found), data.has_masks) == (("cracked",), 63, True)
    assert Counter(len(instances) for instances in found.values()) == {0: 31, 1: 29, 2: 3}
    assert {stem for stem, instances in found.items() if len(instances) == 2} == {
        "anomaly-4",
        "anomaly-11",
        "anomaly-22",
    }
    areas = {stem: sorted((int(i.mask.sum()) for i in instances), reverse=True) for stem, instances in found.items()}
    assert (areas["anomaly-4"], areas["anomaly-11"]) == ([15551, 5764], [3685, 1627])
    assert (areas["anomaly-1"], areas["anomaly-21"]) == ([7676], [5070])
    assert sum(map(sum, areas.values())) == 399_846 - 8  # the specks of anomaly-26 and -27
    assert "3 specks of under 16 px (8-connected) dropped from masks" in data.notes
    for instance in (i for instances in found.values() for i in instances):
        assert masks.box_of(instance.mask) == instance.box
        assert (masks.rasterise(instance.polygons, *instance.size) == instance.mask).all()


@pytest.mark.real_data
def test_the_real_cookies_without_a_choice_or_without_masks_are_refused(real_data):
    with pytest.raises(Refusal, match=r"3 annotation files .*train_class\.manifest, train_segmentation\.manifest"):
        formats.load(real_data / "cookie")
    with pytest.raises(Refusal, match=r"train_class\.manifest is a classification manifest: none of its 32 anomalies"):
        formats.load(real_data / "cookie", prefer="train_class.manifest")


@pytest.mark.real_data
def test_the_real_manifests_find_all_they_refer_to(real_data):
    cookie = real_data / "cookie"
    template = cookie / TEMPLATE
    assert formats.common_root(template) == cookie / "cookie-dataset/dataset-files"
    assert len(formats.references(template)) == 63 + 32
    assert formats.common_root(cookie / "train_segmentation.manifest") == cookie
    assert len(formats.references(cookie / "train_segmentation.manifest")) == 63 + 32 + 1
    assert len(formats.references(cookie / "train_class.manifest")) == 63
    assert len(formats.load(formats.common_root(template)).samples) == 63


@pytest.mark.real_data
def test_every_real_cookie_decodes(real_data):
    images.verify(images.find(real_data / "cookie/cookie-dataset"))


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["abid", "crackforest", "deeppcb", "ksdd", "l4v-aliens", "magnetic-tile"])
def test_the_other_real_sets_are_in_none_of_the_formats_and_say_so(real_data, name):
    with pytest.raises(Refusal, match="no annotations in"):
        formats.load(real_data / name)


@pytest.mark.real_data
def test_equal_names_of_the_real_aliens_are_told_apart_by_their_folder(real_data, tmp_path):
    manifest = tmp_path / "m.manifest"
    shutil.copytree(real_data / "l4v-aliens/aliens-dataset", tmp_path / "aliens-dataset")
    lines = [
        {
            "source-ref": f"s3://bucket/{label}/10.png",
            "l": 0,
            "l-metadata": {"type": "groundtruth/image-classification"},
        }
        for label in ("normal", "anomaly")
    ]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    names = [sample.name for sample in formats.load(tmp_path).samples]
    assert names == ["aliens-dataset/normal/10.png", "aliens-dataset/anomaly/10.png"]
