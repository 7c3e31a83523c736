"""Generated photographs of cookies, whole or broken, with the mask of the break.

A cookie is a height map and a colour map in a window of the photograph; a break takes material out of both, so edges,
light and shadows follow from it. Wrinkles, chips and crumbs are on whole and broken ones alike: dark lines
alone do not tell them apart. Everything is a function of the `numpy.random.Generator` it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision import breaks, masks
from vision.tabletops import Array, Random, blurred, color, fractal, grid, tabletop

DOUGHS = ((0.80, 0.60, 0.36), (0.72, 0.49, 0.27), (0.86, 0.70, 0.48), (0.36, 0.22, 0.15), (0.60, 0.38, 0.20))
SMALLEST_BREAK_PX = 150


@dataclass(frozen=True)
class Light:
    """Where the light comes from, and how hard it is."""

    x: float  # of the unit vector towards the light, pixels of the photograph
    y: float
    hardness: float  # 0 (overcast) to 1 (lamp)


@dataclass
class Cookie:
    """A cookie in a window of the photograph whose upper left corner is at `left`, `top`; arrays are (h, w)."""

    left: int
    top: int
    radius_px: float
    cover: Array  # 0..1, the share of a pixel that is cookie
    height: Array  # pixels above the table
    albedo: Array  # (h, w, 3)


def photograph(rng: Random, width: int, height: int, *, broken: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(H, W, 3) RGB and (H, W) coverage of the break, 0 to 255; the coverage is 0 everywhere for a whole cookie."""
    angle = rng.uniform(0, 2 * math.pi)
    light = Light(math.cos(angle), math.sin(angle), rng.uniform(0.2, 1))
    scene = tabletop(rng, height, width)
    side = min(width, height)
    radius = side * rng.uniform(0.27, 0.42)
    spare = max(0.0, side / 2 - 0.95 * radius)
    x, y = width / 2 + rng.uniform(-spare, spare), height / 2 + rng.uniform(-spare, spare) * height / width
    if rng.random() < 0.2:
        away = rng.uniform(0, 2 * math.pi)
        distance = radius * rng.uniform(2.2, 2.6)
        _lay(
            scene, _bake(rng, x + distance * math.cos(away), y + distance * math.sin(away), radius, scene.shape), light
        )
    _scatter(rng, scene, light, (x, y), radius)
    cookie = _bake(rng, x, y, radius, scene.shape)
    gap = np.zeros((height, width), np.float32)
    if broken:
        _break(rng, cookie, gap)
    _lay(scene, cookie, light)
    return _develop(rng, scene), (gap * 255).astype(np.uint8)


def _bake(rng: Random, x: float, y: float, radius: float, shape: tuple[int, ...]) -> Cookie:
    """A whole cookie around (x, y) in pixels, in the part of its window that the photograph shows."""
    left, top = max(0, int(x - 1.4 * radius)), max(0, int(y - 1.4 * radius))
    right, bottom = min(shape[1], int(x + 1.4 * radius)), min(shape[0], int(y + 1.4 * radius))
    h, w = max(1, bottom - top), max(1, right - left)
    rows, columns = grid(h, w)
    dy, dx = rows - np.float32(y - top), columns - np.float32(x - left)
    rim = _rim(rng) * radius
    turn = np.arctan2(dy, dx) * (len(rim) / (2 * math.pi))
    reach = rim[turn.astype(np.int32) % len(rim)]
    distance = np.hypot(dy, dx)
    inward = np.clip(distance / reach, 0, 1)
    cover = np.clip(reach - distance + 0.5, 0, 1).astype(np.float32)
    lumps = fractal(rng, h, w, cell_px=radius / 3, detail=rng.uniform(0.5, 0.65))
    thickness = radius * rng.uniform(0.10, 0.2)
    wrinkles = np.exp(-np.abs(fractal(rng, h, w, cell_px=radius / 1.5, finest_px=2)) * rng.uniform(9, 18))
    wrinkles *= rng.uniform(0, 0.8) * (1 - inward**2)
    height = thickness * np.sqrt(np.clip(1 - inward**4, 0, 1)) + radius * 0.010 * lumps - radius * 0.02 * wrinkles
    dough = color(rng, *DOUGHS[rng.integers(len(DOUGHS))], spread=0.06)
    browned = np.clip(inward**5 * rng.uniform(0.15, 0.4) + 0.05 * lumps + 0.12 * wrinkles, -0.2, 0.7)[..., None]
    albedo = dough * (1 - browned * np.array([0.7, 1.0, 1.25], np.float32))
    cookie = Cookie(left, top, radius, cover, height.astype(np.float32), albedo.astype(np.float32))
    _top(rng, cookie, x - left, y - top)
    return cookie


