"""Binary masks: COCO run lengths, connected components, contours and polygons, in numpy only.

A mask is (H, W) bool, indexed [y, x]. Contours run along pixel edges, so a contour encloses exactly its mask's
area, its extent is the mask's half-open box, and `rasterise` turns it back into the same mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Ring = NDArray[np.float64]  # (N, 2) x, y
MINIMUM_AREA_PX = 16
LONGEST_RUN_BITS = 60


class Rle(TypedDict):
    """COCO run lengths, column by column, first run background; `counts` as list or as COCO's string."""

    size: list[int]  # [height, width]
    counts: str | list[int]


@dataclass(frozen=True, eq=False)
class Component:
    """An 8-connected region: its half-open box in pixels and its pixels in that box."""

    box: tuple[int, int, int, int]
    mask: Mask  # (y2 - y1, x2 - x1)

    @property
    def area_px(self) -> int:
        return int(self.mask.sum())


def encode(mask: Mask) -> Rle:
    """COCO's compressed run lengths of a mask."""
    flat = np.concatenate(([False], mask.T.ravel(), [False]))
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate(([0], changes, [mask.size] if not changes.size or changes[-1] < mask.size else [])))
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": _pack(counts.astype(int).tolist())}


def decode(rle: Rle) -> Mask:
    """The (H, W) mask of run lengths; ValueError if they do not fill it."""
    height, width = rle["size"]
    counts = rle["counts"]
    runs = _unpack(counts) if isinstance(counts, str) else counts
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"run lengths add up to {sum(runs)}, not to {height} x {width}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, np.array(runs, np.int64))
    return np.ascontiguousarray(flat.reshape(width, height).T)


