"""The checkpoint store under faults: whatever happens, the newest valid entry is found and is whole."""

from __future__ import annotations

import errno
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optml.checkpoints import Store

Writer = Callable[[Path], object]


def writer(content: str) -> Writer:
    return lambda path: path.write_text(content * 100)


def save(store: Store, step: int, **more: Any) -> None:
    store.save(step, {"weights.pt": writer(f"w{step}"), "optimiser.pt": writer(f"o{step}")}, **more)


def content(path: Path) -> dict[str, bytes]:
    return {str(item.relative_to(path)): item.read_bytes() for item in sorted(path.rglob("*")) if item.is_file()}


def newest_step(directory: Path, warnings: list[str] | None = None) -> int | None:
    found = Store(directory, warn=(warnings if warnings is not None else []).append).newest()
    return found.step if found else None


def test_a_saved_checkpoint_is_the_newest_with_all_that_was_given(tmp_path: Path) -> None:
    store = Store(tmp_path / "checkpoints")
    assert store.newest() is None
    save(store, 120, epoch=3, extra={"best": 0.5})

    found = Store(tmp_path / "checkpoints").newest()

    assert found is not None
    assert (found.step, found.epoch, found.extra) == (120, 3, {"best": 0.5})
    assert found.path == tmp_path / "checkpoints/000000000120"
    assert (found.path / "weights.pt").read_text() == "w120" * 100
    manifest = json.loads((found.path / "manifest.json").read_text())
    assert manifest["step"] == 120
    assert set(manifest["files"]) == {"weights.pt", "optimiser.pt"}
    assert manifest["files"]["weights.pt"]["size_bytes"] == 400
    assert len(manifest["files"]["weights.pt"]["sha256"]) == 64


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(tmp_path: Path, keep: int) -> None:
    store = Store(tmp_path, keep=keep)
    for step in range(1, 6):
        save(store, step)
    assert [int(path.name) for path in sorted(tmp_path.iterdir())] == list(range(6 - keep, 6))


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save(store, 1)
    store.save(1, {"weights.pt": writer("again")})
    found = store.newest()
    assert found is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000001"]
    assert set(content(found.path)) == {"weights.pt", "manifest.json"}


def test_a_run_that_went_back_drops_what_lay_ahead(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=2)
    for step in (1, 2, 3):
        save(store, step)
    save(store, 2)
    assert newest_step(tmp_path) == 2


def damage_by_truncating(name: str) -> Writer:
    return lambda entry: (entry / name).write_bytes((entry / name).read_bytes()[:-1])


def flip_one_bit(entry: Path) -> None:
    data = bytearray((entry / "weights.pt").read_bytes())
    data[7] ^= 1
    (entry / "weights.pt").write_bytes(data)


def rewrite_manifest(change: Callable[[dict[str, Any]], object]) -> Writer:
    def damage(entry: Path) -> None:
        manifest = json.loads((entry / "manifest.json").read_text())
        change(manifest)
        (entry / "manifest.json").write_text(json.dumps(manifest))

    return damage


