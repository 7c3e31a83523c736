"""What each layer of an image weighs: a Markdown table.

    python3 -m containers.layers IMAGE…

Sizes are those of the files, unpacked, as the engine counts them. Standard library only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        print("usage: python3 -m containers.layers IMAGE…", file=sys.stderr)
        return 2
    print("| image | layer | MB |\n|---|---|---|")
    for image in arguments:
        command = ["docker", "history", "--no-trunc", "--human=false", "--format", "{{json .}}", image]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            print(
                f"error: {result.stderr.strip() or image}\n\nhint: docker images lists what there is", file=sys.stderr
            )
            return 1
        layers = list(_layers(result.stdout.splitlines()))
        for name, size_bytes in layers:
            print(f"| {image} | {name} | {size_bytes / 1e6:.1f} |")
        print(f"| {image} | **all** | **{sum(size for _, size in layers) / 1e6:.1f}** |")
    return 0


def _layers(history: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Instruction and size of each layer that holds anything, from the bottom."""
    for line in reversed(history):
        row = json.loads(line)
        if size := int(row["Size"]):
            yield re.sub(r"\s*# buildkit$|\|.*?/bin/sh -c ", "", row["CreatedBy"]).strip()[:80], size


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
