import torch
from torch import nn

from asymflow.flow.asymmetric import calibration, recover
from asymflow.models.condition import Condition, presence
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.bases import random_basis

B, N, D = 3, 4, 12


class Recorder(nn.Module):
    """A network that keeps what it is given and answers with a fixed prediction."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x, t, condition):
        self.x, self.t, self.condition = x, t, condition
        return self.answer


def parts(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, answer = (torch.randn(B, N, D, generator=generator) for _ in range(2))
    condition = Condition(presence(["class"], B), (2, 2), label=torch.tensor([0, 1, 2]))
    return x, answer, torch.tensor([0.1, 0.5, 1.0]), condition


def test_the_velocity_is_recovered_from_the_network_s_output():
    x, answer, t, condition = parts()
    A = random_basis(D, seed=0)[:, :5].float()
    model = VelocityModel(Recorder(answer), A, 1.0, torch.float32)
    assert torch.equal(model(x, t, condition, sigma_min=0.2), recover(answer, x, t, A, 1.0, 0.2))
    assert torch.equal(model.network.x, x) and torch.equal(model.network.t, t) and model.network.condition is condition


def test_a_lifted_network_gets_calibrated_input_and_time():
    x, answer, t, condition = parts()
    A, s = random_basis(D, seed=0)[:, :5].float(), 0.6
    model = VelocityModel(Recorder(answer), A, s, torch.float32)
    u = model(x, t, condition, sigma_min=0.0)
    k = calibration(t, s)
    assert torch.equal(model.network.x, k[:, None, None] * x) and torch.equal(model.network.t, k * t)
    assert torch.equal(u, recover(answer, x, t, A, s))


def test_only_the_network_runs_in_low_precision():
    """x_t must reach the recovery unrounded: at small t its rounding is divided by t."""
    x, _, _, condition = parts()
    t = torch.full((B,), 0.01)
    A = random_basis(D, seed=0)[:, :5].float()

    class Linear(nn.Linear):
        def forward(self, x, t, condition):
            return super().forward(x)

    torch.manual_seed(0)
    network = Linear(D, D)
    u = VelocityModel(network, A, 1.0, torch.bfloat16)(x, t, condition, sigma_min=0.0)
    with torch.autocast("cpu", torch.bfloat16):
        prediction = network(x, t, condition)
    assert prediction.dtype == torch.bfloat16 and u.dtype == torch.float32
    assert torch.equal(u, recover(prediction.float(), x, t, A))


def test_the_subspace_travels_with_the_model_and_its_device():
    _, answer, _, _ = parts()
    model = VelocityModel(Recorder(answer), random_basis(D, seed=0)[:, :5].float(), 1.0, torch.float32)
    assert "A" in model.state_dict() and model.to(torch.float64).A.dtype == torch.float64
