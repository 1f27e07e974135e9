"""Primitives of procedural drawing that give the same bytes on every machine.

Everything here is float64 arithmetic that IEEE 754 defines to the last bit (`+ - * /`, square root, floor, comparison),
applied element by element. There is no sine, exponential, power, matrix product or sum over an axis: their last digit
depends on the library and on the width of the processor's vectors. Random numbers are raw PCG64 words, whose stream
numpy promises to keep.

A picture spans the unit square, x to the right and y downwards, whatever its size in pixels. Shapes are signed
distances (negative inside) in these units, and `Canvas.cover` turns a distance into the share of the pixel that the
shape covers.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Colour = tuple[float, float, float]
Number = float | Array
Channels = Sequence[Number]  # red, green and blue: one colour, or one for each pixel


# ----- random numbers -----


def words(*key: int, stream: int, count: int) -> Array:
    """The first `count` 64-bit random words of one stream of a key such as (seed, index); streams are independent."""
    return np.random.PCG64(np.random.SeedSequence(key, spawn_key=(stream,))).random_raw(count)


def uniforms(*key: int, stream: int, count: int) -> Array:
    """Uniform numbers in [0, 1), float64, from the upper 53 bits of each word."""
    return (words(*key, stream=stream, count=count) >> np.uint64(11)).astype(np.float64) / 9007199254740992.0


def sensor_noise(*key: int, stream: int, shape: tuple[int, ...]) -> Array:
    """Noise of mean 0 and variance 1: the sum of four 16-bit uniforms, close to Gaussian, never beyond 3.5."""
    count = 1
    for length in shape:
        count *= length
    raw = words(*key, stream=stream, count=count)
    lanes = np.uint64(0x0000FFFF0000FFFF)
    pairs = (raw & lanes) + ((raw >> np.uint64(16)) & lanes)
    total = (pairs & np.uint64(0xFFFFFFFF)) + (pairs >> np.uint64(32))
    return ((total.astype(np.float64) - 131070.0) * (np.sqrt(3.0) / 65536.0)).reshape(shape)


# ----- scalar functions -----


def clip01(value: Array) -> Array:
    floored = np.maximum(value, 0.0)  # twice as fast as np.clip on small arrays
    return np.minimum(floored, 1.0, out=floored)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, a cubic with level ends between; `low` > `high` gives the falling edge."""
    t = clip01((value - low) / (high - low))
    return t * t * (3.0 - 2.0 * t)


def triangle(value: Array) -> Array:
    """A triangle wave of period 1: 1 at whole numbers, 0 half-way between them."""
    return np.abs(2.0 * (value - np.floor(value)) - 1.0)


def wave(value: Array) -> Array:
    """A smooth wave of period 1 between -1 and 1, a cubic stand-in for the cosine."""
    t = triangle(value)
    return t * t * (6.0 - 4.0 * t) - 1.0


def blob(x: Array, y: Number, rx: float, ry: float) -> Array:
    """A soft round spot: 1 in the centre, falling smoothly to 0 on the ellipse with half-axes rx, ry."""
    u, v = x / rx, y / ry
    t = np.maximum(1.0 - u * u - v * v, 0.0)
    return t * t


def mix(a: Number, b: Number, share: Number) -> Number:
    return a + (b - a) * share


def blend(a: Colour, b: Colour, share: float) -> Colour:
    return (mix(a[0], b[0], share), mix(a[1], b[1], share), mix(a[2], b[2], share))


def rgb(red: int, green: int, blue: int) -> Colour:
    return (red / 255.0, green / 255.0, blue / 255.0)


# ----- noise -----


def noise1(table: Array, q: Array) -> Array:
    """Smooth random function of one variable with a knot at every whole number, values in [0, 1)."""
    knot = np.floor(q)
    t = q - knot
    t = t * t * (3.0 - 2.0 * t)
    i = knot.astype(np.int64)
    last = len(table) - 1  # table lengths are powers of two
    return mix(table.take(i & last), table.take((i + 1) & last), t)


def noise2(table: Array, x: Array, y: Array) -> Array:
    """Smooth random function of two variables with knots at whole numbers, values in [0, 1)."""
    kx, ky = np.floor(x), np.floor(y)
    tx, ty = x - kx, y - ky
    tx, ty = tx * tx * (3.0 - 2.0 * tx), ty * ty * (3.0 - 2.0 * ty)
    i, j = kx.astype(np.int64), ky.astype(np.int64)
    last = len(table) - 1

    def row(j: Array) -> Array:
        return mix(table.take((i + 37 * j) & last), table.take((i + 1 + 37 * j) & last), tx)

    return mix(row(j), row(j + 1), ty)


def strands(table: Array, q: Array, *, lowest: float, size: int) -> Array:
    """Fine parallel strands across q, about -1 to 1: octaves from `lowest` per unit to what `size` pixels can show."""
    total = 2.0 * noise1(table, q * lowest) - 1.0
    frequency, weight, norm = 2.0 * lowest, 0.9, 1.0
    while frequency * 2.2 <= size:
        total = total + weight * (2.0 * noise1(table, q * frequency + 71.0 * norm) - 1.0)
        frequency, norm, weight = 2.0 * frequency, norm + 1.0, 0.85 * weight
    return total


