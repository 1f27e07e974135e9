"""What an arm minimises: flow matching of the recovered velocity, and the terms that it adds."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from asymflow.config.arm import Arm
from asymflow.flow.path import interpolate
from asymflow.models.assemble import Beginning, assemble
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.bases import gram, pca, random_basis
from asymflow.training.example import Example, draw, seed_step
from asymflow.training.objective import Needs, Objective, build

B, PATCH, GRID = 6, 4, (2, 3)
N, D, CLASSES, CPU = 6, 48, 3, torch.device("cpu")


class Fixed(nn.Module):
    """A network with one block that gives a fixed prediction, whatever it is shown."""

    width = 3

    def __init__(self, prediction):
        super().__init__()
        self.prediction, self.blocks = nn.Parameter(prediction), nn.ModuleList([nn.Identity()])

    def forward(self, x, t, condition):
        self.blocks[0](self.prediction[..., :3])
        return self.prediction


def arm(**sections) -> Arm:
    made = {
        "representation": {"patch_size": PATCH}, "target": {"rank": 0, "basis": "identity"},
        "network": {"kind": "jit", "width": 64}, "training": {"images": 1000, "warmup_images": 0},
    }  # fmt: skip
    return Arm.model_validate(made | sections)


def example(t=(0.01, 0.04, 0.1, 0.5, 0.9, 1.0), **changes) -> Example:
    """Noise levels on both sides of the floor."""
    generator = torch.Generator().manual_seed(0)

    def normal():
        return torch.randn(B, N, D, generator=generator, dtype=torch.float64)

    condition = Condition(presence(["class"], B), GRID, label=torch.arange(B) % CLASSES)
    pixels = torch.zeros(B, 3, GRID[0] * PATCH, GRID[1] * PATCH)
    made = Example(normal(), normal(), torch.tensor(t, dtype=torch.float64), condition, pixels, progress=0.0)
    return replace(made, **changes)


def prediction(seed: int = 1):
    return torch.randn(B, N, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def basis(rank):
    return random_basis(D, seed=0)[:, :rank]


def objective(configured: Arm, made: torch.Tensor, A=None) -> Objective:
    A = torch.eye(D, dtype=torch.float64)[:, : configured.target.columns(D)] if A is None else A
    return Objective(configured, VelocityModel(Fixed(made), A, 1.0, torch.float32), {})


def flow(configured: Arm, made: torch.Tensor, shown: Example, A=None) -> torch.Tensor:
    return objective(configured, made, A)(shown)["flow"]


@pytest.mark.parametrize(
    ("t", "predicted", "losses", "expected"),
    [
        # x_t = (2, 0, 0), recovered (1, -4, 0.5)
        (0.5, [1.0, -2.0, 0.25], {}, (1 + 36 + 2.25) / 3),
        # x_t = (1.05, -0.95, 0.475), recovered (1, -0.05 / 0.025, 0.025 / 0.025), weighted with (0.025 / 0.05)^2
        (0.025, [1.0, 0.9, -0.45], {}, (1 + 16 + 4) / 3 / 4),
        # recovered (1, -0.05 / 0.1, 0.025 / 0.1)
        (0.025, [1.0, 0.9, -0.45], {"sigma_min": 0.1}, (1 + 6.25 + 1.5625) / 3 / 4),
        # weighted with (0.025 / 0.1)^2
        (0.025, [1.0, 0.9, -0.45], {"sigma_floor": 0.1}, (1 + 16 + 4) / 3 / 16),
    ],
)
def test_the_loss_of_one_patch_is_the_squared_error_of_the_velocity_recovered_from_rank_1(
    t, predicted, losses, expected
):
    """The velocity from the data to the noise is (2, 2, -1); its first number is predicted, the other two are recovered."""

    def numbers(*values):
        return torch.tensor([[values]], dtype=torch.float64)

    shown = Example(
        numbers(1.0, -1.0, 0.5), numbers(3.0, 1.0, -0.5), torch.tensor([t], dtype=torch.float64),
        Condition(presence([], 1), (1, 1)), torch.zeros(1, 3, 1, 1), progress=0.0,
    )  # fmt: skip
    first = torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64)
    terms = objective(arm(target={"rank": 1}, losses=losses), numbers(*predicted), first)(shown)
    assert list(terms) == ["flow"] and terms["flow"].item() == pytest.approx(expected, rel=1e-12)


def test_at_rank_0_the_loss_is_prx_tg_s_own():
    """mean((x_0_hat - x_0)^2) / max(t, 0.05)^2: x_t cancels."""
    shown, x_0_hat = example(), prediction()
    expected = ((x_0_hat - shown.x_0) / shown.t.clamp_min(0.05)[:, None, None]).square().mean()
    torch.testing.assert_close(flow(arm(), -x_0_hat, shown), expected)


@pytest.mark.parametrize("rank", [0, 8, "full"])
def test_the_right_prediction_costs_nothing(rank):
    """u_A = P eps - x_0; recovery divides by t, which leaves the rounding of float64."""
    configured, shown = arm(target={"rank": rank}), example()
    A = basis(configured.target.columns(D))
    assert flow(configured, shown.eps @ A @ A.T - shown.x_0, shown, A) < 1e-24


def test_a_dead_target_is_x_0_prediction_to_the_bit():
    shown, made = example(), prediction()
    alive = arm(target={"rank": 8, "basis": "identity"})
    dead = arm(target={"rank": 8, "basis": "identity", "dead": True})
    assert torch.equal(flow(dead, made, shown), flow(arm(), made, shown))
    assert not torch.equal(flow(alive, made, shown), flow(arm(), made, shown))


def test_the_arm_decides_below_which_noise_level_the_loss_stops_to_grow():
    shown, made = example(), prediction()
    losses = [flow(arm(losses={"sigma_floor": floor}), made, shown) for floor in (0.2, 0.05, 0.001)]
    assert losses[0] < losses[1] < losses[2]
    late = example(t=(0.3, 0.4, 0.5, 0.6, 0.9, 1.0))
    assert torch.equal(*(flow(arm(losses={"sigma_floor": floor}), made, late) for floor in (0.2, 0.001)))


def test_the_arm_decides_the_smallest_denominator_of_the_recovery():
    shown, made = example(), prediction()
    small, large = (flow(arm(losses={"sigma_min": sigma}), made, shown) for sigma in (1e-6, 0.2))
    assert small != large


def test_the_loss_is_weighted_by_place():
    places = torch.rand(B, N, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 0.5
    shown, made = example(places=places), prediction()
    error = ((made + shown.x_0) / shown.t.clamp_min(0.05)[:, None, None]).square().mean(-1)
    torch.testing.assert_close(flow(arm(), made, shown), (places * error).mean())
    assert flow(arm(), made, shown) != flow(arm(), made, example())
    even = example(places=torch.ones(B, N, dtype=torch.float64))
    torch.testing.assert_close(flow(arm(), made, even), flow(arm(), made, example()))


class Doubled(nn.Module):
    """A term of two parts: twice the mean square of the predicted velocity, and what takes the place of the plain loss."""

    def forward(self, model, example, u_hat):
        return {"size": 2 * u_hat.square().mean(), "flow": u_hat.abs().mean()}


def test_a_term_joins_by_its_names_and_one_that_is_called_flow_takes_the_place_of_the_plain_loss():
    plain = objective(arm(), prediction())
    terms = Objective(arm(), plain.model, {"doubled": Doubled()})(example())
    shown = example()
    x_t = interpolate(shown.x_0, shown.eps, shown.t)
    u_hat = plain.model(x_t, shown.t, shown.condition, sigma_min=1e-6)
    assert list(terms) == ["flow", "size"]
    torch.testing.assert_close(terms["size"], 2 * u_hat.square().mean())
    torch.testing.assert_close(terms["flow"], u_hat.abs().mean())


def test_an_oklab_arm_has_the_loss_of_other_numbers():
    silent, losses = torch.zeros(16, N, D), []
    for colour in ("rgb", "oklab"):
        configured = arm(representation={"patch_size": PATCH, "colour": colour})
        model = VelocityModel(Fixed(silent), torch.eye(D)[:, :0], 1.0, torch.float32)
        seed_step(0, 0, 0)
        losses.append(Objective(configured, model, {})(draw(images(), 0.0, arm=configured))["flow"].item())
    assert abs(losses[0] - losses[1]) > 0.1 * losses[0]


@pytest.mark.parametrize("places", [None, 0.5 + torch.arange(B * N, dtype=torch.float64).view(B, N) / (B * N)])
def test_parts_of_a_batch_add_up_to_its_loss(places):
    shown, made = example(places=places), prediction()
    whole = flow(arm(), made, shown)
    parts = [
        flow(arm(), made[start : start + 4], part) * len(part.t) / B
        for start, part in zip((0, 4), shown.split(4), strict=True)
    ]
    torch.testing.assert_close(sum(parts), whole)


def test_an_arm_s_objective_has_the_terms_that_its_losses_name():
    configured = arm(
        losses={"places": {}, "alignment": {"block": 1, "teacher": "embedded"}},
        conditions={"shown": [{"share": 1.0, "what": ["patches"]}]},
    )
    model = VelocityModel(Fixed(prediction().float()), torch.eye(D)[:, :0], 1.0, torch.float32)
    made = build(configured, model, Needs(0, CPU, patch_tokens=7))
    assert list(made.terms) == ["alignment"], "weights by place are part of the example"
    assert {name for name, _ in made.named_parameters()} == {
        "model.network.prediction", "terms.alignment.projector.0.weight",
    }  # fmt: skip
    assert list(build(arm(), model, Needs(0, CPU)).terms) == []


def test_all_parameters_of_an_objective_are_on_the_device_of_its_run():
    configured = arm(losses={"alignment": {"block": 1, "teacher": "embedded"}}, conditions={"shown": [{"share": 1.0}]})
    model = VelocityModel(Fixed(prediction().float()), torch.eye(D)[:, :0], 1.0, torch.float32)
    made = build(configured, model, Needs(0, torch.device("meta"), patch_tokens=7))
    assert {tensor.device.type for tensor in (*made.parameters(), *made.buffers())} == {"meta"}


def images() -> dict[str, torch.Tensor]:
    """Two flat colours with a bright left edge."""
    pixels = torch.full((16, 3, GRID[0] * PATCH, GRID[1] * PATCH), 60, dtype=torch.uint8)
    pixels[::2] = 180
    pixels[:, :, :, 0] = 255
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(CLASSES, 4, 5, generator=generator)[torch.arange(16) % CLASSES]
    return {
        "images": pixels,
        "label": torch.arange(16) % CLASSES,
        "text": text,
        "mask": torch.ones(16, 4, dtype=torch.bool),
    }


NETWORKS = {
    "jit": {"kind": "jit", "width": 64},
    "nanodit": {"kind": "nanodit", "tread": 0.5},
    "flux": {"kind": "flux", "heads": 2, "head_width": 16, "single_blocks": 1},
}


@pytest.mark.parametrize(
    ("network", "rank", "what"),
    [("jit", 0, "class"), ("jit", 8, "class"), ("jit", "full", "class"), ("jit", 8, "caption"), ("nanodit", 0, "class"),
     ("nanodit", 8, "caption"), ("flux", "full", "caption")],
)  # fmt: skip
def test_every_parameterisation_learns_on_every_network(network, rank, what):
    configured = arm(
        network=NETWORKS[network], target={"rank": rank},
        conditions={"shown": [{"share": 0.1}, {"share": 0.9, "what": [what]}]},
        training={"batch": 16, "images": 640, "warmup_images": 0},
    )  # fmt: skip
    empty = torch.zeros(4, 5)
    directions = pca(gram([draw(images(), 0.0, arm=configured, empty=empty).x_0])[0])[0]
    A = directions[:, : configured.target.columns(D)].float()
    shapes = Shapes(classes=CLASSES) if what == "class" else Shapes(caption=(4, 5))
    beginning = Beginning(subspace=A, pca=directions[:, :4].float())
    model = assemble(configured, shapes, GRID, beginning, seed=0, precision=torch.float32)
    minimised = build(configured, model, Needs(0, CPU))
    optimiser = torch.optim.AdamW(minimised.parameters(), lr=2e-3)
    losses = []
    for step in range(40):
        seed_step(0, step, 0)
        value = minimised(draw(images(), step / 40, arm=configured, empty=empty))["flow"]
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(value.item())
    assert sum(losses[-8:]) < 0.6 * sum(losses[:8])
