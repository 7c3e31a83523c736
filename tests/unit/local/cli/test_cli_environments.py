"""The launcher and the environments, in a checkout of its own whose locks name one tiny wheel; nothing is fetched."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
UV = ROOT / ".venvs" / "uv" / "bin"

STUB = """
import json, os, sys, tiny
callers = os.environ.get("DRYDOCK_CALLERS_PYTHONPATH")
print(json.dumps({"arguments": sys.argv[1:], "prefix": sys.prefix, "callers": callers, "tiny": tiny.VERSION}))
"""


def write_wheel(folder: Path, version: str) -> str:
    """A wheel of the package `tiny`; returns its line in a lock."""
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    metadata = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        archive.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{metadata}/RECORD", f"tiny.py,,\n{metadata}/METADATA,,\n{metadata}/WHEEL,,\n{metadata}/RECORD,,\n"
        )
    return f"tiny=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The launcher, the modules it uses, and a command line that tells how it was called."""
    folder = tmp_path / "check out"
    modules = ("local/environments.py", "local/installer.py", "local/uv.py")
    for name in ("drydock", *modules, "containers/uv/requirements.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for lock in ("containers/local/requirements.lock", "containers/pytorch/requirements.lock"):
        (folder / lock).parent.mkdir(parents=True, exist_ok=True)
        (folder / lock).write_text(write_wheel(tmp_path, "1.0"))
    (folder / "local/cli").mkdir()
    (folder / "local/cli/__main__.py").write_text(STUB)
    return folder


def launch(checkout: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "DRYDOCK_VENVS"}}
    path = {"PATH": f"{UV}{os.pathsep}{os.environ['PATH']}", "UV_FIND_LINKS": str(checkout.parent), "UV_OFFLINE": "1"}
    command = [sys._base_executable, str(checkout / "drydock"), *arguments]  # type: ignore[attr-defined]
    return subprocess.run(
        command, env=inherited | path | environ, cwd="/", capture_output=True, text=True, check=False, timeout=120
    )


def test_the_launcher_makes_the_environment_and_hands_over_its_arguments(checkout: Path) -> None:
    result = launch(checkout, "train", "yolo", "--hp", "a=b c", PYTHONPATH="/mine")

    assert result.returncode == 0, result.stderr
    reply = json.loads(result.stdout)
    assert reply["arguments"] == ["train", "yolo", "--hp", "a=b c"]
    assert Path(reply["prefix"]).resolve() == (checkout / ".venvs/emulator").resolve()
    assert reply["callers"] == "/mine"
    assert reply["tiny"] == "1.0"
    assert "making the emulator environment" in result.stderr


def test_a_second_run_has_nothing_to_say(checkout: Path) -> None:
    launch(checkout)

    assert launch(checkout).stderr == ""


def test_a_changed_lock_makes_the_environment_again_and_removes_the_old_one(checkout: Path) -> None:
    launch(checkout)
    before = (checkout / ".venvs/emulator").resolve()
    (checkout / "containers/local/requirements.lock").write_text(write_wheel(checkout.parent, "2.0"))

    result = launch(checkout)

    assert json.loads(result.stdout)["tiny"] == "2.0"
    assert (checkout / ".venvs/emulator").resolve() != before
    assert not before.exists()


