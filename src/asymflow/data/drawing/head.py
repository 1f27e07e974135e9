"""Neck, head and ears of a portrait, and the geometry that everything on the head shares.

The head frame has its origin in the middle of the head and is tilted with it. A feature sits at (fx, fy), in units of
the half-axes, on an ellipsoid; turning the head moves it sideways and narrows it.
"""

from dataclasses import dataclass

import numpy as np

from asymflow.data.drawing.canvas import (
    Area,
    Array,
    Canvas,
    Colour,
    Frame,
    blend,
    blob,
    clip01,
    ellipse,
    mix,
    rgb,
    smoothstep,
    tones,
    wave,
)

SKINS: dict[str, tuple[Colour, Colour, Colour]] = {  # in shadow, plain, in the light
    "fair": (rgb(198, 138, 120), rgb(246, 208, 188), rgb(255, 238, 226)),
    "tan": (rgb(160, 102, 72), rgb(226, 172, 134), rgb(252, 214, 184)),
    "olive": (rgb(116, 78, 48), rgb(186, 140, 96), rgb(226, 190, 146)),
    "brown": (rgb(76, 42, 28), rgb(144, 92, 62), rgb(196, 142, 106)),
    "dark": (rgb(38, 20, 17), rgb(90, 56, 42), rgb(150, 104, 80)),
}

SIDES = (-1.0, 1.0)  # left and right, as seen in the picture
Light = tuple[float, float, float]  # direction towards the light: right, down, towards the viewer; length about 1
LIGHTS: dict[str, Light] = {"left": (-0.80, -0.34, 0.48), "even": (0.0, -0.32, 0.95), "right": (0.80, -0.34, 0.48)}
POSES: dict[str, float] = {"left": -0.42, "front": 0.0, "right": 0.42}  # sine of the turn


@dataclass(frozen=True)
class Head:
    """Where the head is and how it is turned, with the light and the person's own measures and random table."""

    frame: Frame
    width: float  # half-axes
    height: float
    sine: float  # of the turn; positive towards the right edge of the picture
    cosine: float
    light: Light
    body: dict[str, float]
    table: Array

    def project(self, fx: float, fy: float, *, relief: float) -> tuple[float, float, float]:
        """Position of a surface point in the head frame, and the factor by which the turn narrows what lies there."""
        depth = 0.95 * float(np.sqrt(max(1.0 - fx * fx - fy * fy, 0.04))) + relief
        x = self.width * (self.cosine * fx + self.sine * depth)
        return x, self.height * fy, max(self.cosine - self.sine * fx / depth, 0.4)

    @property
    def throat(self) -> Frame:
        """The upright frame of neck and shirt: its origin is where the throat meets the chest."""
        return Frame(0.5 + self.body["head_x"], self.frame.y + self.height + 0.085, 1.0, 0.0)

    @property
    def hinge(self) -> float:
        """How far the ears have moved sideways by the turn; they sit a little behind the middle of the head."""
        return -0.12 * self.sine * self.width


def pose_head(body: dict[str, float], table: Array, *, pose: str, light: str) -> Head:
    """The head of a person with these measures, turned to a side and lit from a side."""
    sine = POSES[pose] + body["turn"]
    half = 0.5 * body["tilt"]  # tangent of half the tilt gives cosine and sine without trigonometry
    frame = Frame(
        x=0.5 + body["head_x"] + 0.02 * sine,
        y=0.45 + body["head_y"],
        cosine=(1.0 - half * half) / (1.0 + half * half),
        sine=2.0 * half / (1.0 + half * half),
    )
    width, height = body["head_width"] * body["scale"], body["head_height"] * body["scale"]
    return Head(frame, width, height, sine, float(np.sqrt(1.0 - sine * sine)), LIGHTS[light], body, table)


def _face_distance(head: Head, x: Array, y: Array) -> Array:
    """Signed distance to the outline of the face: an ellipse whose lower half narrows and may be squarer."""
    t = clip01(y / head.height)
    narrow = head.width * (1.0 - head.body["taper"] * t * t)
    u = (x - head.sine * 0.16 * head.width * t) / narrow
    v = y / head.height
    u2, v2 = u * u, v * v
    circle, square = np.sqrt(u2 + v2), np.sqrt(np.sqrt(u2 * u2 + v2 * v2))
    level = np.where(y > 0.0, mix(circle, square, head.body["jaw"]), circle)
    slope = np.sqrt(u2 / (narrow * narrow) + v2 / (head.height * head.height)) + 1e-9
    return level * (level - 1.0) / slope


