import pytest

from asymflow.config.model import SIZES, Model


@pytest.mark.parametrize("size", SIZES)
def test_every_named_size_is_possible(size):
    assert Model(size=size).dimensions == SIZES[size]


def test_a_width_keeps_the_channels_of_a_head_and_the_depth():
    wide = Model(width=768).dimensions
    assert wide == SIZES["tiny"]._replace(width=768, heads=12)


def test_zero_dropout_overrides_that_of_the_size():
    assert Model(size="H", dropout=0.0).dimensions == SIZES["H"]._replace(dropout=0.0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"width": 200}, "width is 200; at size tiny a head has 64 channels: give a multiple of 64"),
        ({"width": 0}, "width is 0"),
        ({"dropout": 1.0}, "dropout is 1.0; give a share from 0 to below 1"),
        ({"patch_size": 0}, "patch_size is 0"),
        ({"embed_pca": 129}, "embed_pca is 129; give 0 to 128, the smaller of the bottleneck"),
        ({"embed_pca": 49, "patch_size": 4}, "embed_pca is 49; give 0 to 48"),
        ({"embed_pca": -1}, "embed_pca is -1"),
        ({"colour": "lab"}, "'rgb' or 'oklab'"),
        ({"size": "XL"}, "'tiny', 'B', 'L', 'H' or 'G'"),
    ],
)
def test_impossible_values_are_named_with_what_is_possible(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        Model(**wrong)
