"""What is looked at before a user's script is fetched: its launcher, its name, its source; no engine needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from containers.train.bin.script_mode import launchers, source
from containers.train.bin.script_mode.launchers import Launcher
from containers.train.bin.script_mode.source import Source
from optml.errors import Refusal

PROGRAM = {"sagemaker_program": "train.py"}


@pytest.mark.parametrize("value", ["false", "False", "0", ""])
@pytest.mark.parametrize("name", [*launchers.ABSENT, launchers.TORCHRUN])
def test_a_launcher_that_is_switched_off_is_none(name: str, value: str) -> None:
    assert launchers.choose({name: value, "epochs": "true", "sagemaker_program": "x"}) is Launcher.ONCE


@pytest.mark.parametrize("name", [*launchers.ABSENT, "sagemaker_warp_drive_enabled"])
def test_a_launcher_that_the_image_lacks_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refusal, match=name) as refused:
        launchers.choose({name: "true", launchers.TORCHRUN: "true"})
    assert "torch_distributed" in refused.value.hint


def test_torchrun_needs_pytorch() -> None:
    """The environment of the tests has none, like the TensorFlow images."""
    with pytest.raises(Refusal, match="holds no PyTorch"):
        launchers.choose({launchers.TORCHRUN: "true"})


@pytest.mark.parametrize(
    ("given", "below"),
    [("/opt/ml/input/data/code", "input/data/code"), ("file:///opt/ml/input/data/code", "input/data/code")],
)
def test_paths_are_resolved_against_the_base(tmp_path: Path, given: str, below: str) -> None:
    (tmp_path / below).mkdir(parents=True)
    read = source.read(PROGRAM | {"sagemaker_submit_directory": given}, tmp_path)
    assert read == Source("train.py", str(tmp_path / below))


def test_what_the_platform_has_unpacked_wins(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").touch()
    read = source.read(PROGRAM | {"sagemaker_submit_directory": "file:///on/another/machine"}, tmp_path)
    assert read == Source("train.py", "")
    source.fetch(read, tmp_path / "code")
    with pytest.raises(Refusal, match=r"there is no tarin\.py") as refused:
        source.fetch(Source("tarin.py", ""), tmp_path / "code")
    assert "train.py" in refused.value.hint
    assert (tmp_path / "code/train.py").exists()


@pytest.mark.parametrize("given", ["", "code", "https://example.org/code", "s3://bucket", "/opt/ml/input/data/none"])
def test_a_source_that_is_not_there_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(Refusal, match="sagemaker_submit_directory"):
        source.read(PROGRAM | {"sagemaker_submit_directory": given}, tmp_path)


def test_a_script_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="sagemaker_program"):
        source.read({"sagemaker_program": " "}, tmp_path)
