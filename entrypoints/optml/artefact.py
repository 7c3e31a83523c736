"""The model folder: weights and `metadata.json`, written whole, read with clear refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optml import durable
from optml.errors import Refusal

METADATA = "metadata.json"
FORMAT = 1


def save(model_dir: Path, files: Mapping[str, Callable[[Path], None]], metadata: Mapping[str, Any]) -> None:
    """Write a model: each writer makes its file at the path it is given; then `metadata` with its `format`.

    Nothing of an earlier model changes until every file is written and synced. `metadata.json` comes last: a folder
    without it is not a model. Raises what the writers raise, and leaves nothing half-written.
    """
    if METADATA in files:
        raise ValueError(f"{METADATA} is written from the metadata, not by a writer")
    text = json.dumps({"format": FORMAT, **metadata}, indent=1, ensure_ascii=False, allow_nan=False)
    durable.clean_leftovers(model_dir)
    with durable.staging(model_dir) as folder:
        durable.write_files(folder, files)
        for name in files:
            (folder / name).chmod(0o644)  # safetensors writes 0600, which a container of another user cannot serve
        durable.write_text(folder / METADATA, text + "\n")
        (model_dir / METADATA).unlink(missing_ok=True)
        for name in files:
            (folder / name).replace(model_dir / name)
        durable.sync(model_dir)
        (folder / METADATA).replace(model_dir / METADATA)
        durable.sync(model_dir)


def read(model_dir: Path) -> dict[str, Any]:
    """The metadata of a model folder; a Refusal if it is not one that this version can read."""
    path = Path(model_dir) / METADATA
    if not path.parent.is_dir():
        raise Refusal(
            f"there is no model folder ({path.parent})", "give the folder that holds the unpacked model.tar.gz"
        )
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Refusal(
            f"there is no {METADATA}, so this is not a finished model (looked in {path.parent})",
            "give the folder that holds the unpacked model.tar.gz of a completed job",
        ) from error
    except (ValueError, OSError, RecursionError) as error:
        raise Refusal(f"{METADATA} cannot be read as JSON: {error} ({path})", "unpack model.tar.gz again") from error
    if not isinstance(metadata, dict) or "format" not in metadata:
        raise Refusal(f'{METADATA} has no "format" ({path})', "unpack model.tar.gz again")
    if metadata["format"] != FORMAT:
        raise Refusal(
            f"{METADATA} has format {metadata['format']}, and this version reads format {FORMAT} ({path})",
            "use the version of the programs that wrote the model",
        )
    return metadata
