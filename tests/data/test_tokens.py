import pytest
import torch

from asymflow.config.arm import Arm
from asymflow.config.conditions import Conditions, Shown
from asymflow.config.flux import Flux
from asymflow.config.jit import JiT
from asymflow.config.representation import Representation
from asymflow.data.colour import from_rgb
from asymflow.data.tokens import grid_of, in_gamut, to_bytes, to_pixels, to_tokens

CAPTIONS = Conditions(shown=(Shown(share=1, what=("caption",)),))
GRID = (2, 3)  # of patches of 3 x 3 pixels
ROUNDING = {"atol": 1e-12, "rtol": 0}  # float64, through cubes and powers; measured: 2e-14


def arm(colour, order):
    """An arm whose tokens have this order: that of its network."""
    parts = {
        "row column channel": {"network": JiT()},
        "channel row column": {"network": Flux(), "conditions": CAPTIONS},
    }
    made = Arm(representation=Representation(patch_size=3, colour=colour), **parts[order])
    assert made.network.order == order
    return made


def images(seed=0):
    """RGB in [-1, 1]."""
    return 2 * torch.rand(2, 3, 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 1


@pytest.fixture(params=["rgb", "oklab"])
def colour(request):
    return request.param


@pytest.fixture(params=["row column channel", "channel row column"])
def order(request):
    return request.param


def test_pixels_come_back_from_their_tokens(colour, order):
    tokens = to_tokens(images(), arm(colour, order))
    assert tokens.shape == (2, 6, 27) and tokens.dtype == torch.float64
    torch.testing.assert_close(to_pixels(tokens, GRID, arm(colour, order)), images(), **ROUNDING)


def test_a_token_is_its_patch_in_the_arm_s_colours_and_order(colour, order):
    patch = from_rgb(images(), colour)[1, :, 3:6, 6:9]  # the last patch of the second row
    flat = patch.permute(1, 2, 0).flatten() if order == "row column channel" else patch.flatten()
    assert torch.equal(to_tokens(images(), arm(colour, order))[1, 5], flat)


def test_the_orders_have_the_same_values_in_other_places(colour):
    one, other = (to_tokens(images(), arm(colour, order)) for order in ("row column channel", "channel row column"))
    assert torch.equal(one.sort(-1).values, other.sort(-1).values) and not torch.equal(one, other)


def test_colours_outside_rgb_are_left_in_rgb_and_clamped_from_oklab(order):
    wild = 5 * torch.randn(2, 6, 27, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert to_pixels(wild, GRID, arm("rgb", order)).abs().max() > 5
    assert to_pixels(wild, GRID, arm("oklab", order)).abs().max() <= 1 + ROUNDING["atol"]


def test_in_gamut_keeps_the_colours_of_rgb_and_moves_all_others_into_it(colour, order):
    chosen = arm(colour, order)
    tokens = to_tokens(images(), chosen)
    torch.testing.assert_close(in_gamut(tokens, GRID, chosen), tokens, **ROUNDING)
    wild = 5 * torch.randn(2, 6, 27, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tamed = in_gamut(wild, GRID, chosen)
    assert (tamed - wild).abs().max() > 1
    expected = to_pixels(wild, GRID, chosen).clamp(-1, 1)
    torch.testing.assert_close(to_pixels(tamed, GRID, chosen), expected, **ROUNDING)


def test_in_gamut_of_rgb_is_the_clamp_itself(order):
    wild = 5 * torch.randn(2, 6, 27, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(in_gamut(wild, GRID, arm("rgb", order)), wild.clamp(-1, 1))


def test_a_grid_counts_rows_before_columns():
    assert grid_of(6, 9, 3) == GRID
    assert grid_of(5, 5, 5) == (1, 1)


@pytest.mark.parametrize("height, width", [(6, 10), (7, 9), (2, 9)])
def test_an_image_that_patches_do_not_fill_is_an_error(height, width):
    message = f"patches of 3 x 3 do not fill an image of {height} x {width} pixels; change either one"
    with pytest.raises(ValueError, match=f"^{message}$"):
        grid_of(height, width, 3)


def test_every_byte_survives_the_range_of_pixels():
    values = torch.arange(256, dtype=torch.uint8).reshape(4, 8, 8)
    for dtype in (torch.float32, torch.float64):
        assert torch.equal(to_bytes(values.to(dtype) / 127.5 - 1), values)


def test_bytes_are_rounded_to_the_nearest_and_clamped():
    steps = torch.tensor([0.4, 0.6, 99.51, 254.4, 254.6, -30.0, 300.0], dtype=torch.float64)
    assert to_bytes(steps / 127.5 - 1).tolist() == [0, 1, 100, 254, 255, 0, 255]
