"""The update of the training loop, beside weights that were worked out by hand; that it resumes: test_resume."""

import signal

import pytest
import torch
from torch import nn

from asymflow.config.arm import Arm
from asymflow.config.training import Training
from asymflow.data.batches import Batches
from asymflow.machine import Machine
from asymflow.models.condition import Condition, presence
from asymflow.models.velocity import VelocityModel
from asymflow.training import checkpoint
from asymflow.training.averages import Horizon
from asymflow.training.example import Example
from asymflow.training.loop import train
from asymflow.training.objective import Objective
from asymflow.training.optimisers.groups import groups

# what each image of four batches asks of the slow weight and of the fast one
PULLS = [
    [(3.0, 0.0), (0.0, 6.0), (6.0, 6.0)],  # (3, 4) in the mean, of norm 5
    [(0.6, 0.0), (0.0, 1.2), (1.2, 1.2)],  # (0.6, 0.8), of norm 1
    [(6.0, 3.0), (6.0, 0.0), (0.0, 6.0)],  # (4, 3), of norm 5
    [(9.0, 0.0), (0.0, 0.0), (0.0, 12.0)],  # (3, 4) again
]
SCHEDULE = {
    "images": 12, "batch": 3, "lr": 0.1, "warmup_images": 6, "decay": 0.5, "gradient_clip": 2.5, "snapshots": 4,
    "log_images": 3,
}  # fmt: skip
CPU = torch.device("cpu")


class Silent(nn.Module):
    """A network that has nothing to learn."""

    def forward(self, x, t, condition):
        return torch.zeros_like(x)


class Pull(nn.Module):
    """A loss that is linear in two weights: its gradient is the mean of what the images ask."""

    def __init__(self):
        super().__init__()
        self.slow = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.fast = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, model, example, u_hat):
        return {"flow": (example.x_0[:, 0] @ torch.stack([self.slow, self.fast])).mean()}


class Given(Batches):
    """Batches that nobody reads from a disk."""

    def __init__(self, pulls):
        self.pulls = torch.tensor(pulls, dtype=torch.float64)

    def __len__(self):
        return len(self.pulls)

    def starting_at(self, update, workers=None):
        return ({"pulls": pulls[:, None]} for pulls in self.pulls[update:])


def drawn(batch, progress):
    x_0 = batch["pulls"]
    level, condition = torch.full((len(x_0),), 0.5, dtype=torch.float64), Condition(presence([], len(x_0)), (1, 1))
    return Example(x_0, torch.zeros_like(x_0), level, condition, torch.zeros(len(x_0), 3, 1, 1), progress)


@pytest.fixture(autouse=True)
def nobody_limits(monkeypatch):
    """Nor does the process heed signals otherwise afterwards."""
    for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME", "ASYMFLOW_MINUTES"):
        monkeypatch.delenv(name, raising=False)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def trained(tmp_path):
    """trained(**changes) -> the weights (slow, fast) after each update, the average of the fast one, and the curve.

    By plain descent: Adam would hide how large a gradient is.
    """

    def run(**changes):
        model = VelocityModel(Silent(), torch.eye(2, dtype=torch.float64)[:, :0], 1.0, torch.float32)
        pull, seen, schedule = Pull(), [], Training(**(SCHEDULE | changes))
        objective = Objective(Arm(), model, {"pull": pull})
        average = Horizon("ema_3", {"fast": pull.fast}, 3)
        by_rate = groups(objective.named_parameters(), schedule.lr, {"fast": 10.0})
        result = train(
            objective, Given(PULLS), schedule, Machine(CPU, torch.float32, False), draw=drawn,
            optimiser=torch.optim.SGD(by_rate), averages=[average], seed=0, state=tmp_path / "state", identity={},
            snapshot=lambda part, images: seen.append((pull.slow.item(), pull.fast.item())) or "", preview=None,
            say=lambda text: None,
        )  # fmt: skip
        return torch.tensor(seen, dtype=torch.float64), average.weights["fast"].item(), result.points

    return run


