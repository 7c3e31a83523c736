"""Image names and the programs they mean."""

import json

import pytest

from local.errors import ValidationException
from local.jobs.backend import Wanted
from local.jobs.job import JobError
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
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/drydock/train-cpu:yolo-0.1.0-fd0d3c1",
        "drydock/train-cpu:yolo-0123456789ab",
    ],
)
def test_a_registry_before_the_name_and_a_build_behind_it_make_no_difference(tmp_path, image):
    program = ProgramTable([folder(tmp_path, "yolo")]).resolve(Wanted(image))
    assert (program.name, program.file, program.environment) == ("yolo", tmp_path / "yolo.py", "pytorch")


@pytest.mark.parametrize(
    "image",
    [
        "yolo",
        "drydock/train-cpu",
        "drydock/train-tf-cpu:yolo",
        "drydock/train-cpu:yolo-new",
        "drydock/train-cpu:ssd",
        "other/train-cpu:yolo",
        "",
    ],
)
def test_an_unknown_image_is_refused_with_the_known_ones(tmp_path, image):
    table = ProgramTable([folder(tmp_path, "yolo")])
    with pytest.raises(ValidationException) as refusal:
        table.resolve(Wanted(image))
    assert f'"{image}"' in refusal.value.message
    known = ("train-cpu:script", "train-cpu:yolo", "train-gpu:script", "train-gpu:yolo")
    assert f": {', '.join(f'drydock/{name}' for name in known)}. " in refusal.value.message
    assert refusal.value.message.endswith("run jobs in containers: drydock down, then drydock up --backend docker")


@pytest.mark.parametrize(
    "image",
    [
        "drydock/train-cpu:script",
        "registry.example/drydock/train-gpu:script",
        "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:1.12-gpu-py38",
    ],
)
def test_images_for_scripts_mean_what_runs_scripts(tmp_path, image):
    program = ProgramTable([folder(tmp_path, "yolo")]).resolve(Wanted(image))
    assert (program.name, program.environment) == ("script", "pytorch-script")


@pytest.mark.parametrize(
    "image",
    ["drydock/train-tf-cpu:script", "763104351884.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-training:2.9-gpu-py39"],
)
def test_tensorflow_is_refused_with_what_has_it(tmp_path, image):
    with pytest.raises(ValidationException) as refusal:
        ProgramTable([folder(tmp_path, "yolo")]).resolve(Wanted(image, script=True))
    assert "drydock/train-tf-" in refusal.value.message
    assert "drydock up --backend docker" in refusal.value.message


def test_a_jobs_own_script_takes_the_place_of_the_images_program_where_it_can_be_run(tmp_path, monkeypatch):
    table = ProgramTable([folder(tmp_path, "yolo")])
    monkeypatch.setenv("DRYDOCK_VENVS", str(tmp_path / "venvs"))
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ValidationException) as refusal:
        table.resolve(Wanted("drydock/train-cpu:yolo", script=True))
    assert "sagemaker_program" in refusal.value.message
    assert "no C compiler (no-such-compiler)" in refusal.value.message
    assert "apt install gcc python3-dev; or run jobs in containers" in refusal.value.message
    with pytest.raises(ValidationException, match="cannot be run here"):
        table.resolve(Wanted("drydock/train-cpu:nothing", script=True))


def test_a_program_for_one_host_is_refused_several(tmp_path):
    table = ProgramTable([folder(tmp_path / "a", "one"), folder(tmp_path / "b", "many", several_hosts=True)])
    with pytest.raises(ValidationException, match="InstanceCount is 2, and the program one trains on one host"):
        table.resolve(Wanted("drydock/train-cpu:one", hosts=2))
    assert table.resolve(Wanted("drydock/train-cpu:many", hosts=2)).name == "many"


def test_a_program_cannot_take_the_name_of_scripts(tmp_path):
    with pytest.raises(ValueError, match="no program can be called 'script'"):
        ProgramTable([folder(tmp_path, "script")])


def test_programs_of_all_folders_are_known(tmp_path):
    table = ProgramTable([folder(tmp_path / "a", "one"), folder(tmp_path / "b", "two", images=["train-cpu"])])
    programs = [name for name in table.images() if not name.endswith(":script")]
    assert programs == ["drydock/train-cpu:one", "drydock/train-cpu:two", "drydock/train-gpu:one"]


def test_a_folder_may_be_named_twice_but_a_program_may_not(tmp_path):
    one = folder(tmp_path / "a", "same")
    assert ProgramTable([one, one]).images()
    with pytest.raises(ValueError, match="'same' is in both"):
        ProgramTable([one, folder(tmp_path / "b", "same")])


def test_programs_that_are_added_or_removed_later_are_seen(tmp_path):
    table = ProgramTable([folder(tmp_path, "one")])
    folder(tmp_path, "one", "two")
    assert table.resolve(Wanted("drydock/train-cpu:two")).name == "two"
    assert table.named("two").file == tmp_path / "two.py"
    folder(tmp_path, "one")
    with pytest.raises(ValidationException, match="cannot be run here"):
        table.resolve(Wanted("drydock/train-cpu:two"))
    with pytest.raises(JobError, match="program two has been removed"):
        table.named("two")


def test_a_table_that_is_broken_later_is_refused_until_it_is_mended(tmp_path):
    table = ProgramTable([folder(tmp_path, "one")])
    (tmp_path / "programs.json").write_text("{")
    for _ in range(2):
        with pytest.raises(ValidationException, match="have changed since the emulator started: "):
            table.resolve(Wanted("drydock/train-cpu:one"))
    assert table.named("one").name == "one"
    folder(tmp_path, "one")
    assert table.resolve(Wanted("drydock/train-cpu:one")).name == "one"


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
