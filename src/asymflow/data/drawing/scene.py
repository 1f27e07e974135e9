"""What surrounds the face of a portrait: the patterned background and the shirt."""

import numpy as np

from asymflow.data.drawing.canvas import (
    Array,
    Canvas,
    Colour,
    blend,
    clip01,
    ellipse,
    mix,
    noise1,
    noise2,
    rgb,
    smoothstep,
    strands,
    tones,
    triangle,
    wave,
)
from asymflow.data.drawing.head import Head

WALLS: dict[str, tuple[Colour, Colour]] = {  # base and accent
    "blue": (rgb(28, 66, 138), rgb(96, 144, 208)),
    "green": (rgb(20, 84, 62), rgb(92, 156, 118)),
    "yellow": (rgb(236, 180, 44), rgb(255, 228, 140)),
    "pink": (rgb(232, 122, 142), rgb(255, 198, 204)),
    "purple": (rgb(78, 48, 128), rgb(150, 122, 200)),
    "white": (rgb(184, 180, 176), rgb(254, 252, 248)),
}

CLOTHS: dict[str, tuple[Colour, Colour]] = {  # base and accent
    "white": (rgb(234, 232, 226), rgb(120, 140, 176)),
    "red": (rgb(186, 44, 46), rgb(240, 170, 150)),
    "blue": (rgb(42, 76, 152), rgb(168, 196, 236)),
    "green": (rgb(38, 112, 74), rgb(170, 214, 160)),
    "yellow": (rgb(234, 186, 44), rgb(150, 98, 20)),
    "black": (rgb(40, 42, 50), rgb(168, 168, 178)),
}


# ----- backgrounds: each gives the share of the accent colour, between 0 and 1 -----