def _rim(rng: Random, steps: int = 1024) -> Array:
    """The radius over a turn, 1 on average: round, oval or squarish, ragged at the edge."""
    angle = np.linspace(0, 2 * math.pi, steps, endpoint=False)
    k = np.arange(2, 48)[:, None]
    size = (
        rng.normal(0, 1, k.shape)
        * np.array([0.05, 0.03, 0.03] + [0.045 / n**1.15 for n in range(5, 48)])[:, None]
        * 1.2
    )
    wave = size * np.cos(k * angle + rng.uniform(0, 2 * math.pi, k.shape))
    return np.asarray(1 + wave.sum(axis=0), np.float32)


def _top(rng: Random, cookie: Cookie, x: float, y: float) -> None:
    """Chips or nuts on a cookie centred at (x, y) of its window (in place)."""
    chip = color(rng, *((0.20, 0.11, 0.08) if rng.random() < 0.8 else (0.85, 0.76, 0.62)))
    for _ in range(int(rng.integers(0, 15))):
        angle, far = rng.uniform(0, 2 * math.pi), cookie.radius_px * 0.85 * math.sqrt(rng.random())
        size = cookie.radius_px * rng.uniform(0.045, 0.10)
        _blob(rng, cookie, (x + far * math.cos(angle), y + far * math.sin(angle)), size, chip)


def _blob(rng: Random, cookie: Cookie, at: tuple[float, float], size: float, tint: Array) -> None:
    """A chip of about `size` pixels' radius pressed into the cookie at (x, y) of its window (in place)."""
    x, y = at
    reach = int(size * 1.6) + 2
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    patch = (slice(top, int(y) + reach), slice(left, int(x) + reach))
    h, w = cookie.cover[patch].shape
    if not h or not w:
        return
    rows, columns = grid(h, w)
    dy, dx = rows - (y - top), columns - (x - left)
    angle, squash = rng.uniform(0, math.pi), rng.uniform(1, 1.6)
    along, across = dx * math.cos(angle) + dy * math.sin(angle), (dy * math.cos(angle) - dx * math.sin(angle)) * squash
    bent = 1 + 0.15 * np.cos(3 * np.arctan2(across, along) + rng.uniform(0, 6))
    distance = np.hypot(along, across) / (size * bent)
    here = np.clip((1 - distance) * size + 0.5, 0, 1)
    cookie.albedo[patch] += (tint * rng.uniform(0.8, 1.2) - cookie.albedo[patch]) * here[..., None]
    cookie.height[patch] += here * size * 0.35 * np.sqrt(np.clip(1.05 - distance**2, 0, 1))


def _break(rng: Random, cookie: Cookie, gap: Array) -> None:
    """Break a cookie (in place) and write the coverage of the break into the photograph's `gap`."""
    for _ in range(20):
        open_, shallow = breaks.draw(rng, cookie.cover, cookie.radius_px)
        mask = np.clip(open_ + shallow, 0, 1) * cookie.cover
        found, _ = masks.components(mask >= 0.5, SMALLEST_BREAK_PX)
        if found and sum(part.area_px for part in found) > 0.95 * (mask >= 0.5).sum():
            break
    kept = np.zeros(mask.shape, bool)
    for part in found:
        x1, y1, x2, y2 = part.box
        kept[y1:y2, x1:x2] |= part.mask
    torn = blurred(mask, max(2.0, cookie.radius_px / 28)) * (1 - mask)
    crumb = fractal(rng, *mask.shape, cell_px=5, detail=0.9)
    lighter = np.clip(cookie.albedo.mean(axis=(0, 1)) * 1.25 + 0.06, 0, 0.95)
    cookie.albedo += (lighter * (1 + 0.16 * crumb[..., None]) - cookie.albedo) * np.clip(torn * 1.5, 0, 0.8)[..., None]
    cookie.height -= torn * cookie.radius_px * (0.07 + 0.02 * crumb)
    inside = np.clip(shallow, 0, 1)
    cookie.albedo *= 1 - inside[..., None] * np.array([0.62, 0.70, 0.76], np.float32)
    cookie.height -= inside * cookie.radius_px * 0.06
    cookie.cover *= 1 - np.clip(open_, 0, 1)
    h, w = mask.shape
    gap[cookie.top : cookie.top + h, cookie.left : cookie.left + w] = mask * (
        blurred(kept.astype(np.float32), 1.2) > 0.05
    )


