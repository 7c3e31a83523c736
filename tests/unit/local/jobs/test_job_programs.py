"""Image names and the programs they mean."""

import json

import pytest

from local.errors import ValidationException
from local.jobs.programs import ProgramTable


def folder(path, *names, **entry):
    path.mkdir(exist_ok=True)
    programs = {}
    for name in names:
        (path / f"{name}.py").write_text("")
        programs[name] = {"file": f"{name}.py", "environment": "pytorch", "images": ["train-cpu", "train-gpu"], **entry}
    (path / "programs.json").write_text(json.dumps({"programs": programs}))
    return path


@pytest.mark.parametrize(
    "image",
    [
        "drydock/train-cpu:yolo",
        "drydock/train-gpu:yolo",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/drydock/train-cpu:yolo",
        "localhost:5000/drydock/train-cpu:yolo",
        "registry.example/team/drydock/train-cpu:yolo",
    ],
)
def test_a_registry_before_the_name_makes_no_difference(tmp_path, image):
    program = ProgramTable([folder(tmp_path, "yolo")]).resolve(image)
    assert (program.name, program.file, program.environment) == ("yolo", tmp_path / "yolo.py", "pytorch")


@pytest.mark.parametrize(
    "image",
    ["yolo", "drydock/train-cpu", "drydock/train-tf-cpu:yolo", "drydock/train-cpu:ssd", "other/train-cpu:yolo", ""],
)
def test_an_unknown_image_is_refused_with_the_known_ones(tmp_path, image):
    table = ProgramTable([folder(tmp_path, "yolo")])
    with pytest.raises(ValidationException) as refusal:
        table.resolve(image)
    assert f'"{image}"' in refusal.value.message
    assert "drydock/train-cpu:yolo, drydock/train-gpu:yolo" in refusal.value.message


def test_programs_of_all_folders_are_known(tmp_path):
    table = ProgramTable([folder(tmp_path / "a", "one"), folder(tmp_path / "b", "two", images=["train-cpu"])])
    assert table.images() == ["drydock/train-cpu:one", "drydock/train-cpu:two", "drydock/train-gpu:one"]


def test_a_folder_may_be_named_twice_but_a_program_may_not(tmp_path):
    one = folder(tmp_path / "a", "same")
    assert ProgramTable([one, one]).images()
    with pytest.raises(ValueError, match="'same' is in both"):
        ProgramTable([one, folder(tmp_path / "b", "same")])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "programs.json"),
        ("{}", "'programs' is missing"),
        ('{"programs": {"a": {"file": "a.py"}}}', "does not exist"),
        ('{"programs": []}', "programs.json"),
    ],
)
def test_a_broken_table_is_refused_by_name(tmp_path, content, complaint):
    (tmp_path / "programs.json").write_text(content)
    with pytest.raises(ValueError, match=complaint):
        ProgramTable([tmp_path])


def test_a_folder_without_a_table_is_no_program_folder(tmp_path):
    with pytest.raises(ValueError, match="not a program folder"):
        ProgramTable([tmp_path])
