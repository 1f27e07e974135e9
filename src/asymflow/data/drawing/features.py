"""Eyes, brows, nose, mouth and glasses of a portrait."""

import numpy as np

from asymflow.data.drawing.canvas import (
    Canvas,
    Colour,
    blend,
    blob,
    box,
    clip01,
    ellipse,
    mix,
    rgb,
    segment,
    smoothstep,
    tones,
)
from asymflow.data.drawing.hair import HAIRS
from asymflow.data.drawing.head import SIDES, SKINS, Head

IRISES: tuple[Colour, ...] = (rgb(82, 48, 26), rgb(54, 106, 164), rgb(74, 118, 70), rgb(140, 96, 44), rgb(40, 26, 20))

# Per expression: how far the eyes are open, how far the brows rise, and of the mouth the relative width, the rise of
# its corners above its middle and the height of the opening.
OPENING = {"neutral": 1.0, "smile": 0.92, "laugh": 0.78}
BROW_LIFT = {"neutral": 0.0, "smile": 0.01, "laugh": 0.03}
MOUTH = {"neutral": (0.80, 0.002, 0.0), "smile": (1.20, 0.060, 0.0), "laugh": (1.16, 0.026, 0.064)}


def draw_features(canvas: Canvas, head: Head, *, skin: str, hair: str, expression: str) -> None:
    """Paint eyes, brows, nose and mouth; the caller clips them to the face."""
    for side in SIDES:
        _draw_eye(canvas, head, side=side, skin=skin, expression=expression)
        _draw_brow(canvas, head, side=side, hair=hair, expression=expression)
    _draw_nose(canvas, head, skin=skin)
    _draw_mouth(canvas, head, skin=skin, expression=expression)


def _draw_eye(canvas: Canvas, head: Head, *, side: float, skin: str, expression: str) -> None:
    body = head.body
    ex, ey, narrow = head.project(side * body["eye_x"], body["eye_y"], relief=0.0)
    half = body["eye_size"] * head.width * narrow
    height = body["eye_open"] * head.width * OPENING[expression]
    area = canvas.area(head.frame, ex, ey, 1.2 * half, 1.3 * height + 0.03)
    x, y = area.x - ex, area.y - ey
    u = x / half
    y = y + side * u * body["eye_tilt"]
    arch = np.maximum(1.0 - u * u, -0.6)
    upper, lower = -height * arch, (0.34 if expression == "laugh" else 0.62) * height * arch
    inside = canvas.cover(np.maximum(np.maximum(upper - y, y - lower), np.abs(x) - half))
    shadow = SKINS[skin][0]
    canvas.paint(area, inside, (0.95, 0.94, 0.93))

    radius = body["iris"] * head.width
    iris_x, iris_y = x - 0.34 * half * head.sine, y + 0.12 * height
    disc = np.sqrt(iris_x * iris_x + iris_y * iris_y)
    canvas.paint(area, inside * canvas.cover(disc - radius), IRISES[int(body["iris_colour"] * len(IRISES))])
    canvas.paint(area, inside * canvas.cover(disc - 0.52 * radius), (0.03, 0.02, 0.03))
    glint = ellipse(iris_x - (0.1 + 0.5 * head.light[0]) * radius, iris_y + 0.5 * radius, 0.42 * radius, 0.42 * radius)
    canvas.paint(area, inside * canvas.cover(glint), (1.0, 1.0, 1.0))

    within = canvas.cover(np.abs(x) - 1.12 * half)
    canvas.paint(area, within * canvas.line(y - upper, 0.017), blend(shadow, (0.06, 0.04, 0.05), 0.88))
    canvas.paint(area, 0.4 * within * canvas.line(y - lower, 0.008), shadow)
    canvas.paint(area, 0.55 * within * canvas.line(y - upper + 0.024, 0.009), shadow)


