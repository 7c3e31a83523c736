"""What a trained model says of images, asked in every way that there is."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.job import Job


@contextmanager
def serving(job: Job) -> Iterator[str]:
    """The URL of a server of the trained model, on a free port, until the block ends."""
    job.environ = {"SAGEMAKER_BIND_TO_PORT": "0"}
    process = job.start("serve")
    try:
        assert process.stdout is not None
        yield next(line.split()[-1] for line in process.stdout if line.startswith(f"serving {job.program} on "))
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def invoke(url: str, body: bytes, content_type: str) -> Any:
    """The answer of /invocations, which must be JSON."""
    request = urllib.request.Request(f"{url}/invocations", data=body, headers={"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=60) as reply:
        assert reply.headers["Content-Type"] == "application/json"
        return json.load(reply)


def predicted(job: Job, images: Sequence[Path], *options: str) -> list[Any]:
    """What `predict` prints of each image."""
    done = job.run("predict", str(job.base / "model"), *map(str, images), *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def invoked(job: Job, images: Sequence[Path]) -> list[Any]:
    """What /invocations answers to each image, a JPEG."""
    with serving(job) as url:
        return [invoke(url, path.read_bytes(), "image/jpeg") for path in images]


def evaluated(job: Job, data: Path) -> Any:
    """What `evaluate` prints of a data set."""
    done = job.run("evaluate", str(job.base / "model"), str(data))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_truth(folder: Path, image: Path, row: Any) -> Path:
    """A COCO data set of one image whose objects are the boxes of an answer: a model that gives it again is perfect."""
    folder.mkdir()
    (folder / image.name).symlink_to(image)
    classes = sorted({(found["class_id"], found["class"]) for found in row["predictions"]})
    annotations = []
    for number, found in enumerate(row["predictions"], 1):
        x1, y1, x2, y2 = found["box"]
        box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
        annotations.append({"id": number, "image_id": 1, "category_id": found["class_id"] + 1, **box})
    content = {
        "images": [{"id": 1, "file_name": image.name, "width": row["width"], "height": row["height"]}],
        "categories": [{"id": index + 1, "name": name} for index, name in classes],
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder
