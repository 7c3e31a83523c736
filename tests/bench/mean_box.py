"""What a detector is worth that has learnt nothing but where objects are on average: the baseline of `ssd`.

    PYTHONPATH=.:entrypoints python -m tests.bench.mean_box FOLDER

Splits the folder as training does, and answers every image of the validation set with the mean box of each class.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from vision import detection, detection_evaluation, detection_scores


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        train_set, validation_set = detection.load_sets(
            {"train": folder}, manifest="", fraction=0.2, seed=0, split_file=Path(scratch, "split.json"), masks=False
        )
    found = defaultdict(list)
    for sample in train_set.samples:
        for instance in sample.instances:
            found[instance.class_id].append(instance.box)
    answer = detection_scores.objects(
        np.array([np.mean(boxes, axis=0) for boxes in found.values()]),
        np.array(list(found)),
        np.array([len(boxes) / len(train_set.samples) for boxes in found.values()]),
    )
    true, answers = detection_evaluation.truth(validation_set), [answer] * len(validation_set.samples)
    curves = detection_evaluation.curves(true, answers, len(train_set.classes))
    print(json.dumps(detection_evaluation.main_metrics(curves)[0], indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
