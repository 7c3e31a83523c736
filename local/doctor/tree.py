"""The files of an image: its layers put on top of each other (OCI image specification, layers and whiteouts)."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from local.doctor.layer import OPAQUE, WHITEOUT, Entry, Kind, Layer

_MOST_LINKS = 40
"""As in the kernel."""


@dataclass(frozen=True, slots=True)
class Wasted:
    """A file that a later layer deletes or replaces; it is stored and transferred all the same."""

    path: str
    size_bytes: int
    layer: int
    by: int
    """Index of the layer that hides it."""


class Tree:
    """What a container sees, by paths without a leading slash."""

    def __init__(self, layers: list[Layer]) -> None:
        self.wasted: list[Wasted] = []
        self._entries: dict[str, tuple[Entry, int]] = {}
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        for index, layer in enumerate(layers):
            self._hide(layer, index)
            for path, entry in layer.entries.items():
                if not posixpath.basename(path).startswith(WHITEOUT):
                    self._put(path, entry, index)

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        """Every path and its entry, in the order of their names."""
        return ((path, self._entries[path][0]) for path in sorted(self._entries))

    def layer_of(self, path: str) -> int:
        return self._entries[path][1]

    def has(self, path: str, layer: int) -> bool:
        """Whether the container sees the very file that this layer put there."""
        return path in self._entries and self._entries[path][1] == layer

    def find(self, path: str, base: str = "/") -> tuple[str, Entry] | None:
        """The file or folder that a path means, every link followed; None if there is none."""
        left = posixpath.join(base, path).strip("/").split("/")
        at = ""
        links = 0
        while left:
            part = left.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                at = posixpath.dirname(at)
                continue
            below = f"{at}/{part}".lstrip("/")
            entry = self._entries[below][0] if below in self._entries else None
            if entry is None and below not in self._children:
                return None
            if entry and entry.kind is Kind.symlink:
                links += 1
                if links > _MOST_LINKS:
                    return None
                at = "" if entry.target.startswith("/") else at
                left = entry.target.strip("/").split("/") + left
                continue
            at = below
        return at, self._entries[at][0] if at in self._entries else Entry(Kind.folder, 0o755)

    def _hide(self, layer: Layer, index: int) -> None:
        """Take away what the layer's whiteouts name; they concern lower layers only."""
        for path in layer.entries:
            folder, name = posixpath.split(path)
            if name == OPAQUE:
                for child in list(self._children.get(folder, ())):
                    self._remove(f"{folder}/{child}".lstrip("/"), index)
            elif name.startswith(WHITEOUT):
                self._remove(f"{folder}/{name.removeprefix(WHITEOUT)}".lstrip("/"), index)

    def _put(self, path: str, entry: Entry, index: int) -> None:
        there = self._entries.get(path)
        if there and (entry.kind is not Kind.folder or there[0].kind is not Kind.folder):
            self._remove(path, index)
        if entry.kind is Kind.hardlink and entry.target in self._entries:
            entry = replace(self._entries[entry.target][0], size_bytes=0)
        self._entries[path] = (entry, index)
        while path:
            folder, name = posixpath.split(path)
            if name in self._children[folder]:
                return
            self._children[folder].add(name)
            path = folder

    def _remove(self, path: str, by: int) -> None:
        for child in list(self._children.get(path, ())):
            self._remove(f"{path}/{child}", by)
        self._children.pop(path, None)
        folder, name = posixpath.split(path)
        self._children[folder].discard(name)
        entry, layer = self._entries.pop(path, (None, 0))
        if entry and entry.size_bytes and layer != by:
            self.wasted.append(Wasted(path, entry.size_bytes, layer, by))
