"""The weights of a model folder as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from training import model_folder


def save_file(state: Mapping[str, bytes], path: Path, header: Mapping[str, str]) -> None:
    """A .safetensors file of bytes, its header in the order given and padded as safetensors does."""
    tensors = {name: {"dtype": "U8", "shape": [len(v)], "data_offsets": [0, len(v)]} for name, v in state.items()}
    text = json.dumps({"__metadata__": header, **tensors}, separators=(",", ":"), ensure_ascii=False).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(state.values()))


def test_the_same_weights_are_the_same_bytes_whatever_order_their_header_came_in(tmp_path: Path) -> None:
    header = {"architecture": "resnet18", "classes": json.dumps(["gruen", "größer"], ensure_ascii=False)}
    state = {"bias": b"123"}
    for name, said in (("a", header), ("b", dict(reversed(header.items())))):
        model_folder.writer(save_file, state, said)(tmp_path / name)
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    size = int.from_bytes(content[:8], "little")
    assert json.loads(content[8 : 8 + size])["__metadata__"] == header
    assert content[8 + size :] == b"123"