# ----- shapes: signed distances -----


def ellipse(x: Array, y: Array, rx: Number, ry: Number) -> Array:
    """Distance to an ellipse about the origin: exact on the outline, first order near it."""
    u, v = x / rx, y / ry
    level = np.sqrt(u * u + v * v)
    slope = np.sqrt((u / rx) * (u / rx) + (v / ry) * (v / ry)) + 1e-9
    return level * (level - 1.0) / slope


def box(x: Array, y: Array, rx: float, ry: float, corner: float) -> Array:
    """Distance to a rectangle about the origin with half-sides rx, ry and rounded corners."""
    u, v = np.abs(x) - (rx - corner), np.abs(y) - (ry - corner)
    outside = np.sqrt(np.maximum(u, 0.0) * np.maximum(u, 0.0) + np.maximum(v, 0.0) * np.maximum(v, 0.0))
    return outside + np.minimum(np.maximum(u, v), 0.0) - corner


def segment(x: Array, y: Array, x0: float, y0: float, x1: float, y1: float) -> Array:
    """Distance to the straight line from (x0, y0) to (x1, y1)."""
    dx, dy = x1 - x0, y1 - y0
    t = clip01(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy))
    px, py = x - x0 - t * dx, y - y0 - t * dy
    return np.sqrt(px * px + py * py)


# ----- the canvas -----


@dataclass(frozen=True)
class Area:
    """A rectangle of the canvas, with the coordinates of its pixel centres in some frame, shape (rows, columns)."""

    rows: slice
    columns: slice
    x: Array
    y: Array


@dataclass(frozen=True)
class Frame:
    """Coordinates with their own origin and rotation (cosine, sine); units are those of the picture."""

    x: float
    y: float
    cosine: float
    sine: float


class Canvas:
    """Planar RGB pixels, (3, size, size) float64 in [0, 1], that shapes are painted on."""

    def __init__(self, size: int):
        self.size = size
        self.pixels = np.zeros((3, size, size))
        self.centres = (np.arange(size) + 0.5) / size

    def area(self, frame: Frame, x: float, y: float, reach_x: float, reach_y: float) -> Area:
        """The pixels that hold the rectangle of half-sides `reach_x`, `reach_y` about the point (x, y) of a frame."""
        column = frame.x + frame.cosine * x - frame.sine * y
        row = frame.y + frame.sine * x + frame.cosine * y
        lean = abs(frame.sine)
        columns = self._span(column, reach_x + lean * reach_y)
        rows = self._span(row, reach_y + lean * reach_x)
        dx, dy = self.centres[columns][None, :] - frame.x, self.centres[rows][:, None] - frame.y
        return Area(rows, columns, frame.cosine * dx + frame.sine * dy, frame.cosine * dy - frame.sine * dx)

    def _span(self, centre: float, reach: float) -> slice:
        reach = reach + 1.0 / self.size
        low = int((centre - reach) * self.size + 1024.0) - 1024  # truncating a positive number is floor
        high = int((centre + reach) * self.size + 1025.0) - 1024
        return slice(min(max(low, 0), self.size), min(max(high, 0), self.size))

    def cover(self, distance: Array) -> Array:
        """The share of each pixel inside a shape, from the signed distance of its centre."""
        return clip01(0.5 - distance * self.size)

    def line(self, distance: Array, width: float) -> Array:
        """The share of each pixel under a line of that width; a line thinner than a pixel fades instead of breaking."""
        half = max(0.5 * width, 0.5 / self.size)
        return self.cover(np.abs(distance) - half) * min(width * self.size, 1.0)

    def paint(self, area: Area, cover: Array, colour: Colour | Array) -> None:
        """Lay a colour, or a (3, rows, columns) picture, over an area with that opacity."""
        if isinstance(colour, tuple):
            colour = np.array(colour).reshape(3, 1, 1)
        part = self.pixels[:, area.rows, area.columns]
        part += cover * (colour - part)

    @contextmanager
    def clipped(self, area: Area, cover: Array) -> Iterator[None]:
        """Keep what the block paints inside an area only under that cover."""
        part = self.pixels[:, area.rows, area.columns]
        before = part.copy()
        yield
        part[:] = before + cover * (part - before)

    def bytes(self) -> Array:
        """The picture as uint8, (size, size, 3), rounded to the nearest level."""
        levels = np.floor(clip01(self.pixels) * 255.0 + 0.5).astype(np.uint8)
        return np.ascontiguousarray(levels.transpose(1, 2, 0))


def tones(shadow: Channels, base: Channels, light: Channels, level: Array) -> Array:
    """A ramp of three colours (or pictures) as a (3, ...) picture: `shadow` at level 0, `base` at 0.5, `light` at 1."""
    lower, upper = clip01(2.0 * level), clip01(2.0 * level - 1.0)
    return np.stack([s + (b - s) * lower + (c - b) * upper for s, b, c in zip(shadow, base, light, strict=True)])
