"""Host names of a job's own: every program sees them, and nobody else."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local.jobs import names

PYTHON = "/usr/bin/python3"
SOMEBODY = 54321


def resolve(folder, *prefix):
    script, hosts = Path(shutil.copy(names.__file__, folder)), folder / "hosts"
    hosts.write_text(names.content({"algo-1": "127.0.0.2", "algo-2": "127.0.0.3"}))
    look = ["/usr/bin/getent", "hosts", "algo-1", "algo-2", "localhost"]
    return subprocess.run(
        [*prefix, PYTHON, "-I", "-S", script, hosts, *look], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not Path(PYTHON).exists(), reason=f"there is no {PYTHON}, which any user can run")
@pytest.mark.skipif(os.getuid() != 0, reason="runs a program as another user, which only root can")
@pytest.mark.parametrize("user", [0, SOMEBODY])
def test_a_program_finds_the_hosts_beside_those_of_the_machine(tmp_path_factory, user):
    folder = tmp_path_factory.mktemp("names")
    for place in (folder, *folder.parents):
        if place.is_relative_to(tempfile.gettempdir()) and place != Path(tempfile.gettempdir()):
            place.chmod(0o755)
    before = Path("/etc/hosts").read_text()
    found = resolve(folder, "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    if "Operation not permitted" in found.stderr:
        pytest.skip("the kernel allows this user no namespaces")
    assert [line.split()[0] for line in found.stdout.splitlines()][:2] == ["127.0.0.2", "127.0.0.3"]
    assert "localhost" in found.stdout
    assert Path("/etc/hosts").read_text() == before
    with pytest.raises(OSError, match="Name"):
        socket.gethostbyname("algo-1")


def test_what_cannot_be_run_says_so(tmp_path):
    (tmp_path / "hosts").write_text("")
    command = [sys.executable, "-I", "-S", names.__file__, tmp_path / "hosts", tmp_path / "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert done.stderr.startswith(f"[drydock] cannot run {tmp_path}/nothing with host names of its own: ")
