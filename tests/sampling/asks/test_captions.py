"""Asking for captions."""

import pytest
import torch
from torch import nn

from asymflow.config.sampling import Sampling
from asymflow.data.rows import write
from asymflow.models.condition import Shapes
from asymflow.sampling.asks.captions import build

TEXT = torch.arange(5.0)[:, None, None].expand(5, 4, 3).contiguous()  # exact in bfloat16, which files hold
MASK = torch.arange(4) <= torch.arange(5)[:, None]


@pytest.fixture
def asked(tmp_path):
    """Five prompts as tokens, in shards of three and two."""
    parts = [{"text": TEXT[rows], "mask": MASK[rows]} for rows in (slice(0, 3), slice(3, 5))]
    write(tmp_path / "prompts.json", parts, {"data": ""}, shared={"empty": torch.full((4, 3), 0.5)})
    return tmp_path / "prompts.json"


@pytest.fixture
def run(run_of):
    sections = {"conditions": {"shown": [{"share": 1.0, "what": ["caption", "embedding"]}]}}
    return run_of(nn.Identity(), shapes=Shapes(caption=(4, 3), embedding=6), sections=sections)


def test_each_image_is_told_its_caption_alone_whatever_batch_it_is_drawn_in(run, asked):
    request = build(run, Sampling(count=4), asked)
    for numbers in (range(4), range(2, 4), [3, 1]):
        condition = request.condition(numbers)
        assert torch.equal(condition.text, TEXT[list(numbers)]) and torch.equal(condition.mask, MASK[list(numbers)])
        assert torch.equal(condition.empty, torch.full((4, 3), 0.5))
        assert condition.shows("caption").all() and not condition.shows("embedding").any()


def test_images_begin_with_their_own_noise_and_all_stand_for_what_the_model_draws(run, asked):
    request = build(run, Sampling(count=4), asked)
    assert request.count == 4 and request.distribution == range(4) and request.noises(range(2, 4)) == [2, 3]


def test_more_images_than_there_are_captions_are_an_error(run, asked):
    assert build(run, Sampling(count=5), asked).count == 5
    with pytest.raises(ValueError, match=r"has 5 captions, but the setting's count is 6; raise prompts\.count"):
        build(run, Sampling(count=6), asked)


def test_captions_of_another_length_are_refused(run_of, asked):
    sections = {"conditions": {"shown": [{"share": 1.0, "what": ["caption"]}]}}
    request = build(run_of(nn.Identity(), shapes=Shapes(caption=(6, 3)), sections=sections), Sampling(count=4), asked)
    with pytest.raises(
        ValueError, match="these captions have 4 tokens of 3 channels, but the run was trained on 6 of 3; embed them"
    ):
        request.condition(range(4))
