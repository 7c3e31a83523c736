import socket
from pathlib import Path

import pytest

from local.cli import check
from local.cli.check import Finding, State
from tests.support.emulator import ROOT


def test_every_finding_that_is_missing_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    finding = check.certificates()

    assert finding.state is State.missing
    assert finding.remedy


def test_this_machine_is_one_that_the_tests_can_run_on() -> None:
    assert check.host().state is State.ok
    assert check.python().state is State.ok


def test_a_disk_without_room_for_pytorch_is_missing_something(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRYDOCK_VENVS", str(tmp_path))
    monkeypatch.setattr(check, "PYTORCH_GB", 1e9)

    finding = check.disk()

    assert finding.state is State.missing
    assert "DRYDOCK_VENVS" in finding.remedy


def test_the_readme_asks_for_as_much_disk_as_the_check() -> None:
    needed_gb = check.PYTORCH_GB + check.WORK_GB
    assert f"{needed_gb:.0f} GB of disk" in (ROOT / "README.md").read_text()


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRYDOCK_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(check, "USUAL_PORTS", range(number, number + 1))

        assert "are taken" in check.port().detail


def test_an_engine_and_a_gpu_are_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert check.engine().state is State.absent
    assert check.gpu().state is State.absent


def test_a_compiler_is_not_needed_and_what_it_is_for_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRYDOCK_VENVS", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")

    finding = check.scripts()

    assert finding.state is State.absent
    assert "no C compiler (no-such-compiler)" in finding.detail
    assert "apt install gcc python3-dev" in finding.detail


@pytest.mark.parametrize(("state", "code"), [(State.ok, 0), (State.absent, 0), (State.missing, 1)])
def test_the_exit_code_says_whether_something_needed_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: State, code: int
) -> None:
    monkeypatch.setattr(check, "LOOKS", (lambda: Finding("thing", state, "detail", "do this"),))

    assert check.check(as_json=False) == code
    assert "do this" in capsys.readouterr().out
