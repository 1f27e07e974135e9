"""The hair of a portrait: one mass with strands, cut out where the face shows."""

from dataclasses import dataclass

import numpy as np

from asymflow.data.drawing.canvas import (
    Area,
    Array,
    Canvas,
    Colour,
    blob,
    clip01,
    ellipse,
    noise1,
    noise2,
    rgb,
    smoothstep,
    strands,
    tones,
    wave,
)
from asymflow.data.drawing.head import Head

HAIRS: dict[str, tuple[Colour, Colour, Colour]] = {  # in shadow, plain, in the light
    "black": (rgb(8, 8, 12), rgb(34, 31, 38), rgb(108, 104, 122)),
    "brown": (rgb(40, 20, 12), rgb(94, 56, 34), rgb(170, 118, 78)),
    "red": (rgb(92, 26, 8), rgb(174, 66, 24), rgb(244, 150, 84)),
    "blonde": (rgb(142, 96, 38), rgb(216, 172, 94), rgb(255, 236, 176)),
    "grey": (rgb(84, 86, 94), rgb(152, 154, 162), rgb(228, 230, 236)),
    "blue": (rgb(12, 30, 92), rgb(40, 84, 184), rgb(128, 182, 248)),
}


@dataclass(frozen=True)
class Cut:
    """Measures of a hair length: thickness of the cap and end of the hair, in half-axes of the head; cover at most."""

    volume: float
    end: float
    loose: bool  # long enough for curls, a quiff and a fringe
    hanging: bool  # beside the face and behind the neck
    density: float


CUTS: dict[str, Cut] = {
    "cropped": Cut(volume=0.02, end=0.02, loose=False, hanging=False, density=0.86),
    "short": Cut(volume=0.11, end=0.12, loose=True, hanging=False, density=1.0),
    "chin-length": Cut(volume=0.15, end=0.98, loose=True, hanging=True, density=1.0),
    "long": Cut(volume=0.14, end=2.0, loose=True, hanging=True, density=1.0),
}


@dataclass(frozen=True)
class Hair:
    """Combed hair: its area, the cover of all of it and of what lies before the face, and the brightness of strands."""

    area: Area
    whole: Array
    front: Array
    level: Array


def comb(canvas: Canvas, head: Head, *, length: str) -> Hair:
    """The shape and the strands of hair of some length on a head."""
    cut = CUTS[length]
    if cut.hanging:
        area = canvas.area(head.frame, 0.0, 0.45 * head.height, 1.75 * head.width, 1.9 * head.height)
    else:
        area = canvas.area(head.frame, 0.0, -0.55 * head.height, 1.35 * head.width, 0.9 * head.height)
    mass = _mass(head, area, cut)
    front = canvas.cover(np.maximum(mass, -_opening(head, area, cut))) * cut.density
    return Hair(area, canvas.cover(mass), front, _strand_level(canvas, head, area))


def draw_hair_behind(canvas: Canvas, hair: Hair, *, colour: str, length: str) -> None:
    """Paint the hair that hangs behind neck and ears."""
    if CUTS[length].hanging:
        canvas.paint(hair.area, hair.whole, tones(*HAIRS[colour], 0.7 * hair.level - 0.08))


def draw_hair_in_front(canvas: Canvas, hair: Hair, *, colour: str) -> None:
    """Paint the hair on the head and beside the face."""
    canvas.paint(hair.area, hair.front, tones(*HAIRS[colour], hair.level))