def _draw_brow(canvas: Canvas, head: Head, *, side: float, hair: str, expression: str) -> None:
    body = head.body
    height = body["eye_y"] - body["brow_y"] - BROW_LIFT[expression]
    bx, by, narrow = head.project(side * (body["eye_x"] + 0.02), height, relief=0.0)
    half = body["brow_width"] * head.width * narrow
    area = canvas.area(head.frame, bx, by, half, 0.045)
    u = side * (area.x - bx) / half  # -1 at the nose, 1 at the temple
    y = area.y - by - body["brow_tilt"] * u + body["brow_arch"] * (1.0 - (u - 0.25) * (u - 0.25))
    thick = body["brow_thick"] * (1.0 - 0.55 * clip01(u))
    inside = canvas.cover(np.maximum(np.abs(y) - 0.5 * thick, (np.abs(u) - 1.0) * half))
    dark, base, _ = HAIRS[hair]
    canvas.paint(area, 0.86 * inside, blend(dark, base, 0.35))


def _draw_nose(canvas: Canvas, head: Head, *, skin: str) -> None:
    body = head.body
    shadow, _, light = SKINS[skin]
    tip_x, tip_y, _ = head.project(0.0, body["nose_y"], relief=0.28)
    bridge_x, bridge_y, _ = head.project(0.0, body["eye_y"], relief=0.08)
    half = body["nose_width"] * head.width
    length = tip_y - bridge_y
    area = canvas.area(head.frame, 0.5 * (tip_x + bridge_x), mix(bridge_y, tip_y, 0.6), 2.4 * half, 0.85 * length)
    u, v = area.x - tip_x, area.y - tip_y
    t = clip01(1.0 + v / length)
    ridge = u + (tip_x - bridge_x) * (1.0 - t)
    along = smoothstep(-0.1, 0.5, t) * smoothstep(0.035, -0.005, v)
    away = -head.light[0] + 0.3 * head.sine + 0.1 * body["parting"]
    dark = 1.0 if away > 0.0 else -1.0  # the side of the nose that lies in shadow
    strength = 0.34 + 0.26 * min(abs(head.light[0]) + abs(head.sine), 1.0)
    width = half * (0.35 + 0.5 * t)
    canvas.paint(area, strength * along * blob(ridge / width - 0.95 * dark, 0.0, 1.05, 1.0), shadow)
    canvas.paint(area, 0.5 * along * blob(ridge / width + 0.15 * dark, 0.0, 0.6, 1.0), light)
    canvas.paint(area, 0.55 * blob(u, v - 0.022, 1.5 * half, 0.03), shadow)
    canvas.paint(area, 0.6 * blob(u + 0.006 * dark, v + 0.014, 0.75 * half, 0.024), light)
    nostril = ellipse(np.abs(u) - 0.55 * half, v - 0.012, 0.3 * half, 0.0085)
    canvas.paint(area, 0.8 * canvas.cover(nostril), blend(shadow, (0.05, 0.0, 0.0), 0.45))


