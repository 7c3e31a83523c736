"""The model folder: whole or not there, refused with a reason."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from optml import artefact
from optml.errors import Refusal


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def no_space(path: Path) -> None:
    path.write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    model = tmp_path / "model"
    artefact.save(
        model, {"model.pt": lambda path: path.write_bytes(b"w")}, {"program": "tiny", "classes": ["caf\u00e9"]}
    )
    assert artefact.read(model) == {"format": 1, "program": "tiny", "classes": ["café"]}
    assert set(tree(model)) == {"model.pt", "metadata.json"}


def test_saving_again_replaces_and_clears_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / ".tmp-left").mkdir()
    (tmp_path / ".tmp-left/model.pt").write_text("half")
    for content in (b"old", b"new"):
        artefact.save(tmp_path, {"model.pt": lambda path, content=content: path.write_bytes(content)}, {})
    assert (tmp_path / "model.pt").read_bytes() == b"new"
    assert set(tree(tmp_path)) == {"model.pt", "metadata.json"}


def test_a_failing_writer_leaves_the_earlier_model_as_it_was(tmp_path: Path) -> None:
    artefact.save(tmp_path, {"a": lambda path: path.write_bytes(b"1")}, {"n": 1})
    before = tree(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        artefact.save(tmp_path, {"a": lambda path: path.write_bytes(b"2"), "b": no_space}, {"n": 2})
    assert tree(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "metadata.json"]


def test_a_save_that_fails_while_files_move_into_place_leaves_no_model_of_mixed_files(tmp_path: Path) -> None:
    artefact.save(tmp_path, {"a": lambda path: path.write_bytes(b"1")}, {"n": 1})
    (tmp_path / "b").mkdir()
    files = {name: lambda path: path.write_bytes(b"2") for name in ("a", "b")}
    with pytest.raises(IsADirectoryError):
        artefact.save(tmp_path, files, {"n": 2})
    with pytest.raises(Refusal, match="not a finished model"):
        artefact.read(tmp_path)


@pytest.mark.parametrize("name", ["metadata.json", "../out", "sub/file", ".hidden", ""])
def test_names_that_cannot_be_are_a_fault_of_the_program(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"metadata\.json|plain, visible"):
        artefact.save(tmp_path / "m", {name: lambda path: path.write_text("x")}, {})


def test_a_writer_that_writes_nothing_and_metadata_that_is_not_json_are_faults(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="made no file"):
        artefact.save(tmp_path, {"a": lambda _: None}, {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        artefact.save(tmp_path, {}, {"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, r"there is no metadata\.json, so this is not a finished model \(looked in"),
        ("{half", r"metadata\.json cannot be read as JSON"),
        ("[" * 100_000, r"metadata\.json cannot be read as JSON"),
        ("[]", r'metadata\.json has no "format"'),
        ("{}", r'metadata\.json has no "format"'),
        ('{"format": 2}', "has format 2, and this version reads format 1"),
    ],
)
def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, content: str | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "metadata.json").write_text(content)
    with pytest.raises(Refusal, match=complaint) as refused:
        artefact.read(tmp_path)
    assert refused.value.hint
    assert str(tmp_path) in refused.value.message


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="there is no model folder"):
        artefact.read(tmp_path / "none")


def test_another_user_may_read_a_model_whatever_its_writer_allowed(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"weights")
        path.chmod(0o600)

    artefact.save(tmp_path, {"model.safetensors": write}, {})

    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o644
