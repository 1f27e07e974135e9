import hashlib
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from asymflow.data.portraits import (
    ATTRIBUTES,
    CLASSES,
    NOISE,
    attributes,
    caption,
    edit,
    face_mask,
    label,
    named,
    portrait,
    render,
)

PEOPLE = [portrait(3, index) for index in range(12)]


def changed(person, size=64, **changes):
    """Which pixels an edit changes, bool (size, size)."""
    return (render(person, size) != render(edit(person, **changes), size)).any(axis=2)


def digest(seed, count, size):
    pictures = np.stack([render(portrait(seed, index), size) for index in range(count)])
    return hashlib.sha256(pictures.tobytes()).hexdigest()[:16]


# ----- the same set everywhere -----


@pytest.mark.parametrize(
    ("seed", "size", "expected"),
    [(0, 64, "d06493694c45610b"), (1, 32, "4c484f222bf71e53"), (2, 128, "36cb75d7749f2ce2")],
)
def test_the_same_bytes_come_from_the_same_seed_on_every_machine(seed, size, expected):
    assert digest(seed, 40 if size < 128 else 8, size) == expected


def test_captions_of_a_seed_are_fixed():
    assert (
        hashlib.sha256("\n".join(caption(portrait(0, i)) for i in range(50)).encode()).hexdigest()[:16]
        == "6e7c85dba426e020"
    )


def test_an_image_depends_on_seed_and_index_alone():
    alone = render(portrait(5, 17), 64)
    for index in (16, 17, 18):
        again = render(portrait(5, index), 64)
    assert np.array_equal(render(portrait(5, 17), 64), alone)
    assert not np.array_equal(again, alone)
    assert not np.array_equal(render(portrait(6, 17), 64), alone)


# ----- attributes -----


def test_every_run_of_ten_has_each_class_once_and_in_changing_order():
    labels = np.array([label(portrait(0, index)) for index in range(200)]).reshape(20, len(CLASSES))
    assert (np.sort(labels, axis=1) == np.arange(len(CLASSES))).all()
    assert len({tuple(row) for row in labels}) == 20


def test_attributes_are_uniform_and_independent():
    # Chi-square of the values of each attribute and of each pair; independent draws stay within the mean, which is the
    # number of degrees of freedom f, plus 5 standard deviations sqrt(2 f).
    count = 3000
    people = [attributes(portrait(9, index)) for index in range(count)]
    drawn = {name: np.array([values.index(p[name]) for p in people]) for name, values in ATTRIBUTES.items()}
    for name, values in ATTRIBUTES.items():
        seen = np.bincount(drawn[name], minlength=len(values))
        assert chi_square(seen, count / len(values)) < len(values) - 1 + 5 * (2 * (len(values) - 1)) ** 0.5, name
    for a, b in combinations(ATTRIBUTES, 2):
        cells = len(ATTRIBUTES[a]) * len(ATTRIBUTES[b])
        seen = np.bincount(drawn[a] * len(ATTRIBUTES[b]) + drawn[b], minlength=cells)
        assert chi_square(seen, count / cells) < cells + 5 * (2 * cells) ** 0.5, (a, b)


def chi_square(seen, expected):
    return float(((seen - expected) ** 2).sum() / expected)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_any_two_values_of_an_attribute_look_different(name):
    # Mean absolute difference in levels of 255. Sensor noise is the same on both sides, so equal pictures would give 0.
    least = {"expression": 0.25, "glasses": 1.0}.get(name, 1.5)
    shown = {value: np.stack([render(edit(p, **{name: value}), 64) for p in PEOPLE[:8]]) for value in ATTRIBUTES[name]}
    for a, b in combinations(ATTRIBUTES[name], 2):
        assert np.abs(shown[a].astype(float) - shown[b]).mean() > least, (a, b)


# ----- edits -----


def test_an_edit_keeps_the_person_and_undoing_it_gives_the_same_bytes():
    person = PEOPLE[0]
    other = edit(person, glasses="none", hair_colour="blue", pose="left")
    assert (other.seed, other.index) == (person.seed, person.index)
    assert attributes(other) == attributes(person) | {"glasses": "none", "hair_colour": "blue", "pose": "left"}
    back = edit(other, glasses=person.glasses, hair_colour=person.hair_colour, pose=person.pose)
    assert back == person
    assert np.array_equal(render(back, 64), render(person, 64))


