"""What every data format is read into: a data set of samples, each an image with its instances.

Boxes are xyxy in pixels of the displayed image (EXIF orientation applied), half-open: a mask that covers
columns 10 to 19 has x1 = 10 and x2 = 20. Masks are kept compressed and decoded when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optml.errors import Refusal
from vision import masks

Box = tuple[float, float, float, float]
Polygon = NDArray[np.float64]  # (N, 2) x, y in pixels, closed implicitly, filled by the even-odd rule


@dataclass(frozen=True, eq=False)
class Instance:
    """One object of a sample; `polygons` and `mask` are None where the source gives a box only."""

    class_id: int
    box: Box
    size: tuple[int, int]  # height, width of the image
    polygons: tuple[Polygon, ...] | None = None
    rle: masks.Rle | None = None
    difficult: bool = False  # learnt from like any other, neither asked for nor held against a model in evaluation

    @property
    def mask(self) -> masks.Mask | None:
        """(H, W) bool, decoded at each call."""
        if self.rle is not None:
            return masks.decode(self.rle)
        if self.polygons is not None:
            return masks.rasterise(self.polygons, *self.size)
        return None


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its instances; an image without instances is a negative and is trained on as one."""

    image: Path
    name: str  # the image's path in its channel, "/" between parts: the sample's identity
    width: int
    height: int
    instances: tuple[Instance, ...]
    source: str  # where the annotation stands, "file:line"
    split: str = ""  # "train", "validation" or "test" where the data set says so
    label: int | None = None  # class id of the image as a whole, where the format gives one
    group: str = ""  # samples of one group show one thing, and no split parts them


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and the classes their `class_id`s index; `notes` say what the reader skipped or decided."""

    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    has_masks: bool  # every instance has a mask, and there is at least one
    notes: tuple[str, ...] = ()
    origin: str = ""  # what errors put before a sample's name: the channel, or the folder as it was typed
    file: str = ""  # what errors call the annotation file

    def subset(self, samples: Sequence[Sample]) -> Dataset:
        return replace(self, samples=tuple(samples))

    def show(self, sample: Sample) -> str:
        """What errors call the image of a sample: `train/images/a.jpg`."""
        return f"{self.origin}/{sample.name}" if self.origin else sample.name


def build(
    classes: Sequence[str], samples: Sequence[Sample], notes: Sequence[str] = (), origin: str = "", file: str = ""
) -> Dataset:
    """The data set of `samples`; refuses two samples of one image, which would leak between splits."""
    instances = [instance for sample in samples for instance in sample.instances]
    has_masks = bool(instances) and all(instance.polygons or instance.rle for instance in instances)
    dataset = Dataset(tuple(classes), tuple(samples), has_masks, tuple(notes), origin, file)
    first: dict[str, Sample] = {}
    for sample in samples:
        other = first.setdefault(sample.name, sample)
        if other is not sample:
            raise Refusal(
                f"{dataset.show(sample)} is annotated twice ({other.source} and {sample.source})",
                "keep one of the two annotations",
            )
    return dataset


def aligned(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """`dataset` with its class ids as indices of `classes`, matched by name (a validation channel's, say)."""
    unknown = [name for name in dataset.classes if name not in classes]
    if unknown:
        where = f" of {dataset.origin}" if dataset.origin else ""
        source = _first_of(dataset, unknown[0])
        raise Refusal(
            f"class {unknown[0]!r}{where} is not among the training classes ({', '.join(classes) or 'none'})"
            + (f" ({source})" if source else ""),
            "use the same class names in every channel",
        )
    index = [list(classes).index(name) for name in dataset.classes]
    samples = [
        replace(
            s,
            instances=tuple(replace(i, class_id=index[i.class_id]) for i in s.instances),
            label=None if s.label is None else index[s.label],
        )
        for s in dataset.samples
    ]
    return replace(dataset, classes=tuple(classes), samples=tuple(samples))


def _first_of(dataset: Dataset, name: str) -> str:
    """Where the first image with a class is annotated; empty for a class that no image has."""
    label = dataset.classes.index(name)
    having = (s for s in dataset.samples if s.label == label or any(i.class_id == label for i in s.instances))
    sample = next(having, None)
    return (sample.source or dataset.show(sample)) if sample else ""
