"""What a network is told: showing, hiding and cutting it."""

from dataclasses import fields

import pytest
import torch

from asymflow.config.conditions import MODALITIES
from asymflow.models.condition import SHARED, Condition, Shapes, example, presence, visible

B, CPU = 5, torch.device("cpu")
SHAPES = Shapes(classes=4, caption=(3, 2), embedding=6, patches=(7, 8), joints=2)


def everything() -> Condition:
    """Five images, each told something else, some of it shown."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    return Condition(
        present=torch.rand(B, 5, generator=generator) < 0.6, grid=(3, 5), label=torch.arange(B) % 4, text=draw(B, 3, 2),
        mask=torch.rand(B, 3, generator=generator) < 0.6, empty=draw(3, 2), embedding=draw(B, 6), patches=draw(B, 7, 8),
        joints=draw(B, 2, 3), visible=torch.tensor([0, 3, 4]),
    )  # fmt: skip


def tensors(condition: Condition) -> dict[str, torch.Tensor]:
    return {f.name: value for f in fields(condition) if isinstance(value := getattr(condition, f.name), torch.Tensor)}


@pytest.mark.parametrize("name", MODALITIES)
def test_each_condition_has_its_column(name):
    shown = presence([name], 3)
    assert shown.shape == (3, 5) and (shown.sum(1) == 1).all()
    condition = Condition(present=shown, grid=(1, 1))
    assert [other for other in MODALITIES if condition.shows(other).all()] == [name]
    assert not any(condition.shows(other).any() for other in MODALITIES if other != name)


def test_keeping_some_conditions_shows_nothing_that_was_hidden():
    condition = everything()
    kept = condition.only("caption", "joints")
    for name in MODALITIES:
        expected = condition.shows(name) if name in ("caption", "joints") else torch.zeros(B, dtype=torch.bool)
        assert torch.equal(kept.shows(name), expected)
    assert not condition.only().present.any()
    assert torch.equal(condition.only(*MODALITIES).present, condition.present)
    others = tensors(condition).keys() - {"present"}
    assert all(torch.equal(getattr(kept, name), getattr(condition, name)) for name in others), "its tensors stay"


def test_parts_of_a_condition_are_the_condition():
    condition = everything()
    parts = condition.split(2)
    assert [len(part.present) for part in parts] == [2, 2, 1] and all(part.grid == (3, 5) for part in parts)
    for name, value in tensors(condition).items():
        cut = [getattr(part, name) for part in parts]
        if name in SHARED:
            assert all(torch.equal(piece, value) for piece in cut), name
        else:
            assert torch.equal(torch.cat(cut), value), name


def test_some_of_the_images_may_be_taken_in_any_order():
    condition, rows = everything(), torch.tensor([4, 0, 0])
    chosen = condition.at(rows)
    for name, value in tensors(condition).items():
        assert torch.equal(getattr(chosen, name), value if name in SHARED else value[rows]), name


def test_all_of_it_moves_to_a_device():
    moved = everything().to("meta")
    assert tensors(moved).keys() == tensors(everything()).keys()
    assert {value.device.type for value in tensors(moved).values()} == {"meta"}


def test_an_example_has_what_has_a_size():
    made = example(SHAPES, (3, 5))
    assert made.present.all() and made.grid == (3, 5) and made.visible is None
    assert {name: tuple(value.shape) for name, value in tensors(made).items()} == {
        "present": (1, 5), "label": (1,), "text": (1, 3, 2), "mask": (1, 3), "empty": (3, 2), "embedding": (1, 6),
        "patches": (1, 7, 8), "joints": (1, 2, 3),
    }  # fmt: skip
    assert tensors(example(Shapes(), (3, 5))).keys() == {"present"}


def test_half_of_an_odd_number_of_tokens_is_rounded_towards_more_visible_ones():
    chosen = visible(9, 0.5, CPU)
    assert len(chosen) == 5 and (chosen.diff() > 0).all() and chosen.min() >= 0 and chosen.max() < 9


def test_where_no_token_bypasses_anything_nothing_is_drawn():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert visible(9, 0.0, CPU) is None
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_decides_which_tokens_are_visible():
    first, again, other = (visible(35, 0.4, CPU, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