@pytest.mark.parametrize("person", PEOPLE, ids=lambda p: str(p.index))
def test_glasses_change_only_a_band_around_the_eyes(person):
    bare = edit(person, glasses="none")
    face = np.flatnonzero(face_mask(edit(bare, hair_length="cropped"), 64).any(axis=1))
    for kind in ("spectacles", "sunglasses"):
        rows, columns = np.nonzero(changed(bare, glasses=kind))
        height = face[-1] - face[0]
        assert rows.min() > face[0] and rows.max() < face[0] + 0.75 * height
        assert 4 < rows.max() - rows.min() < 0.42 * height
        assert 8 < columns.max() - columns.min() < 36


@pytest.mark.parametrize("person", PEOPLE, ids=lambda p: str(p.index))
def test_each_edit_leaves_alone_what_it_does_not_concern(person):
    face = face_mask(person, 64)
    assert not changed(person, expression=other(person, "expression"))[face == 0].any()
    for name in ("background_pattern", "background_colour", "shirt_colour", "shirt_pattern"):
        assert not changed(person, **{name: other(person, name)})[face == 1].any()
    for name in ("shirt_colour", "shirt_pattern"):
        assert not changed(person, **{name: other(person, name)})[:40].any()
    for name in set(ATTRIBUTES) - {"background_pattern", "background_colour", "light"}:
        assert not changed(person, **{name: other(person, name)})[:4, :12].any(), "the corner shows only background"


def other(person, name):
    """A value that the person does not have."""
    values = ATTRIBUTES[name]
    return values[(values.index(getattr(person, name)) + 1) % len(values)]


def test_sensor_noise_has_its_stated_strength_and_survives_edits():
    # A plain wall is smooth, so second differences along x show noise of variance 6 times that of a pixel.
    person = edit(portrait(0, 0), background_pattern="plain", background_colour="blue", hair_length="cropped")
    corner = render(person, 256)[:48, :48, 2].astype(float) / 255
    bend = corner[:, 2:] - 2 * corner[:, 1:-1] + corner[:, :-2]
    assert (bend.var() / 6) ** 0.5 == pytest.approx(NOISE, rel=0.1)


# ----- sizes and mask -----


