from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optml.errors import Refusal
from vision import sets, splits
from vision.record import Dataset, Instance, Sample, aligned, build


def data(counts: dict[tuple[int, ...], int], split: str = "") -> Dataset:
    """As many samples of each set of classes as asked."""
    samples = [
        Sample(
            Path(f"{ids}-{i}.jpg"),
            f"{ids}-{i}.jpg",
            10,
            10,
            tuple(Instance(c, (0, 0, 5, 5), (10, 10)) for c in ids),
            "",
            split,
        )
        for ids, count in counts.items()
        for i in range(count)
    ]
    return build(("a", "b", "c"), samples)


def strata(dataset: Dataset) -> Counter[frozenset[int]]:
    return Counter(frozenset(i.class_id for i in sample.instances) for sample in dataset.samples)


def names(dataset: Dataset) -> set[str]:
    return {sample.name for sample in dataset.samples}


@settings(max_examples=50)
@given(st.lists(st.integers(2, 30), min_size=4, max_size=4), st.sampled_from([0.1, 0.2, 0.25, 0.5]), st.integers(0, 99))
def test_every_stratum_gives_its_share(counts, fraction, seed):
    whole = data(dict(zip([(), (0,), (1, 2), (0, 0, 2)], counts, strict=True)))
    train, validation = splits.split(whole, fraction, seed)
    assert names(train) | names(validation) == names(whole)
    assert not names(train) & names(validation)
    for stratum, count in strata(whole).items():
        assert abs(strata(validation)[stratum] - fraction * count) <= 1
    assert abs(len(validation.samples) - fraction * len(whole.samples)) <= 1


def test_the_order_of_samples_does_not_matter_and_the_seed_does():
    whole = data({(): 20, (0,): 20})
    backwards = whole.subset(whole.samples[::-1])
    assert names(splits.split(whole, seed=3)[1]) == names(splits.split(backwards, seed=3)[1])
    assert names(splits.split(whole, seed=3)[1]) != names(splits.split(whole, seed=4)[1])


def written(whole: Dataset, folder: Path, contents: dict[int, bytes]) -> Dataset:
    """`whole` with a file for each image: of its own content, unless `contents` has another for its place."""
    samples = []
    for place, sample in enumerate(whole.samples):
        path = folder / sample.name
        path.write_bytes(contents.get(place, b"%6d" % place))
        samples.append(replace(sample, image=path))
    return whole.subset(samples)


@pytest.mark.parametrize("length", [6, 1 << 18])
def test_images_of_the_same_bytes_stay_together_whatever_their_classes(tmp_path, length):
    start = bytes(length - 1)
    same = {0: start + b"a", 7: start + b"a", 13: start + b"a", 3: start + b"b", 9: start + b"b", 5: start + b"c"}
    whole = written(data({(): 8, (0,): 8}), tmp_path, same)
    for seed in range(8):
        train, validation = splits.split(whole, 0.4, seed)
        assert "3 images repeat another byte for byte, and stay on its side of the split" in train.notes
        held = {index for index, sample in enumerate(whole.samples) if sample.name in names(validation)}
        assert all(len(held & group) in (0, len(group)) for group in ({0, 7, 13}, {3, 9}))
        folds = splits.k_folds(whole, 4, seed)
        assert all(len({whole.samples[i].name for i in (0, 7, 13)} & names(part)) in (0, 3) for _, part in folds)


def test_an_image_in_both_of_the_parts_that_were_given_is_told_of(tmp_path):
    whole = written(data({(0,): 4}), tmp_path, {0: b"same", 3: b"same"})
    parts = [whole.subset(whole.samples[:2]), whole.subset(whole.samples[2:])]
    found = dict(zip(("train", "validation"), parts, strict=True))
    reader = sets.Reader(lambda path, prefer, channel: found[channel], lambda path: [])
    train, _ = sets.load(tmp_path, tmp_path, reader, "", 0.2, 0, tmp_path / "split.json")
    assert train.notes == (
        "1 validation images are training images byte for byte, which flatters what is measured on them",
    )


def test_the_only_sample_of_a_stratum_stays_in_train():
    train, _ = splits.split(data({(): 9, (0,): 9, (1,): 1}), 0.5)
    assert strata(train)[frozenset({1})] == 1


@settings(max_examples=50)
@given(st.lists(st.integers(0, 17), min_size=3, max_size=3), st.integers(2, 6), st.integers(0, 99))
def test_folds_cover_every_sample_once_and_evenly(counts, k, seed):
    whole = data(dict(zip([(), (0,), (1,)], counts, strict=True)))
    if len(whole.samples) < k:
        with pytest.raises(Refusal, match="cannot make"):
            splits.k_folds(whole, k, seed)
        return
    folds = splits.k_folds(whole, k, seed)
    assert sum((Counter(names(held_out)) for _, held_out in folds), Counter()) == Counter(names(whole))
    assert all(names(train) == names(whole) - names(held_out) for train, held_out in folds)
    sizes = [len(held_out.samples) for _, held_out in folds]
    assert max(sizes) - min(sizes) <= 1
    for stratum in strata(whole):
        shares = [strata(held_out)[stratum] for _, held_out in folds]
        assert max(shares) - min(shares) <= 1


def test_a_split_that_the_data_set_declares_is_kept_and_test_samples_stay_out():
    train, held_out, test = data({(): 3}, "train"), data({(0,): 2}, "validation"), data({(1,): 2}, "test")
    whole = build(train.classes, [*train.samples, *held_out.samples, *test.samples])
    given_train, given_validation = splits.given(whole)
    assert (names(given_train), names(given_validation)) == (names(train), names(held_out))
    assert splits.given(data({(): 3}, "train")) is None
    parts = splits.split(whole.subset([*train.samples, *test.samples]))
    assert names(parts[0]) | names(parts[1]) == names(train)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_to_split_are_refused(count):
    with pytest.raises(Refusal, match="too few"):
        splits.split(data({(0,): count}))
    with pytest.raises(Refusal, match="not between"):
        splits.split(data({(0,): 5}), 1.0)


def test_the_split_is_written_down(tmp_path):
    train, validation = splits.split(data({(0,): 8}), 0.25, seed=5)
    splits.write_split(tmp_path / "split.json", train, validation, seed=5, fraction=0.25)
    written = json.loads((tmp_path / "split.json").read_text())
    assert (set(written["train"]), set(written["validation"])) == (names(train), names(validation))
    assert (written["seed"], written["fraction"]) == (5, 0.25)
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_classes_of_another_channel_are_matched_by_name():
    other = replace(data({(0,): 1, (1,): 1}), classes=("b", "a"))
    matched = aligned(other, ("a", "b", "c"))
    assert [s.instances[0].class_id for s in matched.samples] == [1, 0]
    with pytest.raises(Refusal, match="class 'b' is not among the training classes"):
        aligned(other, ("a",))


def test_an_image_that_is_annotated_twice_is_refused():
    sample = data({(0,): 1}).samples[0]
    with pytest.raises(Refusal, match=r"annotated twice \(m:1 and m:9\)"):
        build(("a",), [replace(sample, source="m:1"), replace(sample, source="m:9")])
