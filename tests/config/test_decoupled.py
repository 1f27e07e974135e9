"""Which DDT is trained."""

import pytest

from asymflow.config.decoupled import Decoupled
from asymflow.config.jit import SIZES


@pytest.mark.parametrize("size", SIZES)
def test_its_decoder_is_a_quarter_of_the_blocks_unless_said(size):
    assert Decoupled(size=size).decoded == SIZES[size].depth // 4
    assert Decoupled(size=size, decoder=2).decoded == 2


@pytest.mark.parametrize(("size", "decoder", "most"), [("tiny", 3, 2), ("B", 8, 7)])
def test_a_decoder_that_leaves_no_encoder_to_what_joins_is_refused(size, decoder, most):
    with pytest.raises(
        ValueError, match=f"decoder is {decoder}; at size {size} class and captions join .* give at most {most}"
    ):
        Decoupled(size=size, decoder=decoder)
    assert Decoupled(size=size, decoder=most).decoded == most
