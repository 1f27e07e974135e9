"""Asking for the cases of the validation suite."""

import pytest
import torch
from torch import nn

from asymflow.config.sampling import Sampling
from asymflow.data.suite import UNPAIRED, Case, Suite
from asymflow.models.condition import Shapes
from asymflow.sampling.asks.cases import build, noise_number

TEXT, ALL = ("caption",), ("caption", "embedding", "patches")
CASES = [
    Case("text", 0, 0, 0, TEXT),
    Case("text", 1, 1, 1, TEXT),
    Case("reconstruction", 0, 0, 0, ALL),
    Case("original", 2, 2, 3, ALL),
    Case("edited", 2, 2, 3, ALL, edit=0),
    Case("memory", 0, 0, 4, TEXT, source="train"),
]
SHAPES = Shapes(caption=(4, 3), embedding=6, patches=(9, 7))


def rows() -> dict[str, torch.Tensor]:
    """What each case is shown, its number; exact in bfloat16, which files hold."""
    n = torch.arange(6.0)
    return {
        "text": n[:, None, None].expand(6, 4, 3).contiguous(), "mask": torch.arange(4) <= n[:, None],
        "embedding": n[:, None].expand(6, 6).contiguous(), "patches": n[:, None, None].expand(6, 9, 7).contiguous(),
    }  # fmt: skip


@pytest.fixture
def asked(tmp_path):
    wanted = torch.zeros(6, 3, 6, 6, dtype=torch.uint8)
    suite = Suite(
        CASES, [], rows(), torch.full((4, 3), 0.5), wanted, wanted[:0], image_size=6, split="heldout", data=""
    )
    suite.save(tmp_path / "suite.safetensors")
    return tmp_path / "suite.safetensors"


@pytest.fixture
def conditioned(run_of):
    """conditioned(conditions) -> a run that is told these."""

    def made(*what, **more):
        shapes = Shapes(
            **{"classes" if name == "class" else name: 3 if name == "class" else getattr(SHAPES, name) for name in what}
        )
        law = {"shown": [{"share": 0.5}, {"share": 0.5, "what": list(what)}]}
        return run_of(nn.Identity(), shapes=shapes, sections={"conditions": law}, **more)

    return made


def test_each_case_shows_what_it_shows_and_nothing_else(conditioned, asked):
    request = build(conditioned(*ALL), Sampling(), asked)
    condition = request.condition(range(6))
    for name in ALL:
        assert condition.shows(name).tolist() == [name in case.shown for case in CASES]
    for name, values in rows().items():
        assert torch.equal(getattr(condition, name), values)
    assert torch.equal(condition.empty, torch.full((4, 3), 0.5))
    assert request.count == 6


def test_a_case_is_told_the_same_whatever_batch_it_is_drawn_in(conditioned, asked):
    request = build(conditioned(*ALL), Sampling(), asked)
    whole = request.condition(range(6))
    for numbers in (range(2, 5), [4, 0]):
        part = request.condition(numbers)
        for name in ("present", "text", "mask", "embedding", "patches"):
            assert torch.equal(getattr(part, name), getattr(whole, name)[list(numbers)])


@pytest.mark.parametrize("what", [("caption",), ("caption", "patches"), ("embedding",), ("class",)])
def test_what_the_run_is_not_told_is_hidden(conditioned, asked, what):
    condition = build(conditioned(*what), Sampling(), asked).condition(range(6))
    for name in ("class", *ALL):
        assert condition.shows(name).tolist() == [name in what and name in case.shown for case in CASES]
    assert (condition.embedding is None) == ("embedding" not in what)
    assert (condition.patches is None) == ("patches" not in what) and (condition.text is None) == (
        "caption" not in what
    )


@pytest.mark.parametrize("paired", [True, False])
def test_an_edit_begins_with_its_original_s_noise_where_they_are_paired(conditioned, asked, paired):
    request = build(conditioned(*ALL), Sampling(paired=paired), asked)
    assert request.noises(range(6)) == [0, 1, 0, 3, 3 if paired else 3 + UNPAIRED, 4]
    assert noise_number(CASES[4], paired) == request.noises([4])[0]


def test_captions_alone_stand_for_what_the_model_draws(conditioned, asked):
    distribution = build(conditioned(*ALL), Sampling(), asked).distribution
    assert [CASES[i].kind for i in distribution] == ["text", "text"]


def test_a_suite_of_another_size_is_refused(conditioned, asked):
    with pytest.raises(ValueError, match="has images of 6 pixels, but the run draws 8; run stage suite again"):
        build(conditioned(*ALL, image_size=8), Sampling(), asked)


def test_captions_of_another_length_are_refused(run_of, asked):
    law = {"shown": [{"share": 1.0, "what": ["caption"]}]}
    request = build(
        run_of(nn.Identity(), shapes=Shapes(caption=(5, 3)), sections={"conditions": law}), Sampling(), asked
    )
    with pytest.raises(
        ValueError, match="these captions have 4 tokens of 3 channels, but the run was trained on 5 of 3"
    ):
        request.condition(range(2))
