"""What is asked of a run: the given parts are shown, all others that it is told hidden."""

import pytest
import torch
from torch import nn

from asymflow.config.conditions import MODALITIES
from asymflow.models.condition import Shapes
from asymflow.sampling.asks.request import shown

SHAPES = Shapes(classes=3, caption=(4, 5), embedding=6, patches=(9, 7), joints=2)
GIVEN = {
    "class": {"label": torch.tensor([2, 0])},
    "caption": {
        "text": torch.ones(2, 4, 5), "mask": torch.tensor([[True] * 4, [True, False] * 2]), "empty": torch.ones(4, 5),
    },
    "embedding": {"embedding": torch.ones(2, 6)},
    "patches": {"patches": torch.ones(2, 9, 7)},
}  # fmt: skip


@pytest.fixture
def run(run_of):
    """A run that is told everything."""
    law = {"shown": [{"share": 1.0, "what": list(MODALITIES)}], "joints": 2}
    return run_of(nn.Identity(), shapes=SHAPES, sections={"conditions": law})


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_is_shown_and_all_else_hidden(run, name):
    condition = shown(run, 2, **GIVEN[name])
    assert condition.grid == run.grid and condition.visible is None
    for other in MODALITIES:
        assert condition.shows(other).tolist() == [other == name] * 2
    for key, value in GIVEN[name].items():
        assert torch.equal(getattr(condition, key), value)


def test_what_is_hidden_still_has_its_shapes_so_that_the_network_can_be_asked(run):
    condition = shown(run, 3)
    assert not condition.present.any()
    sizes = {
        name: tuple(getattr(condition, name).shape)
        for name in ("label", "text", "mask", "embedding", "patches", "joints")
    }
    assert sizes == {
        "label": (3,), "text": (3, 4, 5), "mask": (3, 4), "embedding": (3, 6), "patches": (3, 9, 7),
        "joints": (3, 2, 3),
    }  # fmt: skip
    assert condition.empty.shape == (4, 5)


@pytest.mark.parametrize("name", GIVEN)
def test_what_the_run_is_not_told_is_left_out(run_of, name):
    others = [other for other in MODALITIES if other not in (name, "joints")]
    sizes = {"class": "classes"}
    shapes = Shapes(**{sizes.get(n, n): getattr(SHAPES, sizes.get(n, n)) for n in others})
    run = run_of(nn.Identity(), shapes=shapes, sections={"conditions": {"shown": [{"share": 1.0, "what": others}]}})
    condition = shown(run, 2, **{key: value for tensors in GIVEN.values() for key, value in tensors.items()})
    assert not condition.shows(name).any() and condition.shows(others[0]).all()
    assert all(getattr(condition, key) is None for key in GIVEN[name])


@pytest.mark.parametrize(("length", "channels"), [(3, 5), (4, 6)])
def test_captions_of_another_length_or_reader_are_refused(run, length, channels):
    with pytest.raises(
        ValueError,
        match=f"these captions have {length} tokens of {channels} channels, but the run was trained on 4 of 5",
    ):
        shown(run, 2, text=torch.ones(2, length, channels), mask=torch.ones(2, length, dtype=torch.bool))


def test_captions_matter_to_no_run_that_is_not_told_them(run_of):
    condition = shown(run_of(nn.Identity()), 2, label=torch.tensor([1, 2]), text=torch.ones(2, 99, 1))
    assert condition.text is None and condition.shows("class").all()
