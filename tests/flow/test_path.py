import torch

from asymflow.flow.path import T_MIN, interpolate, logit_normal_time, shift_time


def test_the_path_begins_at_data_and_ends_at_noise():
    x_0, eps = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    assert torch.equal(interpolate(x_0, eps, torch.zeros(2)), x_0)
    assert torch.equal(interpolate(x_0, eps, torch.ones(2)), eps)


def test_noise_levels_follow_the_logit_normal_law_of_the_paper():
    t = logit_normal_time(torch.randn(400_000, generator=torch.Generator().manual_seed(0)), 0.8, 0.8)
    # the median of sigmoid(0.8 + 0.8 z) is sigmoid(0.8); four standard errors of a median of 400 000 draws are below 1e-3
    assert abs(t.median().item() - 0.68997) < 1e-3
    # P(t < 0.31) = Phi((logit(0.31) - 0.8) / 0.8) = Phi(-2.0002); the clean side is the rare one, so a wrong sign shows
    assert abs((t < 0.31).double().mean().item() - 0.02274) < 1e-3


def test_noise_levels_never_reach_zero():
    assert logit_normal_time(torch.tensor([-60.0, 60.0]), 0.8, 0.8).tolist() == [torch.tensor(T_MIN).item(), 1.0]


def test_a_shift_divides_the_signal_to_noise_ratio_and_keeps_the_ends():
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    shifted = shift_time(t, 17.0)
    assert shifted[0] == 0 and shifted[-1] == 1
    inner = slice(1, -1)
    assert torch.allclose((1 - shifted[inner]) / shifted[inner], (1 - t[inner]) / t[inner] / 17)
    assert torch.equal(shift_time(t, 1.0), t), "a shift of 1 changes no bit"
    assert shift_time(0.5, 17.0) == 17 / 18, "plain numbers too"