def near(values):
    """To the millionth that clipping adds to a norm."""
    return pytest.approx(values, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("micro_batch", [None, 1, 2, 3])
def test_weights_go_down_the_clipped_gradient_at_the_scheduled_rate_times_their_multiple(trained, micro_batch):
    """Rates 0.05, 0.1, 0.05, 0, tenfold for the fast weight; gradients of norm 5 are halved, to (1.5, 2) and (2, 1.5)."""
    weights, _, _ = trained(micro_batch=micro_batch)
    slow, fast = weights.T.tolist()
    assert slow == near([1 - 0.075, 1 - 0.075 - 0.06, 1 - 0.075 - 0.06 - 0.1, 0.765])
    assert fast == near([2 - 1.0, 2 - 1.0 - 0.8, 2 - 1.0 - 0.8 - 0.75, -0.55])


def test_without_a_clip_the_gradient_is_the_mean_of_the_images(trained):
    weights, _, _ = trained(micro_batch=2, gradient_clip=None)
    slow, fast = weights.T.tolist()
    assert slow == near([1 - 0.15, 1 - 0.15 - 0.06, 1 - 0.15 - 0.06 - 0.2, 0.59])
    assert fast == near([2 - 2.0, 2 - 2.0 - 0.8, 2 - 2.0 - 0.8 - 1.5, -2.3])


def test_without_warm_up_and_decay_the_rate_is_the_same_throughout(trained):
    weights, _, _ = trained(micro_batch=2, warmup_images=0, decay=0.0)
    slow, fast = weights.T.tolist()
    assert slow == near([1 - 0.15, 1 - 0.15 - 0.06, 1 - 0.15 - 0.06 - 0.2, 1 - 0.15 - 0.06 - 0.2 - 0.15])
    assert fast == near([2 - 2.0, 2 - 2.0 - 0.8, 2 - 2.0 - 0.8 - 1.5, 2 - 2.0 - 0.8 - 1.5 - 2.0])


def test_averages_move_by_the_images_of_each_update(trained):
    """A horizon of one batch keeps 1/e of the average each time; the fast weight is 1, 0.2, -0.55, -0.55."""
    _, average, _ = trained(micro_batch=2)
    kept, expected = 0.36787944117144233, 2.0
    for weight in (1.0, 0.2, -0.55, -0.55):
        expected = kept * expected + (1 - kept) * weight
    assert average == near(expected)


def test_the_curve_has_the_loss_before_each_update_the_unclipped_norm_and_the_rate_without_multiple(trained):
    _, _, points = trained(micro_batch=2)
    assert [point["images"] for point in points] == [3, 6, 9, 12]
    for name in ("loss", "flow"):  # 3 x 1 + 4 x 2, and so on
        assert [point[name] for point in points] == near([11.0, 0.555 + 0.8, 3.46 + 0.6, 2.295 - 2.2])
    assert [point["gradient_norm"] for point in points] == near([5.0, 1.0, 5.0, 5.0])
    assert [point["lr"] for point in points] == near([0.05, 0.1, 0.05, 0.0])


@pytest.mark.parametrize(("minutes", "saves"), [(None, [12]), ("1000", [3, 12])])
def test_where_the_time_is_limited_a_first_save_tells_how_long_one_takes(trained, monkeypatch, minutes, saves):
    """And adds no point to the curve."""
    seen = []
    monkeypatch.setattr(
        checkpoint, "save", lambda path, made, kept, moving, reached, identity: seen.append(reached.images)
    )
    _, _, points = trained(log_images=6)
    if minutes:
        monkeypatch.setenv("ASYMFLOW_MINUTES", minutes)
        seen.clear()
        _, _, limited = trained(log_images=6)
        assert [point["images"] for point in limited] == [point["images"] for point in points]
    assert seen == saves


def test_a_training_that_fails_lets_go_of_whoever_decodes_for_it(trained, monkeypatch):
    """While the error is still at hand."""
    ended = []

    def supplied(self, update):
        try:
            yield from ({"pulls": pulls[:, None]} for pulls in self.pulls)
        finally:
            ended.append(True)

    def fails(*_):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(Given, "starting_at", supplied)
    monkeypatch.setattr(checkpoint, "save", fails)
    with pytest.raises(RuntimeError, match="disk is full") as caught:
        trained()
    assert ended and caught.value.__traceback__