def draw_neck(canvas: Canvas, head: Head, *, skin: str) -> None:
    """Paint neck and upper chest."""
    area = canvas.area(head.throat, 0.0, -0.03, 0.24, 0.19)
    x, y = area.x - 0.02 * head.sine, area.y
    flare = smoothstep(-0.05, 0.06, y)
    half = head.body["neck"] * head.width + 0.09 * flare
    across = np.clip(x / half, -1.0, 1.0)
    lit = head.light[0] * across + head.light[2] * np.sqrt(1.0 - across * across)
    chin = blob(x + 0.07 * head.light[0], y + 0.10, 0.2, 0.135)
    level = 0.36 + 0.22 * lit - 0.42 * chin - 0.06 * np.abs(wave(x * 6.0)) * flare
    canvas.paint(area, canvas.cover(np.abs(x) - half), tones(*SKINS[skin], level))


def draw_ears(canvas: Canvas, head: Head, *, skin: str) -> None:
    """Paint the ears, which the face will partly hide."""
    for side in SIDES:
        _draw_ear(canvas, head, side=side, skin=skin)


def face_cover(canvas: Canvas, head: Head) -> tuple[Area, Array]:
    """An area somewhat larger than the face, and the share of each of its pixels that is face, hair not counted."""
    area = canvas.area(head.frame, 0.0, 0.0, 1.15 * head.width, 1.15 * head.height)
    return area, canvas.cover(_face_distance(head, area.x, area.y))


def draw_skin(canvas: Canvas, head: Head, area: Area, *, skin: str) -> None:
    """Paint a whole area with the skin of the face and its shading; the caller clips it to the face."""
    x, y = area.x, area.y
    picture = tones(*SKINS[skin], _relief(head, x, y))
    flush = np.array(blend(SKINS[skin][1], rgb(222, 70, 70), 0.6)).reshape(3, 1, 1)
    picture += head.body["blush"] * _cheeks(head, x, y) * (flush - picture)
    canvas.pixels[:, area.rows, area.columns] = picture


def _cheeks(head: Head, x: Array, y: Array) -> Array:
    """Where the face blushes: 1 in the middle of either cheek."""
    total = np.zeros(x.shape)
    for side in SIDES:
        cx, cy, narrow = head.project(side * 0.56, 0.4, relief=0.0)
        total += blob(x - cx, y - cy, 0.36 * head.width * narrow, 0.22 * head.height)
    return total


def _relief(head: Head, x: Array, y: Array) -> Array:
    """Brightness of the bare face: a lit ellipsoid with eye sockets, cheeks and the hollow above the chin."""
    u, v = x / (head.width * 1.04), y / (head.height * 1.04)
    depth = np.sqrt(np.maximum(1.0 - u * u - v * v, 0.0))
    lit = np.maximum(head.light[0] * u + head.light[1] * v + head.light[2] * depth, 0.0)
    level = 0.08 + head.body["skin_tone"] + 0.56 * lit
    for side in SIDES:
        ex, ey, narrow = head.project(side * head.body["eye_x"], head.body["eye_y"] - 0.05, relief=0.0)
        level = level - 0.13 * blob(x - ex, y - ey, 0.40 * head.width * narrow, 0.2 * head.height)
        cx, cy, narrow = head.project(side * 0.5, 0.36, relief=0.0)
        level = level + 0.07 * blob(x - cx, y - cy, 0.34 * head.width * narrow, 0.24 * head.height)
    return level - 0.10 * blob(
        x - 0.8 * head.sine * head.width, y - 0.85 * head.height, 0.3 * head.width, 0.07 * head.height
    )


def _draw_ear(canvas: Canvas, head: Head, *, side: float, skin: str) -> None:
    cx, cy = side * head.cosine * head.width * 1.02 + head.hinge, 0.10 * head.height
    tall = head.body["ear_size"] * head.height
    wide = 0.6 * tall
    area = canvas.area(head.frame, cx, cy, wide, tall)
    x, y = area.x - cx, area.y - cy
    level = 0.46 + 0.16 * head.light[0] * side - 0.34 * blob(x, y, 0.75 * wide, 0.65 * tall)
    canvas.paint(area, canvas.cover(ellipse(x, y, wide, tall)), tones(*SKINS[skin], level))