def _draw_mouth(canvas: Canvas, head: Head, *, skin: str, expression: str) -> None:
    body = head.body
    wide, rise, gape = MOUTH[expression]
    mx, my, narrow = head.project(0.0, body["mouth_y"], relief=-0.04)
    half = body["mouth_width"] * head.width * narrow * wide
    thick = body["lip_thick"]
    area = canvas.area(head.frame, mx, my + 0.02, half + 0.025, 0.075)
    x, y = area.x - mx, area.y - my
    u = x / half
    arch = 1.0 - u * u
    full = np.maximum(arch, 0.0)
    shadow, base, _ = SKINS[skin]
    lip = blend(base, rgb(212, 74, 84), 0.40 + 0.40 * body["lip_colour"])
    middle = (rise + body["mouth_sag"]) * (arch - 0.6)
    bottom = middle + gape * full
    outer_top = middle - thick * (0.8 - 0.35 * blob(u, 0.0, 0.3, 1.0)) * full
    outer_bottom = bottom + 1.15 * thick * full
    ends = np.abs(x) - half

    canvas.paint(area, 0.3 * blob(x, y - outer_bottom - 0.014, 0.7 * half, 0.016), shadow)
    canvas.paint(area, 0.65 * blob(np.abs(x) - half, y + 0.6 * rise, 0.026, 0.024), shadow)
    canvas.paint(area, canvas.cover(np.maximum(np.maximum(outer_top - y, y - outer_bottom), ends)), lip)
    gleam = blob(u - 0.1 * head.light[0], y - outer_bottom + 0.55 * thick, 0.5, 0.5 * thick)
    canvas.paint(area, 0.35 * gleam, blend(lip, (1.0, 0.9, 0.9), 0.6))
    if gape > 0.0:
        inside = canvas.cover(np.maximum(np.maximum(middle - y, y - bottom), ends))
        canvas.paint(area, inside, rgb(92, 22, 30))
        canvas.paint(area, inside * canvas.cover(y - middle - 0.46 * gape), (0.97, 0.96, 0.93))
    else:
        line = canvas.cover(ends) * canvas.line(y - middle, 0.014)
        canvas.paint(area, 0.9 * line, blend(shadow, rgb(70, 10, 20), 0.6))


def draw_glasses(canvas: Canvas, head: Head, *, kind: str) -> None:
    """Paint spectacles or sunglasses; nothing for "none"."""
    if kind == "none":
        return
    dark = kind == "sunglasses"
    rim = (0.05, 0.05, 0.07) if dark or head.body["rim_colour"] < 0.5 else rgb(122, 62, 34)
    inner, outer, height = [], [], head.body["eye_y"] + 0.03
    for side in SIDES:
        cx, cy, narrow = head.project(side * head.body["eye_x"], height, relief=0.12)
        half = head.body["lens"] * head.width * narrow
        _draw_lens(canvas, head, cx, cy, half, dark=dark, rim=rim)
        inner.append(cx - side * half)
        outer.append(cx + side * half)
    y = height * head.height - 0.008
    area = canvas.area(head.frame, 0.5 * (inner[0] + inner[1]), y, 0.5 * abs(inner[1] - inner[0]) + 0.01, 0.01)
    canvas.paint(area, canvas.line(segment(area.x, area.y, inner[0], y, inner[1], y), 0.017), rim)
    for side, end in zip(SIDES, outer, strict=True):  # the arms, up to the ears
        ear = side * head.cosine * head.width + head.hinge
        if (ear - end) * side > 0.0:
            area = canvas.area(head.frame, 0.5 * (end + ear), y, 0.5 * abs(ear - end) + 0.01, 0.015)
            arm = segment(area.x, area.y, end, y - 0.006, ear, y + 0.004)
            canvas.paint(area, 0.9 * canvas.line(arm, 0.014), rim)


def _draw_lens(canvas: Canvas, head: Head, cx: float, cy: float, half: float, *, dark: bool, rim: Colour) -> None:
    tall = head.body["lens"] * head.width * 0.84
    area = canvas.area(head.frame, cx, cy, half + 0.01, tall + 0.01)
    x, y = area.x - cx, area.y - cy
    distance = box(x, y, half, tall, (0.95 if head.body["rim_shape"] < 0.5 else 0.45) * min(half, tall))
    inside = canvas.cover(distance)
    if dark:
        level = 0.61 + 0.36 * y / tall
        canvas.paint(area, 0.94 * inside, tones((0.03, 0.03, 0.05), (0.10, 0.09, 0.13), (0.34, 0.28, 0.32), level))
    else:
        canvas.paint(area, 0.10 * inside, (0.85, 0.92, 1.0))
    glare = canvas.line(x + 0.7 * y + 0.25 * half, 0.016) * inside * smoothstep(0.4 * tall, -0.6 * tall, y)
    canvas.paint(area, 0.45 * glare, (1.0, 1.0, 1.0))
    canvas.paint(area, canvas.line(distance, 0.019), rim)