def test_the_environment_of_an_older_lock_stays_while_a_process_runs_in_it(checkout: Path) -> None:
    launch(checkout)
    before = (checkout / ".venvs/emulator").resolve()
    user = subprocess.Popen([before / "bin/python", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (checkout / "containers/local/requirements.lock").write_text(write_wheel(checkout.parent, "2.0"))
        launch(checkout)
        assert before.exists()
    finally:
        user.communicate(b"\n")


def test_only_environments_of_older_locks_are_removed(checkout: Path) -> None:
    launch(checkout)
    made = checkout / ".venvs/.made"
    others = [made / f"emulator-{name}" for name in ("script-0123456789ab", "by-hand-1", "0123456789abc")]
    old = made / "emulator-0123456789ab"
    for folder in (*others, old):
        folder.mkdir()
    (checkout / "containers/local/requirements.lock").write_text(write_wheel(checkout.parent, "2.0"))

    launch(checkout)

    assert all(folder.exists() for folder in others)
    assert not old.exists()


def test_an_interrupted_installation_is_done_again(checkout: Path) -> None:
    launch(checkout)
    made = (checkout / ".venvs/emulator").resolve()
    (made / "drydock.json").unlink()
    (checkout / ".venvs/emulator").unlink()
    (made / "left behind").touch()

    result = launch(checkout)

    assert result.returncode == 0, result.stderr
    assert not (made / "left behind").exists()


def test_an_environment_whose_interpreter_is_gone_is_made_again(checkout: Path) -> None:
    launch(checkout)
    python = (checkout / ".venvs/emulator/bin/python").absolute()
    python.unlink()
    python.symlink_to("/nowhere/python3")

    assert "making the emulator environment" in launch(checkout).stderr


def test_two_at_once_make_it_once(checkout: Path) -> None:
    said: list[str] = []
    threads = [threading.Thread(target=lambda: said.append(launch(checkout).stderr)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert "".join(said).count("MB, once") == 1


def test_an_environment_made_by_hand_is_kept_if_it_matches(checkout: Path) -> None:
    launch(checkout)
    place = checkout / ".venvs/emulator"
    made = place.resolve()
    place.unlink()
    made.rename(place)
    (place / "drydock.json").unlink()

    result = launch(checkout)

    assert result.stderr == ""
    assert not place.is_symlink()


def test_an_environment_made_by_hand_that_does_not_match_is_set_aside_and_said(checkout: Path) -> None:
    place = checkout / ".venvs/emulator"
    subprocess.run([sys._base_executable, "-m", "venv", "--without-pip", place], check=True)  # type: ignore[attr-defined]
    (place / "mine").touch()

    result = launch(checkout)

    assert json.loads(result.stdout)["tiny"] == "1.0"
    (kept,) = (checkout / ".venvs/.made").glob("emulator-by-hand-*")
    assert (kept / "mine").exists()
    assert str(kept) in result.stderr


def test_an_index_that_does_not_answer_is_one_line_and_a_hint(checkout: Path) -> None:
    hashed = "no-such-package-of-anyone==1.0 --hash=sha256:" + "0" * 64
    (checkout / "containers/local/requirements.lock").write_text(hashed + "\n")

    result = launch(checkout, UV_DEFAULT_INDEX="http://127.0.0.1:9/simple", UV_HTTP_RETRIES="0", UV_OFFLINE="0")

    assert result.returncode == 1
    error, _, hint = result.stderr[result.stderr.index("error: ") :].partition("\n\n")
    assert error.startswith("error: the package index cannot be reached")
    assert hint.startswith("hint: ")
    assert "UV_DEFAULT_INDEX" in hint
    assert "Traceback" not in result.stderr


def test_a_package_that_is_not_the_one_in_the_lock_is_refused(checkout: Path) -> None:
    (checkout / "containers/local/requirements.lock").write_text("tiny==1.0 --hash=sha256:" + "0" * 64 + "\n")

    result = launch(checkout)

    assert result.returncode == 1
    assert "error: the package index serves another file than the lock names" in result.stderr
    assert not (checkout / ".venvs/emulator").exists()


def test_a_folder_that_cannot_be_written_is_named(checkout: Path) -> None:
    (checkout / "file").touch()

    result = launch(checkout, DRYDOCK_VENVS=str(checkout / "file" / "venvs"))

    assert result.returncode == 1
    assert "DRYDOCK_VENVS" in result.stderr
    assert "Traceback" not in result.stderr


def test_make_gets_the_path_of_an_environments_python(checkout: Path) -> None:
    environ = {
        "PATH": f"{UV}{os.pathsep}{os.environ['PATH']}",
        "UV_FIND_LINKS": str(checkout.parent),
        "UV_OFFLINE": "1",
    }
    command = [sys._base_executable, "-m", "local.environments"]  # type: ignore[attr-defined]

    made = subprocess.run([*command, "pytorch"], cwd=checkout, env=environ, capture_output=True, text=True, check=True)
    wrong = subprocess.run([*command, "jax"], cwd=checkout, env=environ, capture_output=True, text=True, check=False)

    assert Path(made.stdout.strip()) == (checkout / ".venvs/pytorch").resolve() / "bin/python"
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("error: there is no environment")


def test_the_environments_have_a_lock_each() -> None:
    from local.environments import CHECKOUT, ENVIRONMENTS

    for environment in ENVIRONMENTS.values():
        assert "--hash=sha256:" in (CHECKOUT / environment.lock).read_text()


def test_an_unknown_environment_is_refused_with_the_known_ones() -> None:
    from local import environments
    from local.installer import SetUpError

    with pytest.raises(SetUpError) as refused:
        environments.ensure("jax")

    assert "pytorch" in refused.value.hint


def test_python_is_the_interpreter_itself() -> None:
    from local import environments

    code = "import sys; print(sys.prefix == sys.base_prefix)"
    assert subprocess.check_output([environments.ensure("python"), "-c", code], text=True).strip() == "True"
