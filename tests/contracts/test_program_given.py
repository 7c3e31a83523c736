"""What a program is given, on every platform: settings, channels, hosts, folders, variables."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from tests.support.platforms import Platform, channel, new_name

SHOW = "import os, pathlib; path = BASE / 'input/data/train'; "
FILES = SHOW + "print(*sorted(str(p.relative_to(path)) for p in path.rglob('*') if p.is_file()), sep='\\n')"


def test_hyperparameters_are_a_flat_map_of_strings(platform: Platform) -> None:
    asked = {"epochs": "3", "img-size": "640", "lr0": "0.01"}
    assert platform.given(HyperParameters=asked).config("hyperparameters") == asked


def test_hyperparameters_keep_the_json_that_the_sdk_makes_of_them(platform: Platform) -> None:
    asked = {"optimizer": '"sgd"', "mosaic": "true", "classes": '["a", "b"]', "name": '"say \\"hi\\""'}
    assert platform.given(HyperParameters=asked).config("hyperparameters") == asked


def test_hyperparameters_keep_every_character(platform: Platform) -> None:
    asked = {"note": "größe 寸法 🍪 $HOME ${HOME} 'single' \"double\" back\\slash", "empty": ""}
    assert platform.given(HyperParameters=asked).config("hyperparameters") == asked


def test_without_hyperparameters_there_is_an_empty_map(platform: Platform) -> None:
    assert platform.given().config("hyperparameters") == {}


def test_a_channel_has_the_files_of_its_prefix_in_their_folders(platform: Platform) -> None:
    prefix = f"{new_name('nested')}/"
    platform.store(f"{prefix}a.txt", b"one")
    platform.store(f"{prefix}deep/er/b.txt", b"two")
    uri = platform.store(prefix, b"")  # what the console makes for a folder
    tree = platform.given(InputDataConfig=[channel(uri)]).tree
    found = {path: text for path, text in tree.items() if path.startswith("input/data/train/") and text is not None}
    assert found == {"input/data/train/a.txt": "one", "input/data/train/deep/er/b.txt": "two"}


def test_a_channel_has_the_bytes_that_were_stored(platform: Platform) -> None:
    content = os.urandom(300_000)
    prefix = new_name("bytes")
    platform.store(f"{prefix}/image.bin", content)
    code = f"import hashlib; {SHOW} print(hashlib.sha256((path / 'image.bin').read_bytes()).hexdigest())"
    uri = platform.store(f"{prefix}/empty", b"").removesuffix("empty")
    assert platform.completed(code, InputDataConfig=[channel(uri)]) == [hashlib.sha256(content).hexdigest()]


def test_a_channel_may_have_an_empty_file(platform: Platform) -> None:
    uri = platform.store(f"{new_name('empty')}/nothing.txt", b"")
    code = SHOW + "print([(p.name, p.stat().st_size) for p in path.iterdir()])"
    lines = platform.completed(code, InputDataConfig=[channel(uri.removesuffix("nothing.txt"))])
    assert lines == ["[('nothing.txt', 0)]"]


def test_a_channel_keeps_names_with_spaces_and_letters_of_any_script(platform: Platform) -> None:
    prefix = new_name("names")
    names = ["größe 寸法.txt", "two  spaces.txt", "plus+and=percent%20.txt"]
    uris = [platform.store(f"{prefix}/{name}", b"x") for name in names]
    lines = platform.completed(FILES, InputDataConfig=[channel(uris[0].removesuffix(names[0]))])
    assert sorted(lines) == sorted(names)


def test_a_channel_may_be_one_object(platform: Platform) -> None:
    prefix = new_name("single")
    platform.store(f"{prefix}/other.txt", b"other")
    uri = platform.store(f"{prefix}/only.txt", b"only")
    assert platform.completed(FILES, InputDataConfig=[channel(uri)]) == ["only.txt"]


def test_a_prefix_that_ends_in_a_slash_takes_nothing_of_its_neighbours(platform: Platform) -> None:
    prefix = new_name("set")
    platform.store(f"{prefix}2/not-mine.txt", b"x")
    uri = platform.store(f"{prefix}/mine.txt", b"x").removesuffix("mine.txt")
    assert platform.completed(FILES, InputDataConfig=[channel(uri)]) == ["mine.txt"]


def test_channels_are_apart(platform: Platform) -> None:
    prefix = new_name("two")
    train = platform.store(f"{prefix}/train/a.txt", b"a").removesuffix("a.txt")
    validation = platform.store(f"{prefix}/validation/b.txt", b"b").removesuffix("b.txt")
    tree = platform.given(InputDataConfig=[channel(train), channel(validation, "validation")]).tree
    found = {path: text for path, text in tree.items() if path.startswith("input/data/") and path.endswith(".txt")}
    assert found == {"input/data/train/a.txt": "a", "input/data/validation/b.txt": "b"}


def test_a_channel_can_be_written_to(platform: Platform) -> None:
    uri = platform.store(f"{new_name('cache')}/a.txt", b"x").removesuffix("a.txt")
    code = SHOW + "(path / 'labels.cache').write_text('mine'); print((path / 'labels.cache').read_text())"
    assert platform.completed(code, InputDataConfig=[channel(uri)]) == ["mine"]


def test_the_channels_are_listed_with_their_input_mode(platform: Platform) -> None:
    uri = platform.store(f"{new_name('listed')}/a.txt", b"x").removesuffix("a.txt")
    listed = platform.given(InputDataConfig=[channel(uri), channel(uri, "validation")]).config("inputdataconfig")
    assert {name: entry["TrainingInputMode"] for name, entry in listed.items()} == {
        "train": "File", "validation": "File"
    }  # fmt: skip


def test_a_channel_says_how_it_is_distributed_and_wrapped(platform: Platform) -> None:
    uri = platform.store(f"{new_name('how')}/a.txt", b"x").removesuffix("a.txt")
    entry = platform.given(InputDataConfig=[channel(uri)]).config("inputdataconfig")["train"]
    assert (entry["S3DistributionType"], entry["RecordWrapperType"]) == ("FullyReplicated", "None")


def test_a_content_type_is_passed_on_and_only_then(platform: Platform) -> None:
    uri = platform.store(f"{new_name('typed')}/a.txt", b"x").removesuffix("a.txt")
    channels = [channel(uri, ContentType="application/x-image"), channel(uri, "plain")]
    listed = platform.given(InputDataConfig=channels).config("inputdataconfig")
    assert listed["train"]["ContentType"] == "application/x-image"
    assert "ContentType" not in listed["plain"]


def test_beside_a_channel_lies_the_manifest_of_its_objects(platform: Platform) -> None:
    uri = platform.store(f"{new_name('manifest')}/a.txt", b"x").removesuffix("a.txt")
    tree = platform.given(InputDataConfig=[channel(uri)]).tree
    assert uri in str(tree["input/data/train-manifest"])


def test_the_host_is_one_of_the_hosts(platform: Platform) -> None:
    resources = platform.given().config("resourceconfig")
    assert resources["hosts"] == [resources["current_host"]]
    assert resources["current_host"].startswith("algo-1")
    assert resources["network_interface_name"]


def test_the_host_is_named_as_in_sagemaker(platform: Platform) -> None:
    assert platform.given().config("resourceconfig")["current_host"] == "algo-1"


def test_the_instance_type_is_told(platform: Platform) -> None:
    assert platform.given().config("resourceconfig")["current_instance_type"].startswith("ml.")


def test_the_hosts_are_told_in_groups(platform: Platform) -> None:
    (group,) = platform.given().config("resourceconfig")["instance_groups"]
    assert group["hosts"] == ["algo-1"]


def test_the_folders_for_results_are_there_and_empty(platform: Platform) -> None:
    tree = platform.given().tree
    for folder in ("model", "output", "output/data"):
        assert tree[folder] is None
    assert [path for path, text in tree.items() if path.startswith(("model/", "output/")) and text is not None] == []


def test_a_program_may_write_anywhere_it_is_promised(platform: Platform) -> None:
    places = "['model', 'output', 'output/data', 'input/config', 'input/data']"
    code = f"import tempfile; [(BASE / place / 'probe').write_text('x') for place in {places}]; tempfile.mkdtemp()"
    assert platform.completed(f"{code}; print('wrote')") == ["wrote"]


def test_the_variables_name_the_job_and_the_region(platform: Platform) -> None:
    given = platform.given()
    assert given.environment["TRAINING_JOB_NAME"] == given.name
    assert given.environment["AWS_REGION"]


def test_the_arn_of_the_job_is_a_variable(platform: Platform) -> None:
    given = platform.given()
    assert given.environment["TRAINING_JOB_ARN"].endswith(f":training-job/{given.name}")


@pytest.mark.parametrize(
    "value", ["1", "two words", "a=b", '{"json": "quoted"}', "größe 寸法", "it's", ""],
    ids=["digit", "spaces", "equals sign", "JSON", "letters", "apostrophe", "empty"],
)  # fmt: skip
def test_a_variable_of_the_request_is_given_as_it_is(platform: Platform, value: str) -> None:
    code = "import json, os; print(json.dumps(os.environ['MINE']))"
    assert [json.loads(line) for line in platform.completed(code, Environment={"MINE": value})] == [value]


def test_a_dollar_in_a_variable_stays_one(platform: Platform) -> None:
    code = "import os; print(os.environ['PRICE'])"
    assert platform.completed(code, Environment={"PRICE": "5 $HOME"}) == ["5 $HOME"]


def test_nothing_of_who_started_the_job_reaches_the_program(platform: Platform) -> None:
    environment = platform.given().environment
    assert not [name for name in environment if name.startswith(("PYTEST_", "SSH_", "XDG_", "SAGEMAKER_USER_"))]


def test_network_isolation_takes_the_keys_away(platform: Platform) -> None:
    environment = platform.given(EnableNetworkIsolation=True).environment
    assert "AWS_ACCESS_KEY_ID" not in environment


def test_checkpoints_have_a_folder_and_a_setting(platform: Platform) -> None:
    uri = platform.store(f"{new_name('checkpoints')}/1", b"x").removesuffix("/1")
    given = platform.given(CheckpointConfig={"S3Uri": uri})
    assert given.config("checkpointconfig") == {"LocalPath": "/opt/ml/checkpoints"}
    assert given.tree["checkpoints/1"] == "x"