@pytest.mark.parametrize("size", [32, 96, 128, 256])
def test_every_size_shows_the_same_picture(size):
    # Averaging a larger picture down to 32 pixels differs from drawing it small by the finer detail and the noise only.
    for person in PEOPLE[:4]:
        picture = render(person, size)
        assert picture.shape == (size, size, 3) and picture.dtype == np.uint8
        coarse = picture.reshape(32, size // 32, 32, size // 32, 3).mean(axis=(1, 3))
        assert np.abs(coarse - render(person, 32)).mean() < 7


@pytest.mark.parametrize("size", [0, -32, 16, 48, 100])
def test_a_size_that_is_no_multiple_of_32_is_refused(size):
    with pytest.raises(ValueError, match=f"multiple of 32 pixels, but got {size}"):
        render(PEOPLE[0], size)
    with pytest.raises(ValueError, match=f"multiple of 32 pixels, but got {size}"):
        face_mask(PEOPLE[0], size)


def test_the_face_mask_holds_the_skin_of_the_face():
    for person in PEOPLE:
        mask = face_mask(person, 64)
        assert mask.shape == (64, 64) and mask.min() == 0.0 and mask.max() == 1.0
        assert 0.06 < mask.mean() < 0.30
        skin = changed(person, skin=other(person, "skin"))
        glassless = edit(person, glasses="none")
        assert changed(glassless, skin=other(person, "skin"))[mask == 1].mean() > 0.8, (
            "eyes, brows and lips are not skin"
        )
        assert skin.sum() < 0.5 * skin.size


# ----- captions -----


def test_a_caption_can_be_made_to_mention_everything():
    words = {"none": "no glasses", "spectacles": ("glasses", "spectacles"), "sunglasses": ("sunglasses", "shades")}
    for person in PEOPLE:
        text = caption(person, mention=tuple(ATTRIBUTES)).lower()
        for value in (person.background_colour, person.skin, person.hair_colour, person.shirt_colour):
            assert value in text
        assert any(word in text for word in np.atleast_1d(words[person.glasses]))
        assert "  " not in text and " ," not in text


def test_captions_mention_most_attributes_but_not_always_all():
    people = [portrait(1, index) for index in range(400)]
    texts = [caption(person) for person in people]
    for name in ("background_colour", "skin", "hair_colour", "shirt_colour"):
        said = np.mean([getattr(person, name) in text for person, text in zip(people, texts, strict=True)])
        assert 0.75 < said < 1.0, name
    assert len(set(texts)) == len(texts)
    assert len({text.split()[0] for text in texts}) >= 3, "sentences begin in different ways"
    assert max(len(text.split()) for text in texts) < 50


def test_an_edit_changes_only_the_words_about_it():
    for person in PEOPLE:
        before = caption(edit(person, hair_colour="red"), mention=("hair_colour",))
        after = caption(edit(person, hair_colour="grey"), mention=("hair_colour",))
        assert before.replace("red hair", "grey hair") == after != before


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_captions_that_must_mention_an_attribute_tell_its_values_apart(name):
    for person in PEOPLE:
        texts = {caption(edit(person, **{name: value}), mention=(name,)) for value in ATTRIBUTES[name]}
        assert len(texts) == len(ATTRIBUTES[name])


# ----- mistakes -----


def test_an_unknown_attribute_is_refused_with_the_nearest_name():
    with pytest.raises(
        ValueError, match=r"'hair_color' is not an attribute .* did you mean 'hair_colour'\?.*background_colour"
    ):
        edit(PEOPLE[0], hair_color="red")
    with pytest.raises(ValueError, match="'seed' is not an attribute"):
        edit(PEOPLE[0], seed="1")
    with pytest.raises(ValueError, match=r"did you mean 'glasses'\?"):
        caption(PEOPLE[0], mention=("glases",))


def test_an_unknown_value_is_refused_with_the_valid_ones():
    with pytest.raises(
        ValueError, match=r"'sunglases' is not a value .* glasses; did you mean 'sunglasses'\?.*none, spectacles"
    ):
        edit(PEOPLE[0], glasses="sunglases")
    with pytest.raises(ValueError, match=r"'red' is not a value of the portrait attribute skin"):
        replace(PEOPLE[0], skin="red")


def test_negative_seeds_and_indices_are_refused():
    with pytest.raises(ValueError, match="at least 0, but got seed 0 and index -1"):
        portrait(0, -1)
    with pytest.raises(ValueError, match="got seed -3"):
        portrait(-3, 0)


# ----- statistics that the experiments rest on -----


def test_a_few_patch_components_hold_most_energy_but_not_all():
    # Uncentred principal components of 16x16 patches of pixels in [-1, 1]: 8 of 768 hold most of the energy, and what
    # they leave is real structure, many times the energy of the sensor noise.
    pictures = np.stack([render(portrait(0, index), 64) for index in range(120)]) / 127.5 - 1
    patches = pictures.reshape(-1, 4, 16, 4, 16, 3).swapaxes(2, 3).reshape(-1, 768)
    energy = np.linalg.eigvalsh(patches.T @ patches / len(patches))[::-1]
    share = np.cumsum(energy) / energy.sum()
    assert 0.78 < share[7] < 0.90
    assert 0.89 < share[31] < 0.96
    assert energy[8:].sum() > 20 * 768 * (2 * NOISE) ** 2


def test_what_a_caption_names_is_in_it_and_what_it_does_not_name_changes_nothing():
    for index in range(60):
        person = portrait(0, index)
        said = named(person)
        assert "background_pattern" in said and set(named(person, mention=ATTRIBUTES)) == set(ATTRIBUTES)
        for name, values in ATTRIBUTES.items():
            other = edit(person, **{name: next(value for value in values if value != getattr(person, name))})
            if name in said and name in named(other):
                assert caption(other) != caption(person), (index, name)
            elif name not in said and name not in named(other):
                assert caption(other) == caption(person), (index, name)
