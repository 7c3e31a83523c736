"""up, down, env, exec and reset, as a person types them."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cli import emulator, lifecycle
from tests.support.drydock import Drydock
from tests.support.emulator import PROGRAMS


@pytest.fixture
def drydock(tmp_path: Path) -> Iterator[Drydock]:
    command = Drydock(tmp_path)
    yield command
    command("down")


def test_up_is_back_when_the_emulator_answers_and_down_ends_it(drydock: Drydock) -> None:
    up = drydock("up", "--port", "0", "--json")

    assert up.code == 0, up.err
    address = ("127.0.0.1", int(up.json["url"].rpartition(":")[2]))
    socket.create_connection(address).close()
    assert drydock("down").code == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_up_twice_says_so_and_keeps_the_first(drydock: Drydock) -> None:
    first = drydock("up", "--port", "0", "--json").json

    second = drydock("up", "--json")

    assert second.code == 0
    assert "already up" in second.err
    assert second.json == first


def test_up_with_another_port_than_the_one_in_use_is_refused(drydock: Drydock) -> None:
    drydock("up", "--port", "0")

    refused = drydock("up", "--port", "1")

    assert refused.code == 2
    assert "already up" in refused.err


def test_two_homes_do_not_fight_over_a_port(drydock: Drydock, tmp_path: Path) -> None:
    other = Drydock(tmp_path / "other")
    other.folder.mkdir()
    try:
        first, second = drydock("up", "--json"), other("up", "--json")

        assert (first.code, second.code) == (0, 0), first.err + second.err
        assert first.json["url"] != second.json["url"]
    finally:
        other("down")


def test_checkouts_that_start_at_once_each_get_a_port(tmp_path: Path) -> None:
    commands = [Drydock(tmp_path / name) for name in ("one", "two", "three")]
    try:
        for command in commands:
            command.folder.mkdir()
        starting = [command.start("up", "--json") for command in commands]
        replies = [process.communicate(timeout=60) for process in starting]

        assert [process.returncode for process in starting] == [0, 0, 0], replies
        assert len({json.loads(out)["url"] for out, _ in replies}) == 3
    finally:
        for command in commands:
            command("down")


def test_two_ups_at_once_end_with_one_emulator(drydock: Drydock) -> None:
    both = [drydock.start("up", "--port", "0", "--json") for _ in range(2)]
    replies = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], replies
    assert replies[0][0] == replies[1][0]


def test_a_failed_start_shows_the_end_of_the_log(drydock: Drydock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = drydock("up", "--port", str(taken.getsockname()[1]))

    assert failed.code == 1
    assert "the emulator did not start" in failed.err
    assert "cannot be used" in failed.err
    assert "hint: " in failed.err
    assert "Traceback" not in failed.err


def test_after_kill_9_up_starts_a_new_one(drydock: Drydock) -> None:
    first = drydock("up", "--port", "0", "--json").json
    os.kill(first["pid"], signal.SIGKILL)

    assert "no emulator is up" in drydock("env").err
    second = drydock("up", "--port", "0", "--json")

    assert second.code == 0, second.err
    assert second.json["pid"] != first["pid"]


def test_an_emulator_that_does_not_answer_is_told_from_none_and_down_ends_it(
    drydock: Drydock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    up = drydock("up", "--port", "0", "--json").json
    os.kill(up["pid"], signal.SIGSTOP)

    for verb in ("jobs", "up"):
        refused = drydock(verb)
        assert refused.code == 1
        assert refused.err.startswith(f"error: the emulator of {drydock.home} does not answer, but its process")
        assert refused.err.endswith("\n\nhint: drydock down ends it; then drydock up\n")

    monkeypatch.setattr(emulator, "STOP_TIMEOUT_S", 0.5)
    lifecycle.down(drydock.home)

    assert f"(process {up['pid']}) does not answer; ending it" in (told := capsys.readouterr().err)
    assert "it was killed: what it had stored is kept" in told
    assert drydock("up", "--port", "0", "--json").json["pid"] != up["pid"]


def test_a_process_that_has_the_id_of_a_dead_emulator_is_left_alone(drydock: Drydock) -> None:
    up = drydock("up", "--port", "0", "--json").json
    os.kill(up["pid"], signal.SIGKILL)
    record = drydock.home / "emulator.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"pid": os.getpid()}))

    assert "no emulator is up" in drydock("down").err


def test_drydock_alone_shows_its_help(drydock: Drydock) -> None:
    alone = drydock()

    assert (alone.code, alone.err) == (0, "")
    assert alone.out == drydock("--help").out


def test_a_folder_without_programs_is_refused_before_anything_starts(drydock: Drydock, tmp_path: Path) -> None:
    refused = drydock("up", "--programs", str(tmp_path))

    assert refused.code == 2
    assert "programs.json" in refused.err
    assert not drydock.home.exists()


def test_env_prints_only_lines_to_evaluate(drydock: Drydock) -> None:
    url = drydock("up", "--port", "0", "--json").json["url"]

    env = drydock("env")

    assert env.err == ""
    assert f"export AWS_ENDPOINT_URL={url}" in env.out.splitlines()
    assert drydock("env", "--json").json["AWS_ENDPOINT_URL"] == url


@pytest.mark.parametrize("verb", [("env",), ("jobs",), ("describe", "a"), ("logs", "a"), ("exec", "--", "true")])
def test_without_an_emulator_there_is_one_error_with_a_hint_and_nothing_on_stdout(
    drydock: Drydock, verb: tuple[str, ...]
) -> None:
    result = drydock(*verb)

    assert result.code == 1
    assert result.out == ""
    assert result.err.startswith("error: no emulator is up")
    assert result.err.endswith("\n\nhint: drydock up\n")


def test_exec_runs_the_command_under_the_variables_and_gives_its_exit_code(drydock: Drydock) -> None:
    url = drydock("up", "--port", "0", "--json").json["url"]

    result = drydock("exec", "--", "sh", "-c", 'echo "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $0 $1"; exit 7', "-x", "--y")

    assert result.code == 7
    assert result.out == f"{url} drydock -x --y\n"


def test_exec_of_a_command_that_does_not_exist_is_an_error(drydock: Drydock) -> None:
    drydock("up", "--port", "0")

    result = drydock("exec", "--", "no-such-command")

    assert result.code == 1
    assert result.err.startswith("error: cannot run no-such-command")


def test_reset_asks_and_deletes_jobs_and_objects(drydock: Drydock) -> None:
    drydock("up", "--port", "0", "--programs", str(PROGRAMS))
    assert drydock("train", "hello", "--no-wait").code == 0

    asked = drydock("reset")
    assert asked.code == 2
    assert "--yes" in asked.err
    assert drydock("jobs", "--json").json

    assert drydock("reset", "--yes").code == 0
    drydock("up", "--port", "0")
    assert drydock("jobs", "--json").json == []


def test_reset_leaves_files_that_are_not_the_emulators(drydock: Drydock) -> None:
    drydock("up", "--port", "0")
    (drydock.home / "mine.txt").touch()

    drydock("reset", "--yes")

    assert (drydock.home / "mine.txt").exists()


@pytest.mark.parametrize(
    "arguments", [("nope",), ("up", "--nope"), ("describe",), ("up", "--port", "x"), ("up", "--port", "70000")]
)
def test_wrong_usage_is_an_error_with_a_hint_and_exit_code_2(drydock: Drydock, arguments: tuple[str, ...]) -> None:
    result = drydock(*arguments)

    assert result.code == 2
    assert result.err.startswith("error: ")
    assert "\n\nhint: drydock" in result.err


def test_every_verb_has_help(drydock: Drydock) -> None:
    verbs = [line.split()[0] for line in drydock("--help").out.partition("Commands:\n")[2].splitlines() if line.strip()]

    assert {"up", "down", "env", "exec", "train", "predict", "serve", "jobs", "describe"} <= set(verbs)
    assert all(drydock(verb, "--help").out.startswith("Usage: drydock") for verb in ("up", "train", "exec"))
