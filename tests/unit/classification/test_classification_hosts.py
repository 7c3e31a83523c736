"""Classification on two hosts: what they learn is what one would; who tells and writes it; how they end together."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.job import finished
from tests.support.several import Several, said
from tests.unit.classification.conftest import TINY

pytestmark = pytest.mark.pytorch
HEAD = TINY | {"freeze": "true", "class_weights": "false"}
"""No batch normalisation, whose statistics would be those of a host's share, and plain means as losses."""
Done = list[subprocess.CompletedProcess[str]]


@pytest.fixture
def pair(tmp_path: Path, pytorch: Path, folders: Path) -> Several:
    """A job on two hosts, not yet run."""
    return Several(tmp_path, pytorch, "classification.py", folders)


@pytest.fixture(scope="module")
def both(pytorch: Path, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Several, Done]:
    """A head that two hosts have trained, with four images a step on each."""
    pair = Several(tmp_path_factory.mktemp("both"), pytorch, "classification.py", folders)
    pair.configure(**(HEAD | {"batch_size": "4"}))
    return pair, pair.run()


def test_two_hosts_end_with_the_weights_of_one_that_has_the_batch_of_both(
    both: tuple[Several, Done], pytorch: Path, folders: Path, tmp_path: Path
) -> None:
    """So every image of an epoch counts once, on one of them."""
    pair, (first, _) = both
    whole, output = finished(tmp_path, pytorch, "classification.py", folders, **(HEAD | {"batch_size": "8"}))
    code = (
        "from safetensors.torch import load_file; "
        f"a, b = map(load_file, {[str(job.model('model.safetensors')) for job in (pair.jobs[0], whole)]}); "
        "print(max(float((a[name].double() - b[name].double()).abs().max()) for name in a))"
    )
    found = subprocess.run([pytorch, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(found) < 1e-6
    losses = [re.findall("name=train:(?:loss|accuracy) value=([^;]+);", text) for text in (first.stdout, output)]
    assert [float(value) for value in losses[0]] == pytest.approx([float(value) for value in losses[1]], abs=1e-5)


def test_the_first_host_alone_tells_and_writes(both: tuple[Several, Done]) -> None:
    pair, (first, other) = both
    assert "#metric" in first.stdout
    assert first.stderr == other.stderr == ""
    assert "algo-2 is one of 2 hosts, each of which learns from 4 images a step; algo-1 evaluates" in other.stdout
    assert "#metric" not in other.stdout
    assert "epoch" not in other.stdout
    for folder in ("model", "output", "checkpoints"):
        written = [[path for path in (job.base / folder).rglob("*") if path.is_file()] for job in pair.jobs]
        assert written[0]
        assert not written[1]


def test_gpus_exchange_their_gradients(pair: Several, pytorch: Path) -> None:
    """By NCCL, to which each host says that it is one of its own: they may share a GPU."""
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("no GPU here: NCCL is not tested")
    pair.configure(**(TINY | {"device": "cuda", "batch_size": "4"}))
    first, _ = pair.run()
    assert "on GPU in" in first.stdout
    assert pair.jobs[0].model("model.safetensors").is_file()


@pytest.fixture(scope="module")
def stopped(pytorch: Path, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Several, Done]:
    """A job on two hosts whose second got a SIGTERM after an epoch or more."""
    pair = Several(tmp_path_factory.mktemp("stopped"), pytorch, "classification.py", folders)
    pair.configure(**(HEAD | {"epochs": "5000"}))
    programs = pair.start()
    said(programs[0], "epoch 1/5000: loss")
    programs[1].send_signal(signal.SIGTERM)
    return pair, pair.ended(programs)


def test_a_stop_that_reaches_one_host_ends_both_and_the_best_epoch_is_kept(stopped: tuple[Several, Done]) -> None:
    pair, (first, other) = stopped
    assert (first.returncode, other.returncode) == (143, 143), first.stderr + other.stderr
    assert "stopped on request; epoch" in first.stdout
    assert json.loads(pair.jobs[0].model("metadata.json").read_text())["threshold"] is not None
    assert not any((pair.jobs[1].base / "model").iterdir())
    assert not pair.jobs[0].failure + pair.jobs[1].failure


def test_both_go_on_from_the_checkpoint_of_the_first_and_one_that_is_killed_ends_the_other(
    stopped: tuple[Several, Done],
) -> None:
    pair, _ = stopped
    first, other = pair.jobs
    last = max(int(path.name) for path in (first.base / "checkpoints").glob("0*"))
    assert not any((other.base / "checkpoints").iterdir())
    programs = pair.start()
    said(programs[0], f"resuming after epoch {last} from")
    said(programs[0], f"epoch {last + 1}/5000: loss")
    programs[1].kill()
    done, _ = pair.ended(programs)
    assert done.returncode == 1, done.stderr
    assert first.failure.startswith("host algo-2 ended before the training was over\n\nhint: ")
    assert "Traceback" not in done.stderr


def test_bad_data_of_one_host_is_told_by_the_other_too(pair: Several, folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders, tmp_path / "damaged")
    image = tmp_path / "damaged/normal/0003.jpg"
    image.write_bytes(image.read_bytes()[:2000])
    first, other = pair.jobs
    (other.base / "input/data/train").unlink()
    other.channel("train", tmp_path / "damaged")
    pair.configure(**HEAD)
    done = pair.ended(pair.start())
    assert [one.returncode for one in done] == [1, 2], done
    assert other.failure.startswith("image train/normal/0003.jpg does not decode")
    assert first.failure.startswith("host algo-2: image train/normal/0003.jpg does not decode")


def test_a_channel_that_is_dealt_out_is_refused(pair: Several) -> None:
    first, _ = pair.jobs
    pair.configure(**HEAD)
    dealt = {"train": {"S3DistributionType": "ShardedByS3Key"}}
    (first.base / "input/config/inputdataconfig.json").write_text(json.dumps(dealt))
    assert 'channel "train" is dealt out among the hosts' in first.refused()