def components(mask: Mask, minimum_area: int = MINIMUM_AREA_PX) -> tuple[list[Component], int]:
    """The 8-connected components of at least `minimum_area` pixels, and how many smaller ones were dropped."""
    rows, starts, ends = _runs(mask)
    if not rows.size:
        return [], 0
    roots = _merge(len(rows), *_touching(rows, starts, ends, mask.shape[0]))
    _, labels = np.unique(roots, return_inverse=True)
    areas = np.bincount(labels, weights=ends - starts)
    kept = np.flatnonzero(areas >= minimum_area)
    order = np.argsort(labels, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    found = [_component(rows[own], starts[own], ends[own]) for own in (members[label] for label in kept)]
    return found, len(areas) - len(kept)


def outline(component: Component) -> Ring:
    """The component's contour in image coordinates, one closed ring; holes are joined to it by cuts of no width."""
    return np.asarray(bridge(contours(component.mask)) + component.box[:2])


def contours(mask: Mask) -> list[Ring]:
    """Rings along the pixel edges of an 8-connected mask: clockwise on screen around it, the other way round holes."""
    exits = _exits(mask)
    stride = mask.shape[1] + 1
    steps = (1, stride, -1, -stride)  # east, south, west, north
    pending = {int(v): int(exits[v]) for v in np.flatnonzero(exits)}
    rings = []
    while pending:
        start = next(iter(pending))
        first = _lowest(pending[start])
        vertex, direction, corners = start, first, [start]
        while True:
            pending[vertex] &= ~(1 << direction)
            if not pending[vertex]:
                del pending[vertex]
            vertex += steps[direction]
            ahead = int(exits[vertex])
            turn = _lowest(ahead) if ahead & (ahead - 1) == 0 else (direction - 1) % 4
            if vertex == start and turn == first:
                break
            if turn != direction:
                corners.append(vertex)
            direction = turn
        if direction == first:
            corners.pop(0)
        rings.append(np.array([divmod(v, stride)[::-1] for v in corners], float))
    return rings


def bridge(rings: Sequence[Ring]) -> Ring:
    """One ring that passes through all of `rings`, joined at near points by cuts that are walked both ways."""
    joined = rings[0]
    for ring in rings[1:]:
        i = _nearest(joined, ring[0])
        j = _nearest(ring, joined[i])
        i = _nearest(joined, ring[j])
        joined = np.concatenate([joined[: i + 1], ring[j:], ring[: j + 1], joined[i:]])
    return joined


def rasterise(polygons: Sequence[Ring], height: int, width: int) -> Mask:
    """The union of polygons, each filled by the even-odd rule at pixel centres."""
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        mask |= _fill(np.asarray(polygon, float), height, width)
    return mask


def box_of(mask: Mask) -> tuple[int, int, int, int] | None:
    """The tight half-open box of a mask, None if it is empty."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1) if ys.size else None


def _nearest(ring: Ring, point: Ring) -> int:
    return int(((ring - point) ** 2).sum(axis=1).argmin())


def _fill(ring: Ring, height: int, width: int) -> Mask:
    a, b = ring, np.roll(ring, -1, axis=0)
    down = (a[:, 1] <= b[:, 1])[:, None]
    (ax, ay), (bx, by) = np.where(down, a, b).T, np.where(down, b, a).T
    first, last = (np.clip(np.ceil(y - 0.5), 0, height).astype(int) for y in (ay, by))
    count = last - first
    edge = np.repeat(np.arange(len(ring)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    x = ax[edge] + (row + 0.5 - ay[edge]) / (by - ay)[edge] * (bx - ax)[edge]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
    crossings = np.bincount(row * (width + 1) + column, minlength=height * (width + 1)).reshape(height, width + 1)
    return (np.cumsum(crossings, axis=1)[:, :width] & 1).astype(bool)


def _runs(mask: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row, first column and end column of every horizontal run, in raster order."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def _touching(
    rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of runs in neighbouring rows that touch, corners included."""
    span = int(ends.max()) + 2
    low = np.searchsorted(rows * span + ends, (rows - 1) * span + starts, side="left")
    high = np.searchsorted(rows * span + starts, (rows - 1) * span + ends, side="right")
    count = np.maximum(high - low, 0)
    lower = np.repeat(np.arange(len(rows)), count)
    upper = np.arange(len(lower)) - np.repeat(np.cumsum(count) - count, count) + low[lower]
    return upper, lower


def _merge(n: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """The smallest index reachable from each of n nodes along the edges a-b."""
    parent = np.arange(n)
    while (parent[a] != parent[b]).any():
        low = np.minimum(parent[a], parent[b])
        np.minimum.at(parent, parent[a], low)
        np.minimum.at(parent, parent[b], low)
        while (parent[parent] != parent).any():
            parent = parent[parent]
    return parent


def _component(rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Component:
    x1, y1, x2, y2 = int(starts.min()), int(rows[0]), int(ends.max()), int(rows[-1]) + 1
    steps = np.zeros((y2 - y1, x2 - x1 + 1), np.int8)
    steps[rows - y1, starts - x1] = 1
    steps[rows - y1, ends - x1] -= 1
    return Component((x1, y1, x2, y2), np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1].astype(bool))


def _exits(mask: Mask) -> NDArray[np.uint8]:
    """For each pixel corner, flat in raster order, the directions in which a contour leaves it, a bit each."""
    padded = np.pad(mask, 1)
    above_left, above, left, here = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    east, south = here & ~above, left & ~here
    west, north = above_left & ~left, above & ~above_left
    return np.asarray(east + 2 * south + 4 * west + 8 * north, np.uint8).ravel()


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _pack(counts: Sequence[int]) -> str:
    """COCO's string: differences to the count before last, five bits a character."""
    text = []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append(chr(bits + 48 + (0x20 if more else 0)))
            if not more:
                break
    return "".join(text)


def _unpack(text: str) -> list[int]:
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError(f"{character!r} is no character of COCO run lengths")
        if shift > LONGEST_RUN_BITS:
            raise ValueError("a run length has too many characters")
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("the run lengths end in the middle of a number")
    return counts
