"""A checkpoint store that a kill at any instant cannot corrupt.

An entry is a folder `<step:012d>` with the files and a manifest of their SHA-256. It is staged in a hidden folder,
synced, the manifest written last, and appears by one rename; an entry without a valid manifest does not count.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optml import durable, errors

MANIFEST = "manifest.json"
_REPLACED_PREFIX = ".old-"


@dataclass(frozen=True)
class Checkpoint:
    step: int
    epoch: int | None
    path: Path
    """The folder that holds the files."""
    extra: dict[str, Any] = field(default_factory=dict)


class Store:
    """The checkpoints of one run, the newest `keep` of them; one process writes. Opening cleans up after a kill."""

    def __init__(self, directory: Path, keep: int = 2, warn: Callable[[str], None] = errors.warn) -> None:
        if keep < 1:
            raise ValueError(f"keep is {keep}; at least one checkpoint must be kept")
        self.directory = Path(directory)
        self.keep = keep
        self._warn = warn
        self._recover()

    def save(
        self,
        step: int,
        files: Mapping[str, Callable[[Path], None]],
        epoch: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Checkpoint:
        """Write a checkpoint: each writer makes its file at the path it is given; `extra` is small and JSON.

        It is on the disk when this returns. If it raises, earlier checkpoints are as they were. Entries of a later
        step are dropped: the run has gone back behind them.
        """
        if MANIFEST in files:
            raise ValueError(f"{MANIFEST} is the store's own file")
        if step < 0:
            raise ValueError(f"step is {step}; steps count from 0")
        target = self.directory / f"{step:012d}"
        with durable.staging(self.directory) as folder:
            durable.write_files(folder, files)
            manifest = {
                "step": step,
                "epoch": epoch,
                "extra": dict(extra or {}),
                "files": {name: _fingerprint(folder / name) for name in files},
            }
            durable.write_text(folder / MANIFEST, json.dumps(manifest, indent=1))
            durable.sync(folder)
            self._put_in_place(folder, target)
        self._prune(step)
        return Checkpoint(step, epoch, target, dict(extra or {}))

    def newest(self) -> Checkpoint | None:
        """The checkpoint of the highest step whose files are whole; others are skipped, each with a warning."""
        for path in reversed(self._entries()):
            fault = _fault(path)
            if fault is None:
                manifest = _read_manifest(path)
                return Checkpoint(manifest["step"], manifest.get("epoch"), path, manifest.get("extra", {}))
            self._warn(f"checkpoint {path.name} skipped: {fault} ({path})")
        return None

    def _entries(self) -> list[Path]:
        """Folders named by a step, in ascending order, valid or not."""
        if not self.directory.is_dir():
            return []
        found = [path for path in self.directory.iterdir() if re.fullmatch(r"[0-9]{12,}", path.name) and path.is_dir()]
        return sorted(found, key=lambda path: int(path.name))

    def _put_in_place(self, folder: Path, target: Path) -> None:
        replaced = self.directory / f"{_REPLACED_PREFIX}{target.name}"
        if target.exists():
            target.rename(replaced)
        try:
            folder.rename(target)
        except OSError:
            if replaced.exists():
                replaced.rename(target)
            raise
        durable.sync(self.directory)
        shutil.rmtree(replaced, ignore_errors=True)

    def _prune(self, current: int) -> None:
        """Drop later entries, invalid ones, and all but the newest `keep`; hashes were checked when they were read."""
        kept = 0
        for path in reversed(self._entries()):
            if int(path.name) <= current and kept < self.keep and _fault(path, hashes=False) is None:
                kept += 1
                continue
            doomed = self.directory / f"{durable.STAGING_PREFIX}{path.name}"
            with contextlib.suppress(OSError):
                path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def _recover(self) -> None:
        """Undo what a killed `save` left: staged folders go, a replaced entry whose successor never came returns."""
        durable.clean_leftovers(self.directory)
        for replaced in self.directory.glob(f"{_REPLACED_PREFIX}*"):
            with contextlib.suppress(OSError):
                replaced.rename(self.directory / replaced.name[len(_REPLACED_PREFIX) :])
            shutil.rmtree(replaced, ignore_errors=True)


def _fault(path: Path, hashes: bool = True) -> str | None:
    """Why an entry does not count, or None; without `hashes` only the manifest and the sizes are looked at."""
    try:
        manifest = _read_manifest(path)
    except FileNotFoundError:
        return f"it has no {MANIFEST}"
    except (OSError, ValueError) as error:
        return f"{MANIFEST} cannot be used: {error}"
    for name, expected in manifest["files"].items():
        try:
            if (path / name).stat().st_size != expected["size_bytes"]:
                return f"{name} is not {expected['size_bytes']} bytes long"
            if hashes and _fingerprint(path / name) != expected:
                return f"{name} does not have its SHA-256"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def _read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of an entry; ValueError if it is not one of that very step."""
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    if not isinstance(manifest, dict) or manifest.get("step") != int(path.name):
        raise ValueError(f"it is not of step {int(path.name)}")
    files = manifest.get("files")
    whole = isinstance(files, dict) and all(
        isinstance(entry, dict) and set(entry) == {"sha256", "size_bytes"} for entry in files.values()
    )
    if not whole:
        raise ValueError('"files" is not a map of names to sha256 and size_bytes')
    return manifest


def _fingerprint(path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return {"sha256": digest.hexdigest(), "size_bytes": size}