def _mass(head: Head, area: Area, cut: Cut) -> Array:
    """Signed distance to the whole mass of hair, as if there were no face in front of it."""
    body = head.body
    x, y = area.x + 0.10 * head.sine * head.width, area.y
    loose = 1.0 if cut.loose else 0.0
    volume = 1.0 + cut.volume + loose * body["volume"]
    ragged = 0.012 * (noise1(head.table, area.x * 26.0 + 9.0) - 0.5)
    curls = loose * _curliness(body)
    if curls > 0.0:
        ragged = ragged + 0.055 * curls * (noise2(head.table, area.x * 14.0 + 5.0, area.y * 14.0) - 0.5)
    away = -1.0 if body["parting"] > 0.0 else 1.0  # the quiff rises on the side without the parting
    lift = 0.03 + loose * body["quiff"] * 0.05 * (1.0 + np.clip(3.0 * x * away, -1.0, 1.0))
    cap = ellipse(x, y + lift * head.height, head.width * volume, head.height * volume) + ragged
    end = head.height * (cut.end + loose * 0.12 * body["ends"])
    if not cut.hanging:
        return np.maximum(cap, y - end + ragged)
    spread = head.width * volume + 0.05 * smoothstep(0.0, 1.2 * head.height, y) * (0.4 + body["flare"])
    corner = np.maximum(np.abs(x) / spread - 0.55, 0.0)
    bottom = y - end + ragged + 0.30 * corner * corner * head.height
    curtain = np.maximum(np.abs(x) - spread + ragged, np.maximum(-y - 0.1 * head.height, bottom))
    return np.minimum(cap, curtain)


def _curliness(body: dict[str, float]) -> float:
    """0 for the straight-haired half of all people, rising to 1 for the curliest."""
    return max(2.0 * body["curl"] - 1.0, 0.0)


def _opening(head: Head, area: Area, cut: Cut) -> Array:
    """Signed distance to the part of the head that the hair leaves free: below the hairline, between the temples."""
    body = head.body
    x, y = area.x - 0.42 * head.sine * head.width, area.y
    u = x / head.width
    line = -0.66 + body["hairline"]
    if not cut.loose or body["fringe"] > 0.75:  # combed back
        top, temples, ragged = line - 0.02 + 0.12 * u * u, 0.90, 0.05
    elif body["fringe"] < 0.3:  # a full fringe
        top, temples, ragged = line + 0.26 + 0.10 * u * u, 0.86, 0.14
    else:  # hair falls away from the parting to both sides
        top, temples, ragged = line - 0.06 + 0.36 * np.abs(u - body["parting"]), 0.86, 0.10
    top = top + ragged * (noise1(head.table, area.x * 24.0) - 0.5)
    far = np.where(x * head.sine > 0.0, abs(head.sine), 0.0)  # the far temple lies behind the outline of the face
    half = temples + 0.16 * clip01(y / head.height) + 0.5 * far
    across, up = (np.abs(u) - half) * head.width, top * head.height - y
    corner = 0.16 * head.width
    p, q = np.maximum(across + corner, 0.0), np.maximum(up + corner, 0.0)
    return np.minimum(np.maximum(across, up), -corner) + np.sqrt(p * p + q * q)


def _strand_level(canvas: Canvas, head: Head, area: Area) -> Array:
    """Brightness of the hair: strands that fall from the parting, and a sheen around the crown."""
    body = head.body
    x = area.x - body["parting"] * head.width
    drop = np.maximum(area.y + 1.12 * head.height, 0.0) + 0.02
    q = x / np.sqrt(drop / (drop + 0.12) + 0.015)  # across the strands: from the parting outwards, then straight down
    q = q + body["curl"] * 0.022 * wave(area.y * 7.0 + 3.0 * noise1(head.table, q * 9.0))
    u = area.x / (1.15 * head.width)
    v = np.minimum((area.y + 0.1 * head.height) / (1.15 * head.height), 0.0)
    r2 = u * u + v * v
    lit = np.maximum(head.light[0] * u + head.light[1] * v + head.light[2] * np.sqrt(np.maximum(1.0 - r2, 0.0)), 0.0)
    sheen = blob(np.sqrt(r2) - 0.72 - 0.05 * noise1(head.table, q * 30.0), 0.0, 0.3, 1.0) * lit
    fine = strands(head.table, q, lowest=14.0, size=canvas.size)
    curls = _curliness(body)
    if curls > 0.0:
        fine = fine + curls * (3.0 * noise2(head.table, q * 16.0, area.y * 16.0) - 1.5)
    return 0.12 + 0.40 * lit + 0.30 * sheen + fine * (0.12 + 0.12 * lit)
