"""Portraits: a procedural set of captioned faces, the project's own data where nothing can be downloaded.

Image `index` of a `seed` depends on these two numbers alone and has the same bytes on every machine:

    person = portrait(seed=0, index=7)
    picture = render(person, size=64)                          # uint8, (64, 64, 3)
    text = caption(person)
    with_glasses = render(edit(person, glasses="spectacles"), size=64)  # the same person: a true counterfactual

Attributes are independent and uniform. The class is the pattern of the background; every run of `len(CLASSES)` indices
(starting at a multiple of it) has each class once. Left and right are those of the picture, not of the person.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
from jaxtyping import Float64, UInt8

from asymflow.data import wording
from asymflow.data.drawing.body import measure
from asymflow.data.drawing.canvas import Canvas, sensor_noise, uniforms
from asymflow.data.drawing.features import draw_features, draw_glasses
from asymflow.data.drawing.hair import CUTS, HAIRS, comb, draw_hair_behind, draw_hair_in_front
from asymflow.data.drawing.head import (
    LIGHTS,
    POSES,
    SKINS,
    Head,
    draw_ears,
    draw_neck,
    draw_skin,
    face_cover,
    pose_head,
)
from asymflow.data.drawing.scene import CLOTH_PATTERNS, CLOTHS, WALL_PATTERNS, WALLS, draw_background, draw_shirt
from asymflow.data.wording import DRAWS, describe

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "background_pattern": tuple(WALL_PATTERNS),
    "background_colour": tuple(WALLS),
    "skin": tuple(SKINS),
    "hair_colour": tuple(HAIRS),
    "hair_length": tuple(CUTS),
    "shirt_colour": tuple(CLOTHS),
    "shirt_pattern": tuple(CLOTH_PATTERNS),
    "glasses": ("none", "spectacles", "sunglasses"),
    "expression": ("neutral", "smile", "laugh"),
    "pose": tuple(POSES),
    "light": tuple(LIGHTS),
}
CLASSES: tuple[str, ...] = ATTRIBUTES["background_pattern"]

NOISE = 0.014  # standard deviation of the sensor noise, of a range of 1: 3.6 of 255 levels

_LOOKS, _PERSON, _NOISE, _WORDS, _ORDER = range(5)  # the random streams of an image


@dataclass(frozen=True)
class Portrait:
    """One person and how they are shown: `seed` and `index` fix the person, the attributes all that has a name."""

    seed: int
    index: int
    background_pattern: str
    background_colour: str
    skin: str
    hair_colour: str
    hair_length: str
    shirt_colour: str
    shirt_pattern: str
    glasses: str
    expression: str
    pose: str
    light: str

    def __post_init__(self):
        for name, values in ATTRIBUTES.items():
            if getattr(self, name) not in values:
                raise ValueError(_unknown(f"a value of the portrait attribute {name}", getattr(self, name), values))


def portrait(seed: int, index: int) -> Portrait:
    """Portrait `index` of the endless set `seed`. Raises ValueError if either is negative."""
    if seed < 0 or index < 0:
        raise ValueError(f"a portrait needs a seed and an index of at least 0, but got seed {seed} and index {index}")
    draws = uniforms(seed, index, stream=_LOOKS, count=len(ATTRIBUTES))
    looks = {name: values[int(u * len(values))] for u, (name, values) in zip(draws, ATTRIBUTES.items(), strict=True)}
    block, place = divmod(index, len(CLASSES))
    order = np.argsort(uniforms(seed, block, stream=_ORDER, count=len(CLASSES)))
    return Portrait(seed, index, **looks | {"background_pattern": CLASSES[order[place]]})


def edit(person: Portrait, **changes: str) -> Portrait:
    """The same person, measures and noise with some attributes changed.

    Raises ValueError for an attribute or value that does not exist, naming those that do.
    """
    for name in changes:
        _check_attribute(name)
    return replace(person, **changes)


def attributes(person: Portrait) -> dict[str, str]:
    """All attributes by name, in the order of `ATTRIBUTES`."""
    return {name: getattr(person, name) for name in ATTRIBUTES}


def label(person: Portrait) -> int:
    """The class as an index into `CLASSES`."""
    return CLASSES.index(person.background_pattern)


def named(person: Portrait, mention: Collection[str] = ()) -> dict[str, str]:
    """The attributes that `caption` puts into words, with their values: what a picture of the caption has to show."""
    draws = uniforms(person.seed, person.index, stream=_WORDS, count=DRAWS).tolist()
    return wording.named(attributes(person), draws, mention=mention)


def caption(person: Portrait, mention: Collection[str] = ()) -> str:
    """A description in words: most attributes, in one of several sentences and with synonyms that the person fixes.

    A caption leaves some attributes unsaid, but never the background pattern nor those in `mention`: an experiment with
    edits names the attribute that it edits. Raises ValueError for an unknown attribute.
    """
    for name in mention:
        _check_attribute(name)
    draws = uniforms(person.seed, person.index, stream=_WORDS, count=DRAWS).tolist()
    return describe(attributes(person), draws, mention=mention)


def render(person: Portrait, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The picture: uint8, shape (size, size, 3), RGB.

    Raises ValueError unless `size` is a positive multiple of 32. The attributes can be told apart from 32 pixels on;
    finer strands and stitches appear as the size grows.
    """
    head, canvas = _head(person), Canvas(_checked(size))
    hair = comb(canvas, head, length=person.hair_length)
    draw_background(canvas, head, pattern=person.background_pattern, colour=person.background_colour)
    draw_hair_behind(canvas, hair, colour=person.hair_colour, length=person.hair_length)
    draw_neck(canvas, head, skin=person.skin)
    draw_shirt(canvas, head, pattern=person.shirt_pattern, colour=person.shirt_colour)
    draw_ears(canvas, head, skin=person.skin)
    area, cover = face_cover(canvas, head)
    with canvas.clipped(area, cover):
        draw_skin(canvas, head, area, skin=person.skin)
        draw_features(canvas, head, skin=person.skin, hair=person.hair_colour, expression=person.expression)
    draw_glasses(canvas, head, kind=person.glasses)
    draw_hair_in_front(canvas, hair, colour=person.hair_colour)
    canvas.pixels += NOISE * sensor_noise(person.seed, person.index, stream=_NOISE, shape=canvas.pixels.shape)
    return canvas.bytes()


def face_mask(person: Portrait, size: int) -> Float64[np.ndarray, "size size"]:
    """The share of each pixel that is face, without hair, ears and neck: float64 in [0, 1], shape (size, size)."""
    head, canvas = _head(person), Canvas(_checked(size))
    mask = np.zeros((size, size))
    area, cover = face_cover(canvas, head)
    mask[area.rows, area.columns] = cover
    hair = comb(canvas, head, length=person.hair_length)
    mask[hair.area.rows, hair.area.columns] *= 1.0 - hair.front
    return mask


def _head(person: Portrait) -> Head:
    body, table = measure(person.seed, person.index, stream=_PERSON)
    return pose_head(body, table, pose=person.pose, light=person.light)


def _checked(size: int) -> int:
    if size < 32 or size % 32:
        raise ValueError(f"a portrait is rendered at a positive multiple of 32 pixels, but got {size}; try 64")
    return size


def _check_attribute(name: str) -> None:
    if name not in ATTRIBUTES:
        raise ValueError(_unknown("an attribute of a portrait", name, ATTRIBUTES))


def _unknown(what: str, given: str, valid: Collection[str]) -> str:
    near = get_close_matches(str(given), valid, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{given!r} is not {what}{hint} Choose one of {', '.join(valid)}"
