"""JiT with its input in its output."""

import torch
from networks import EVERYTHING, GRID, PATCH_DIM, SMALL, everything_shown, inputs, moved

from asymflow.config.gained import Gained as Config
from asymflow.flow.asymmetric import recover
from asymflow.flow.path import interpolate, velocity
from asymflow.models import gained, jit

OPTIONS = {"dimension": PATCH_DIM, "grid": GRID, "shapes": EVERYTHING, "checkpointing": False}


def test_from_the_same_generator_it_begins_as_the_plain_network_weight_for_weight():
    made, plain = (
        module.build(Config(), generator=torch.Generator().manual_seed(0), **OPTIONS).state_dict()
        for module in (gained, jit)
    )
    assert set(made) - set(plain) == {"gain", "gain_bias"} and all(
        torch.equal(made[name], plain[name]) for name in plain
    )
    assert not made["gain"].any() and not made["gain_bias"].any()


def test_its_output_is_the_plain_network_s_and_the_input_times_the_gain():
    network, (x, t, _) = moved(gained.Gained(SMALL, **OPTIONS)), inputs()
    plain = jit.JiT(SMALL, **OPTIONS).double()
    plain.load_state_dict({name: value for name, value in network.state_dict().items() if not name.startswith("gain")})
    told, other = everything_shown(), everything_shown()
    shares = (network(x, t, told) - plain(x, t, other)) / x
    torch.testing.assert_close(shares, shares[:, :1].expand_as(shares), rtol=1e-6, atol=1e-8)
    assert shares.std(dim=0).min() > 0, "images of other levels and conditions have other gains"


def test_with_the_gain_1_over_t_a_network_that_predicts_data_predicts_the_velocity():
    """The control's claim, without a network: u = x_t / t - x_0 / t."""
    generator = torch.Generator().manual_seed(3)
    x_0, eps = (torch.randn(2, 3, PATCH_DIM, dtype=torch.float64, generator=generator) for _ in range(2))
    t = torch.tensor([0.3, 0.9], dtype=torch.float64)
    x_t, time = interpolate(x_0, eps, t), t[:, None, None]
    A = torch.eye(PATCH_DIM, dtype=torch.float64)
    torch.testing.assert_close(recover(-x_0 / time + x_t / time, x_t, t, A), velocity(x_0, eps))
