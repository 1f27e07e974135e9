"""Captions of portraits in varied wording.

A caption is built from the attributes and a row of uniform numbers that belongs to the person: they choose the
sentence, the synonyms and what is left unsaid. So an edit changes the words about the edited attribute and no others.
"""

from collections.abc import Collection, Mapping, Sequence

OMIT = 0.15  # the chance that a caption is silent about an attribute
OMIT_UNREMARKABLE = 0.5  # the same for values that a person would rarely mention
UNREMARKABLE = {
    ("glasses", "none"),
    ("expression", "neutral"),
    ("pose", "front"),
    ("light", "even"),
    ("shirt_pattern", "plain"),
}

WALLS = {
    "plain": ("a plain {} wall", "a plain {} background"),
    "stripes": ("{} stripes", "a wall with vertical {} stripes"),
    "diagonals": ("diagonal {} stripes", "a wall with slanted {} stripes"),
    "dots": ("{} polka dots", "a dotted {} wall"),
    "gingham": ("a {} gingham cloth", "{} gingham"),
    "bricks": ("a {} brick wall", "{} bricks"),
    "zigzag": ("{} zigzags", "a {} zigzag pattern"),
    "scales": ("{} fish scales", "a {} pattern of scales"),
    "rays": ("a {} sunburst", "{} rays"),
    "bokeh": ("blurred {} lights", "out-of-focus {} lights"),
}
LENGTHS = {
    "cropped": ("cropped", "close-cropped"),
    "short": ("short",),
    "chin-length": ("chin-length", "bobbed"),
    "long": ("long",),
}
CLOTHS = {
    "plain": ("plain {} {}",),
    "striped": ("striped {} {}", "{} {} with stripes"),
    "checked": ("checked {} {}", "{} {} with checks"),
    "dotted": ("dotted {} {}", "{} {} with dots"),
}
GARMENTS = ("shirt", "top", "sweater")
GLASSES = {"none": ("no glasses",), "spectacles": ("glasses", "spectacles"), "sunglasses": ("sunglasses", "shades")}
EXPRESSIONS = {
    "neutral": ("with a neutral look", "with a calm face"),
    "smile": ("smiling", "with a smile"),
    "laugh": ("laughing", "with a broad laugh"),
}
POSES = {
    "left": ("looking to the left", "turned to the left"),
    "front": ("facing the camera", "looking straight ahead"),
    "right": ("looking to the right", "turned to the right"),
}
LIGHTS = {
    "left": ("lit from the left", "with light from the left"),
    "even": ("evenly lit", "in even light"),
    "right": ("lit from the right", "with light from the right"),
}

DRAWS = 32  # uniform numbers that a caption needs; some are spare


def describe(attributes: Mapping[str, str], draws: Sequence[float], *, mention: Collection[str]) -> str:
    """One sentence about a portrait; attributes in `mention`, and the background pattern, are never left out.

    `draws` are at least `DRAWS` numbers in [0, 1). Values must be the known ones.
    """
    said = {name: "" for name in attributes} | named(attributes, draws, mention=mention)
    pick = _Picker(draws[len(attributes) :])

    person = _person(said["skin"], pick)
    hair = " ".join(word for word in (pick(LENGTHS, said["hair_length"]), said["hair_colour"]) if word)
    wall = _squeeze(pick(WALLS, said["background_pattern"]).format(said["background_colour"]))
    worn = [_shirt(said["shirt_pattern"], said["shirt_colour"], pick), pick(GLASSES, said["glasses"])]
    doing = [pick(EXPRESSIONS, said["expression"]), pick(POSES, said["pose"])]
    light = pick(LIGHTS, said["light"])
    sentence = pick.one((_plainly, _wall_first, _as_portrait, _as_list))
    return sentence(person, f"{hair} hair" if hair else "", _present(worn), _present(doing), light, wall)


def named(attributes: Mapping[str, str], draws: Sequence[float], *, mention: Collection[str]) -> dict[str, str]:
    """The attributes that `describe` puts into words, given the same; it is silent about the others."""
    said = {}
    for u, (name, value) in zip(draws, attributes.items(), strict=False):
        omit = OMIT_UNREMARKABLE if (name, value) in UNREMARKABLE else OMIT
        if u >= omit or name in mention or name == "background_pattern":
            said[name] = value
    return said


class _Picker:
    """Chooses among synonyms; each choice has a draw of its own whatever the values are."""

    def __init__(self, draws: Sequence[float]):
        self.draws = iter(draws)

    def one(self, choices: Sequence):
        return choices[int(next(self.draws) * len(choices))]

    def __call__(self, table: Mapping[str, Sequence[str]], value: str) -> str:
        u = next(self.draws)
        return table[value][int(u * len(table[value]))] if value else ""


def _person(skin: str, pick: _Picker) -> str:
    form = pick.one(("{}-skinned person", "person with {} skin"))
    return _article(form.format(skin)) if skin else "a person"


def _shirt(pattern: str, colour: str, pick: _Picker) -> str:
    garment, form = pick.one(GARMENTS), pick(CLOTHS, pattern)
    if not pattern and not colour:
        return ""
    return _article(_squeeze((form or "{} {}").format(colour, garment)))


# ----- sentences -----


def _plainly(person: str, hair: str, worn: list[str], doing: list[str], light: str, wall: str) -> str:
    parts = [_with(person, hair), *doing, _led("wearing ", worn), f"in front of {wall}", light]
    return _sentence(", ".join(_present(parts)))


def _wall_first(person: str, hair: str, worn: list[str], doing: list[str], light: str, wall: str) -> str:
    parts = [_with(person, hair), _led("in ", worn), " and ".join(doing), light]
    return _sentence(f"in front of {wall}: " + ", ".join(_present(parts)))


def _as_portrait(person: str, hair: str, worn: list[str], doing: list[str], light: str, wall: str) -> str:
    parts = [f"portrait of {_with(person, hair)}, {wall} behind", _led("wearing ", worn), light, *doing]
    return _sentence("a " + ", ".join(_present(parts)))


def _as_list(person: str, hair: str, worn: list[str], doing: list[str], light: str, wall: str) -> str:
    return ", ".join(_present([person, hair, *worn, *doing, wall, light]))


def _with(person: str, hair: str) -> str:
    if not hair:
        return person
    return f"{person} and {hair}" if " with " in person else f"{person} with {hair}"


def _led(lead: str, things: list[str]) -> str:
    return lead + " and ".join(things) if things else ""


def _present(parts: list[str]) -> list[str]:
    return [part for part in parts if part]


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
