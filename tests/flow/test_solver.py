"""Solvers against a data set whose velocity is known exactly: a Gaussian."""

import math

import torch

from asymflow.flow.asymmetric import recover
from asymflow.flow.path import per_sample
from asymflow.flow.solver import constant_time, euler, heun, time_grid
from asymflow.subspace.bases import random_basis

B, N, D = 2, 3, 6
MEAN, STD = 0.7, 0.3


def gaussian_velocity(x, t):
    """E[eps - x_0 | x_t] for x_0 ~ N(MEAN, STD^2): linear regression of each on x_t."""
    variance = (1 - t) ** 2 * STD**2 + t**2
    residual = (x - (1 - t) * MEAN) / variance
    return t * residual - (MEAN + (1 - t) * STD**2 * residual)


def gaussian_flow(noise):
    """Where the flow takes noise: the path of equal quantiles."""
    return MEAN + STD * noise


def start():
    return torch.randn(B, N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def error(solver, steps):
    return (solver(gaussian_velocity, start(), time_grid(steps)) - gaussian_flow(start())).abs().max().item()


def test_the_grid_is_uniform_from_noise_to_data():
    assert time_grid(4) == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_both_solvers_are_exact_on_straight_paths():
    x_0 = torch.full((B, N, D), 0.3, dtype=torch.float64)
    for solver in (euler, heun):
        for steps in (1, 5):
            torch.testing.assert_close(solver(lambda x, t: (x - x_0) / t, start(), time_grid(steps)), x_0)


def test_heun_converges_to_the_gaussian_flow_with_second_order_and_euler_with_first():
    # halving the step divides the error by 2^order; the last Heun interval is Euler, whose own error is second order too
    for solver, order in ((euler, 1), (heun, 2)):
        measured = math.log2(error(solver, 200) / error(solver, 400))
        assert abs(measured - order) < 0.1


def test_heun_evaluates_the_velocity_twice_in_each_interval_but_the_last():
    """Each time with its own noise level, at which guidance is decided: across its end a guided slope mixes with another one."""
    times = []

    def field(x, t):
        times.append(t)
        return gaussian_velocity(x, t)

    heun(field, start(), time_grid(4))
    assert times == [1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25]


def test_heun_with_one_step_is_one_euler_step():
    torch.testing.assert_close(
        heun(gaussian_velocity, start(), [1.0, 0.0]), euler(gaussian_velocity, start(), [1.0, 0.0])
    )


def test_every_rank_of_an_ideal_network_follows_the_same_flow():
    """The posterior mean of u_A recovers the posterior mean of u, so the samples cannot depend on the rank."""
    for rank in (0, 2, D):
        A = random_basis(D, seed=1)[:, :rank]

        def field(x, t, A=A):
            u = gaussian_velocity(x, t)
            x_0, eps = x - t * u, x + (1 - t) * u
            return recover((eps @ A) @ A.T - x_0, x, constant_time(t, x), A)

        assert (
            heun(field, start(), time_grid(50)) - heun(gaussian_velocity, start(), time_grid(50))
        ).abs().max() < 1e-10


def test_time_tensors_have_one_value_for_each_image():
    assert per_sample(constant_time(0.5, start())).shape == (B, 1, 1)
