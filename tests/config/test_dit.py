"""Which DiT is trained."""

import pytest
from pydantic import ValidationError

from asymflow.config.dit import DiT


def test_it_says_how_many_blocks_and_first_channels_it_has():
    made = DiT(width=64, depth=5, heads=2)
    assert (made.blocks, made.first_channels, made.bypass, made.any_grid) == (5, 64, 0.0, False)


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ValidationError, match="width is 100; the channels of each of 3 heads must be a multiple of 4"):
        DiT(width=100)
