"""The lift of a latent model: exact at initialisation, step by step (Theorem 1)."""

from itertools import pairwise

import pytest
import torch
from diffusers import Flux2Transformer2DModel
from torch import nn

from asymflow.flow.asymmetric import calibration
from asymflow.flow.solver import constant_time, euler, heun, time_grid
from asymflow.models.condition import Condition, presence
from asymflow.models.lift import fuse_input, fuse_output
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.bases import random_basis

D, LATENT, B, N, STEPS = 12, 5, 2, 4, 6
NOTHING = Condition(presence([], B), (1, N))


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Small(nn.Module):
    """Any network of tokens and time between two linear layers."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(LATENT, 16), nn.Linear(16, LATENT)

    def forward(self, x, t, condition):
        hidden = self.first(x) + t[:, None, None]
        return self.last(torch.tanh(hidden + hidden.mean(1, keepdim=True)))


class Flux(nn.Module):
    """A tiny random FLUX.2 transformer of diffusers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.flux = Flux2Transformer2DModel(
            in_channels=LATENT, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
            joint_attention_dim=6, axes_dims_rope=(2, 2, 2, 2), guidance_embeds=False,
        )  # fmt: skip
        self.text = normal(1, 3, 6, seed=8)

    def forward(self, x, t, condition):
        positions = torch.zeros(N, 4)
        positions[:, 2] = torch.arange(N)
        return self.flux(
            x, self.text.expand(len(x), -1, -1).to(x.dtype), t, img_ids=positions, txt_ids=torch.zeros(3, 4)
        ).sample


def lifted_small(A):
    torch.manual_seed(0)
    network = Small().double()
    network.first, network.last = fuse_input(network.first, A), fuse_output(network.last, A)
    return network


def lifted_flux(A):
    network = Flux().double()
    network.flux.x_embedder = fuse_input(network.flux.x_embedder, A)
    network.flux.proj_out = fuse_output(network.flux.proj_out, A)
    return network


def latent_small(A):
    torch.manual_seed(0)
    return Small().double()


def latent_flux(A):
    return Flux().double()


NETWORKS = {
    "small": (latent_small, lifted_small, 1e-12),
    "flux2": (latent_flux, lifted_flux, 1e-5),
}  # rotary is float32


@pytest.fixture(params=[(name, s) for name in NETWORKS for s in (1.0, 0.4, 3.0)], ids=str)
def pair(request):
    """The latent velocity field, the lifted one, A, s and the tolerance."""
    name, s = request.param
    latent, lifted, tolerance = NETWORKS[name]
    A = random_basis(D, seed=5)[:, :LATENT]
    plain, model = latent(A), VelocityModel(lifted(A), A, s, torch.float32)

    def latent_field(z, tau):
        with torch.no_grad():
            return plain(z, constant_time(tau, z), NOTHING)

    def u(x, t):
        with torch.no_grad():
            return model(x, constant_time(t, x), NOTHING, sigma_min=0.0)

    return latent_field, u, A, s, tolerance


def k(t, s):
    return calibration(torch.tensor([t], dtype=torch.float64), s).item()


def trajectory(solver, field, start, times):
    """The state after every step."""
    states = [start]
    for step in pairwise(times):
        states.append(solver(field, states[-1], list(step)))
    return states


def check_coupled(latents, pixels, times, A, s, eps, tolerance):
    """x_t = A z_tau / k + t (I - P) eps: eq. 40, with the calibration of eq. 13-15."""
    for z, x, t in zip(latents, pixels, times, strict=True):
        expected = z @ A.T / k(t, s) + t * (eps - eps @ A @ A.T)
        assert (x - expected).abs().max() <= tolerance * max(1, expected.abs().max().item())


@pytest.mark.parametrize("shift", [1.0, 7.0])
def test_euler_trajectories_are_coupled_at_every_step(pair, shift):
    field, u, A, s, tolerance = pair
    eps, times = normal(B, N, D, seed=1), time_grid(STEPS, shift)
    latent_times = [t * k(t, s) for t in times]
    latents = trajectory(euler, field, eps @ A, latent_times)
    pixels = trajectory(euler, u, eps, times)
    check_coupled(latents, pixels, times, A, s, eps, tolerance)
    assert torch.allclose(pixels[-1], s * latents[-1] @ A.T, atol=10 * tolerance), (
        "the sample is the lift of the latent"
    )


def calibrated_heun(s):
    """Heun's method on latents, with the corrector weighed as the pixel solver does on the shared grid.

    The two slopes of a step belong to different k: in latents, the plain mean of pixel slopes weighs the second by k' / (2 k).
    """

    def solver(field, z, times):
        tau, tau_next = times
        k_now, k_next = (1 - tau + s * tau) / s, (1 - tau_next + s * tau_next) / s  # k as a function of tau = k t
        slope = field(z, tau)
        if tau_next > 0:
            share = k_next / (2 * k_now)
            slope = (1 - share) * slope + share * field(z + (tau_next - tau) * slope, tau_next)
        return z + (tau_next - tau) * slope

    return solver


def test_heun_trajectories_are_coupled_at_every_step(pair):
    field, u, A, s, tolerance = pair
    eps, times = normal(B, N, D, seed=1), time_grid(STEPS)
    latent_times = [t * k(t, s) for t in times]
    latents = trajectory(calibrated_heun(s), field, eps @ A, latent_times)
    pixels = trajectory(heun, u, eps, times)
    check_coupled(latents, pixels, times, A, s, eps, tolerance)
    if s == 1:
        plain = trajectory(heun, field, eps @ A, times)
        check_coupled(plain, pixels, times, A, s, eps, tolerance)


def test_with_a_scale_plain_heun_on_latents_is_another_method_of_the_same_order(pair):
    """The mean of the two slopes is not the same in both spaces: they agree to the order of the method, not to precision."""
    field, u, A, s, tolerance = pair
    eps = normal(B, N, D, seed=1)
    gaps = []
    for steps in (20, 40):
        times = time_grid(steps)[:-1]  # the last step is Euler's
        pixels = heun(u, eps, times)
        latents = heun(field, eps @ A, [t * k(t, s) for t in times])
        gaps.append((pixels @ A * k(times[-1], s) - latents).abs().max().item())
    if s == 1:
        assert max(gaps) <= tolerance
    else:
        assert gaps[1] < gaps[0] / 3, "second order, at least: halving the step takes more than two thirds away"


def test_at_the_start_nothing_is_predicted_outside_the_subspace():
    A = random_basis(D, seed=5)[:, :LATENT]
    u_A = lifted_small(A)(normal(B, N, D), torch.rand(B).double(), NOTHING)
    assert (u_A - u_A @ A @ A.T).abs().max() < 1e-12


def test_tokens_of_another_size_are_an_error():
    A = random_basis(D, seed=5)[:, : LATENT + 1]
    with pytest.raises(ValueError, match="takes latent tokens of 5 numbers, but the lift was fitted to tokens of 6"):
        fuse_input(nn.Linear(LATENT, 16), A)
    with pytest.raises(ValueError, match="gives latent tokens of 5 numbers, but the lift was fitted to tokens of 6"):
        fuse_output(nn.Linear(16, LATENT), A)


def test_the_layers_keep_their_precision():
    A = random_basis(D, seed=5)[:, :LATENT]
    assert fuse_input(nn.Linear(LATENT, 16, bias=False, dtype=torch.bfloat16), A).weight.dtype == torch.bfloat16
    assert fuse_output(nn.Linear(16, LATENT, bias=False), A).bias is None