def _scatter(rng: Random, scene: Array, light: Light, at: tuple[float, float], radius: float) -> None:
    """Crumbs on the table around a cookie at (x, y) (in place)."""
    x, y = at
    tint = color(rng, *DOUGHS[rng.integers(3)])
    for _ in range(int(rng.integers(0, 14))):
        angle, far, size = rng.uniform(0, 2 * math.pi), radius * rng.uniform(1.0, 1.9), rng.uniform(1.2, 3.6)
        cx, cy = int(x + far * math.cos(angle)), int(y + far * math.sin(angle))
        if not (8 <= cx < scene.shape[1] - 8 and 8 <= cy < scene.shape[0] - 8):
            continue
        rows, columns = grid(17, 17)
        for dx, dy, paint in ((-2 * light.x, -2 * light.y, 0.0), (0.0, 0.0, 1.0)):
            here = np.clip(size - np.hypot(rows - 8 - dy, (columns - 8 - dx) * rng.uniform(0.7, 1.2)) + 0.5, 0, 1)[
                ..., None
            ]
            patch = scene[cy - 8 : cy + 9, cx - 8 : cx + 9]
            patch += (tint * rng.uniform(0.8, 1.1) - patch) * here if paint else -0.5 * patch * here


def _lay(scene: Array, cookie: Cookie, light: Light) -> None:
    """Put a cookie on the scene, with its shadow on the table and in its own gaps (in place)."""
    h, w = cookie.cover.shape
    if min(h, w) < 2:
        return  # it lies beside the photograph
    window = scene[cookie.top : cookie.top + h, cookie.left : cookie.left + w]
    length = cookie.radius_px * (0.03 + 0.07 * light.hardness)
    cast = blurred(
        _shifted(cookie.cover, -light.x * length, -light.y * length), cookie.radius_px * (0.07 - 0.045 * light.hardness)
    )
    near = blurred(cookie.cover, cookie.radius_px * 0.05)
    window *= (1 - (0.35 + 0.3 * light.hardness) * cast)[..., None] * (1 - 0.45 * near)[..., None]
    relief = cookie.height * blurred(cookie.cover, 1.5)
    slope_y, slope_x = np.gradient(relief)
    shade = np.clip(0.9 - (0.35 + 0.45 * light.hardness) * (slope_x * light.x + slope_y * light.y), 0.3, 1.35)
    lit = cookie.albedo * shade[..., None]
    window += (lit - window) * cookie.cover[..., None]


def _shifted(array: Array, dx: float, dy: float) -> Array:
    """An array moved by whole pixels, 0 where nothing moved in."""
    x, y = round(dx), round(dy)
    moved = np.roll(array, (y, x), axis=(0, 1))
    if y:
        moved[(slice(0, y) if y > 0 else slice(y, None)), :] = 0
    if x:
        moved[:, (slice(0, x) if x > 0 else slice(x, None))] = 0
    return moved


def _develop(rng: Random, scene: Array) -> NDArray[np.uint8]:
    """What the camera makes of a scene: fall-off of light, white balance, exposure, grain."""
    height, width = scene.shape[:2]
    rows, columns = grid(height, width)
    angle = rng.uniform(0, 2 * math.pi)
    ramp = (columns / width - 0.5) * math.cos(angle) + (rows / height - 0.5) * math.sin(angle)
    corner = (columns / width - 0.5) ** 2 + (rows / height - 0.5) ** 2
    falloff = (1 + rng.uniform(0, 0.5) * ramp) * (1 - rng.uniform(0, 0.5) * corner)
    warmth = rng.normal(0, 0.05)
    balance = np.array([1 + warmth, 1 + rng.normal(0, 0.01), 1 - warmth], np.float32) * rng.uniform(0.75, 1.2)
    picture = scene * (falloff[..., None] * balance)
    picture += rng.standard_normal((height, width, 1), np.float32) * np.float32(rng.uniform(0.006, 0.02))
    tones = (np.linspace(0, 1, 4096) ** rng.uniform(0.85, 1.1) * 255).astype(np.uint8)
    return tones[(np.clip(picture, 0, 1) * 4095).astype(np.uint16)]