def _plain(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    cloud = noise2(table, x * 3.0, y * 3.0) + 0.6 * noise2(table, x * 7.0 + 11.0, y * 7.0)
    return clip01(0.55 * cloud - 0.1)


def _stripes(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    return _bands(canvas, x, 7.5 * body["wall_scale"])


def _diagonals(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    return _bands(canvas, (x + y) * np.sqrt(0.5), 7.5 * body["wall_scale"])


def _bands(canvas: Canvas, q: Array, frequency: float) -> Array:
    return canvas.cover((triangle(q * frequency) - 0.5) / (2.0 * frequency))


def _dots(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    return _staggered_dots(canvas, x, y, 6.5 * body["wall_scale"])


def _staggered_dots(canvas: Canvas, x: Array, y: Array, frequency: float) -> Array:
    u, v = x * frequency, y * frequency
    u = u + _odd(np.floor(v))
    u, v = u - np.floor(u) - 0.5, v - np.floor(v) - 0.5
    return canvas.cover((np.sqrt(u * u + v * v) - 0.3) / frequency)


def _odd(row: Array) -> Array:
    """Half a step for odd rows, none for even ones."""
    return 0.5 * row - np.floor(0.5 * row)


def _gingham(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    frequency = 6.0 * body["wall_scale"]
    return 0.5 * (_bands(canvas, x, frequency) + _bands(canvas, y, frequency))


def _bricks(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    across, down = 4.5 * body["wall_scale"], 10.0 * body["wall_scale"]
    row = np.floor(y * down)
    u = x * across + _odd(row)
    joint = np.minimum(0.5 * (1.0 - triangle(u)) / across, 0.5 * (1.0 - triangle(y * down)) / down)
    brick = table.take((np.floor(u).astype(np.int64) * 29 + row.astype(np.int64) * 53) & (len(table) - 1))
    grain = noise2(table, x * 24.0, y * 24.0)
    return mix(0.4 * brick + 0.14 * grain, 1.0, canvas.cover(joint - 0.009))


def _zigzag(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    frequency = 6.0 * body["wall_scale"]
    q = y + 0.085 * triangle(x * 5.0 * body["wall_scale"])
    return canvas.cover((triangle(q * frequency) - 0.5) / (2.6 * frequency))


def _scales(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    """Overlapping discs, as on a tiled roof: each disc is light at its rim and dark towards the disc above it."""
    frequency = 6.0 * body["wall_scale"]
    share = np.zeros(np.broadcast(x, y).shape)
    for layer in (1.0, 0.0):  # of the two rows of discs that may hold a point the lower one lies on top
        row = np.floor(2.0 * y * frequency) - layer
        u = x * frequency + _odd(row)
        u, v = u - np.floor(u) - 0.5, y * frequency - 0.5 * row
        radius = np.sqrt(u * u + v * v)
        inside = canvas.cover((radius - 0.5) / frequency)
        share = mix(share, 0.1 + 0.9 * smoothstep(0.22, 0.5, radius), inside)
    return share


def _rays(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    u, v = x - body["wall_x"] - 0.5, y - body["wall_y"] - 0.45
    turn = u / (np.abs(u) + np.abs(v) + 1e-9)  # a polygon's stand-in for the angle: -1 to 1 on either half
    radius = np.sqrt(u * u + v * v)
    q = np.where(v > 0.0, 2.0 - turn, turn) * 3.5
    return canvas.cover((triangle(q + 0.25) - 0.5) * radius * 0.2)


def _bokeh(canvas: Canvas, x: Array, y: Array, body: dict[str, float], table: Array) -> Array:
    """Lights out of focus: translucent discs with a brighter rim."""
    share = np.zeros(np.broadcast(x, y).shape)
    x, y = x - body["wall_x"], y - body["wall_y"]
    for i in range(22):
        cx, cy, radius = 1.2 * table[3 * i] - 0.1, 1.1 * table[3 * i + 1] - 0.1, 0.035 + 0.055 * table[3 * i + 2]
        distance = np.sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy)) - radius
        share = share + canvas.cover(distance) * (0.34 + 0.2 * smoothstep(-0.025, 0.0, distance))
    return clip01(share)


WALL_PATTERNS = {
    "plain": _plain,
    "stripes": _stripes,
    "diagonals": _diagonals,
    "dots": _dots,
    "gingham": _gingham,
    "bricks": _bricks,
    "zigzag": _zigzag,
    "scales": _scales,
    "rays": _rays,
    "bokeh": _bokeh,
}


def draw_background(canvas: Canvas, head: Head, *, pattern: str, colour: str) -> None:
    """Paint the wall over the whole canvas, brighter where the light comes from."""
    base, accent = WALLS[colour]
    body, table, light = head.body, head.table, head.light
    x, y = canvas.centres[None, :], canvas.centres[:, None]
    share = WALL_PATTERNS[pattern](canvas, x + body["wall_x"], y + body["wall_y"], body, table)
    contrast = body["wall_contrast"]
    low, high = blend(base, accent, 0.5 - 0.5 * contrast), blend(base, accent, 0.5 + 0.5 * contrast)
    if pattern == "bokeh":  # lights want a dark ground
        low, high = blend(base, (0.05, 0.05, 0.1), 0.35), blend(accent, (1.0, 1.0, 0.95), 0.35)
    u, v = x - 0.5 - 0.3 * light[0], y - 0.4
    glow = 1.08 - 0.42 * (u * u + v * v) + 0.02 * strands(table, x + 3.0 * y, lowest=15.0, size=canvas.size)
    for plane, a, b in zip(canvas.pixels, low, high, strict=True):
        plane[:] = mix(a, b, share) * glow


# ----- shirts -----


def _cloth_plain(canvas: Canvas, x: Array, y: Array) -> Array:
    return np.zeros(x.shape)


def _cloth_stripes(canvas: Canvas, x: Array, y: Array) -> Array:
    return canvas.cover((triangle(y * 14.0) - 0.4) / 28.0)


def _cloth_checks(canvas: Canvas, x: Array, y: Array) -> Array:
    across = canvas.cover((triangle(x * 11.0) - 0.42) / 22.0)
    down = canvas.cover((triangle(y * 11.0) - 0.42) / 22.0)
    return 0.5 * (across + down)


def _cloth_dots(canvas: Canvas, x: Array, y: Array) -> Array:
    return _staggered_dots(canvas, x, y, 12.0)


CLOTH_PATTERNS = {
    "plain": _cloth_plain,
    "striped": _cloth_stripes,
    "checked": _cloth_checks,
    "dotted": _cloth_dots,
}


def _weave(x: Array, y: Array, size: int) -> Array:
    """Knit stitches, about -1 to 1, at the finest scale that `size` pixels can show."""
    total = np.zeros(x.shape)
    frequency = 22.0
    while frequency * 2.5 <= size:
        total = wave(x * frequency + 0.25 * wave(y * frequency * 0.5)) * wave(y * frequency)
        frequency = 2.0 * frequency
    return total


def draw_shirt(canvas: Canvas, head: Head, *, pattern: str, colour: str) -> None:
    """Paint shoulders and neckline."""
    base, accent = CLOTHS[colour]
    body, table, light = head.body, head.table, head.light
    area = canvas.area(head.throat, 0.0, 0.2, 0.62, 0.2)
    x, y = area.x, area.y
    slope = np.maximum(np.abs(x) - 0.11, 0.0)
    top = 0.012 + (0.2 + body["shoulder_slope"]) * slope + 3.3 * slope * slope * slope
    outline = np.maximum((top - y) * 0.94, np.abs(x) - body["shoulder_width"] - 0.12 * y)
    if body["neckline"] < 0.6:  # round
        collar = ellipse(x, y + 0.005, body["neckline_width"], 0.062)
    else:  # a V
        collar = (np.abs(x) * 1.5 + y - 0.118) * 0.55

    folds = noise1(table, (x + 0.5 * y * x / (np.abs(x) + 0.1)) * 9.0 + 40.0) - 0.5
    across = np.clip(x / 0.42, -1.0, 1.0)
    level = 0.30 + 0.34 * (light[2] * np.sqrt(1.0 - across * across) + light[0] * across) + 0.16 * folds
    level = level - 0.10 * smoothstep(0.03, 0.0, np.abs(collar)) + 0.07 * _weave(x, y, canvas.size)
    share = 0.8 * CLOTH_PATTERNS[pattern](canvas, x, y - 0.35 * x * x)
    shown = [mix(a, b, share) for a, b in zip(base, accent, strict=True)]
    shadow, glow = [0.5 * channel for channel in shown], [0.72 * channel + 0.28 for channel in shown]
    canvas.paint(area, canvas.cover(np.maximum(outline, -collar)), tones(shadow, shown, glow, level))
    rim = canvas.cover(np.maximum(np.abs(collar - 0.010) - 0.009, outline))
    canvas.paint(area, 0.5 * rim, blend(base, (0.0, 0.0, 0.0), 0.35))
