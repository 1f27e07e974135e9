import pytest

from asymflow.config.jit import SIZES, JiT


@pytest.mark.parametrize("size", SIZES)
def test_every_named_size_is_possible(size):
    assert JiT(size=size).dimensions == SIZES[size]


def test_a_width_keeps_the_channels_of_a_head_and_the_depth():
    wide = JiT(width=768).dimensions
    assert wide == SIZES["tiny"]._replace(width=768, heads=12)


def test_without_a_bottleneck_the_first_channels_are_those_of_a_token():
    assert (JiT().first_channels, JiT(bottleneck=32).first_channels, JiT(bottleneck=0).first_channels) == (128, 32, 192)
    assert JiT(bottleneck=0, hidden=440).dimensions == SIZES["tiny"]._replace(bottleneck=0, hidden=440)


def test_zero_dropout_overrides_that_of_the_size():
    assert JiT(size="H", dropout=0.0).dimensions == SIZES["H"]._replace(dropout=0.0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"width": 200}, "width is 200; at size tiny a head has 64 channels: give a multiple of 64"),
        ({"width": 0}, "greater than 0"),
        ({"bottleneck": -1}, "greater than or equal to 0"),
        ({"hidden": 0}, "greater than 0"),
        ({"dropout": 1.0}, "less than 1"),
        ({"size": "XL"}, "'tiny', 'B', 'L', 'H' or 'G'"),
    ],
)
def test_impossible_values_are_named_with_what_is_possible(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        JiT(**wrong)
