"""The fingerprint of a weights file: what is compared where two runs must end alike."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def fingerprint(path: Path) -> str:
    """SHA-256 over the (name, dtype, shape, bytes) of a .safetensors file's tensors by name; not over its metadata."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    total = hashlib.sha256()
    for name in sorted(header.keys() - {"__metadata__"}):
        first, last = header[name]["data_offsets"]
        total.update(json.dumps([name, header[name]["dtype"], header[name]["shape"]]).encode())
        total.update(content[start + first : start + last])
    return total.hexdigest()