DAMAGES: dict[str, tuple[Writer, str]] = {
    "weights truncated": (damage_by_truncating("weights.pt"), "weights.pt is not 300 bytes long"),
    "optimiser truncated": (damage_by_truncating("optimiser.pt"), "optimiser.pt is not 300 bytes long"),
    "manifest truncated": (damage_by_truncating("manifest.json"), "manifest.json cannot be used"),
    "manifest empty": (lambda entry: (entry / "manifest.json").write_text(""), "manifest.json cannot be used"),
    "manifest deleted": (lambda entry: (entry / "manifest.json").unlink(), "it has no manifest.json"),
    "weights deleted": (lambda entry: (entry / "weights.pt").unlink(), "weights.pt cannot be read"),
    "bit flipped": (flip_one_bit, "weights.pt does not have its SHA-256"),
    "other step": (
        rewrite_manifest(lambda manifest: manifest.update(step=7)),
        "manifest.json cannot be used: it is not of step 20",
    ),
    "files lost": (rewrite_manifest(lambda manifest: manifest.pop("files")), "manifest.json cannot be used"),
    "files odd": (rewrite_manifest(lambda manifest: manifest.update(files={"a": 1})), "manifest.json cannot be used"),
    "not an object": (lambda entry: (entry / "manifest.json").write_text("[20]"), "manifest.json cannot be used"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_skipped_with_one_warning(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    save(store, 10)
    save(store, 20)
    harm, reason = DAMAGES[damage]
    harm(tmp_path / "000000000020")

    warnings: list[str] = []
    assert newest_step(tmp_path, warnings) == 10
    assert len(warnings) == 1
    assert warnings[0].startswith(f"checkpoint 000000000020 skipped: {reason}")
    assert "\n" not in warnings[0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_never_costs_a_valid_one(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path, keep=1)
    save(store, 10)
    save(store, 20)
    DAMAGES[damage][0](tmp_path / "000000000020")
    save(Store(tmp_path, keep=1), 15)
    assert newest_step(tmp_path) == 15
    save(Store(tmp_path, keep=1), 20)
    assert newest_step(tmp_path) == 20


def test_a_damaged_entry_does_not_count_among_those_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=2)
    for step in (10, 20):
        save(store, step)
    (tmp_path / "000000000020/manifest.json").unlink()
    save(store, 30)
    assert [int(path.name) for path in sorted(tmp_path.iterdir())] == [10, 30]


def test_what_is_not_an_entry_is_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save(store, 5)
    (tmp_path / "000000000005/weights.pt.sagemaker-uploaded").write_text("")
    (tmp_path / "000000000009.sagemaker-uploaded").write_text("")
    (tmp_path / "000000000009").write_text("a file")
    (tmp_path / "last.pt").write_text("someone else's")
    (tmp_path / "٠٠٠٠٠٠٠٠٠٠٠٩").mkdir()
    warnings: list[str] = []
    assert newest_step(tmp_path, warnings) == 5
    assert warnings == []
    save(store, 6)
    assert (tmp_path / "last.pt").exists()


def test_opening_clears_what_a_kill_left(tmp_path: Path) -> None:
    save(Store(tmp_path), 5)
    for left in (".tmp-abc", ".tmp-000000000004"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "weights.pt").write_text("half")
    (tmp_path / "000000000005").rename(
        tmp_path / ".old-000000000005"
    )  # killed between the two renames of a replacement

    assert newest_step(tmp_path) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["000000000005"]


def test_a_replacement_that_arrived_wins_over_the_entry_it_replaced(tmp_path: Path) -> None:
    save(Store(tmp_path), 5)
    (tmp_path / ".old-000000000005").mkdir()
    (tmp_path / ".old-000000000005/weights.pt").write_text("old")
    assert newest_step(tmp_path) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["000000000005"]


@pytest.mark.parametrize("step", [5, 6])
def test_a_full_disk_leaves_the_earlier_checkpoint_and_nothing_else(tmp_path: Path, step: int) -> None:
    store = Store(tmp_path)
    save(store, 5)
    before = content(tmp_path)

    def full(path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(OSError, match="No space left"):
        store.save(step, {"weights.pt": writer("w"), "optimiser.pt": full})
    assert content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["000000000005"]


def test_a_really_full_disk_under_a_framework_that_hides_it(tmp_path: Path) -> None:
    """In a tmpfs of 1 MiB, with a writer that raises RuntimeError as torch.save does."""
    mounted = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "none", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let a process mount a tmpfs")
    source = f"""
import errno
from pathlib import Path
from optml.checkpoints import Store
store = Store(Path({str(tmp_path)!r}))
store.save(1, {{"w": lambda path: path.write_bytes(b"1" * 1000)}})
def full(path):
    try:
        path.write_bytes(b"2" * 2_000_000)
    except OSError:
        pass
    raise RuntimeError("file write failed")
try:
    store.save(2, {{"w": full}})
except OSError as error:
    assert error.errno == errno.ENOSPC, error
    assert isinstance(error.__cause__, RuntimeError)
assert store.newest().step == 1
print("told")
"""
    command = f'mount -t tmpfs -o size=1m none {tmp_path} && exec "$0" -c "$1"'
    result = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", command, sys.executable, source],
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "entrypoints"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("told\n", "")


@pytest.mark.parametrize(
    "files", [{"manifest.json": writer("x")}, {"../x": writer("x")}, {".x": writer("x")}, {"x": lambda _: None}]
)
def test_files_that_cannot_be_are_a_fault_of_the_program(tmp_path: Path, files: dict[str, Writer]) -> None:
    with pytest.raises(ValueError, match=r"manifest\.json|plain, visible|made no file"):
        Store(tmp_path).save(1, files)
    assert list(tmp_path.iterdir()) == []


def test_extra_that_is_not_json_and_odd_numbers_are_faults(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        save(Store(tmp_path), 1, extra={"a": object()})
    with pytest.raises(ValueError, match="steps count from 0"):
        save(Store(tmp_path), -1)
    with pytest.raises(ValueError, match="keep is 0"):
        Store(tmp_path, keep=0)
    assert list(tmp_path.iterdir()) == []


SAVES_FOR_EVER = """
import sys
from pathlib import Path
from optml.checkpoints import Store
store = Store(Path(sys.argv[1]), keep=2)
found = store.newest()
step = found.step if found else 0
while True:
    step += 1
    data = bytes([step % 256]) * 200_000
    store.save(step, {"weights.pt": lambda path: path.write_bytes(data), "o.pt": lambda path: path.write_bytes(data)})
    store.save(step, {"weights.pt": lambda path: path.write_bytes(data), "o.pt": lambda path: path.write_bytes(data)})
    print(step, flush=True)
"""


def test_sigkill_at_any_instant_loses_no_checkpoint_that_was_reported(job: Any) -> None:
    directory = job.base / "checkpoints"
    choose = random.Random(0)
    reported = 0
    for _ in range(12):
        process = job.start_script(SAVES_FOR_EVER, str(directory))
        first = process.stdout.readline()
        time.sleep(choose.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        assert err == ""
        reported = max([reported, *(int(line) for line in (first + out).split())])
        warnings: list[str] = []
        found = Store(directory, warn=warnings.append).newest()
        assert found is not None
        assert found.step >= reported
        assert warnings == []
        assert (found.path / "weights.pt").read_bytes() == bytes([found.step % 256]) * 200_000
        assert not [path for path in directory.iterdir() if path.name.startswith(".")]
