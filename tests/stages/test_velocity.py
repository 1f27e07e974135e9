"""The error of a velocity against what is known of Gaussian data, whose best velocity has a closed form."""

import numpy as np
import pytest
import torch

from asymflow.config.arm import Arm
from asymflow.config.velocity import Velocity
from asymflow.data import rows as stored_rows
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader
from asymflow.flow.path import per_sample
from asymflow.machine import Machine
from asymflow.models.condition import Shapes
from asymflow.models.velocity import VelocityModel
from asymflow.sampling.run import Run
from asymflow.stages import velocity
from asymflow.subspace.patches import unpatchify

D = 12
CONFIG = Velocity(levels=(0.9, 0.5, 0.1), groups=(2, 5), principal=5)
SPECTRUM = 2.0 ** -torch.arange(D, dtype=torch.float64)
BASIS = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q


def best(x_t, t, condition, sigma_min):
    """The mean of eps - x_0 given x_t, for data of this spectrum along this basis."""
    t = per_sample(t)
    return (x_t @ BASIS * (t - (1 - t) * SPECTRUM) / (t**2 + (1 - t) ** 2 * SPECTRUM)) @ BASIS.T


def given():
    for number in range(4):
        draw = torch.Generator().manual_seed(number)
        x, eps = (torch.randn(1000, 2, D, dtype=torch.float64, generator=draw) for _ in range(2))
        yield (x * SPECTRUM.sqrt()) @ BASIS.T, eps, None


@pytest.fixture(scope="module")
def rows():
    return velocity.measure(best, given(), BASIS, CONFIG)


def test_the_best_velocity_of_gaussian_data_has_the_error_that_the_spectrum_says(rows):
    assert [(row["t"], row["first"], row["last"]) for row in rows[:3]] == [(0.9, 1, 2), (0.9, 3, 5), (0.9, 6, 12)]
    for row in rows:
        t, spectrum = row["t"], SPECTRUM[row["first"] - 1 : row["last"]]
        total = t**2 + (1 - t) ** 2 * spectrum
        expected = (spectrum / total).sum().item() / D
        assert (
            row["error"] == pytest.approx(expected, abs=4 * row["standard_error"])
            and row["standard_error"] < 0.05 * expected
        )
        assert row["velocity"] == pytest.approx((1 + spectrum).sum().item() / D, rel=0.05)
        assert row["noise_passed"] == pytest.approx((t**2 / total).mean().item(), abs=0.01)


def test_columns_are_geometric_means_over_levels(rows):
    metrics = velocity.metrics(rows, 5)
    parts = {"": (1, 12), "_principal": (1, 5), "_detail": (6, 12)}
    for part, (first, last) in parts.items():
        within = [row for row in rows if first <= row["first"] and row["last"] <= last]
        sums = [sum(row["error"] for row in within if row["t"] == t) for t in CONFIG.levels]
        assert metrics[f"velocity_error{part}"] == pytest.approx((sums[0] * sums[1] * sums[2]) ** (1 / 3))
    assert set(velocity.metrics(rows, 12)) == {"velocity_error", "velocity_error_principal"}


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"levels": (0.5, 1.0)}, "between 0 and 1"),
        ({"groups": (8, 8)}, "rising numbers"),
        ({"principal": 9}, "one of the groups' ends"),
    ],
)
def test_levels_and_groups_that_mean_nothing_are_refused(wrong, expected):
    with pytest.raises(ValueError, match=expected):
        Velocity(**wrong)


# ----- what the stage gives of held-out images, batch by batch -----

SIDE, PATCH, GRID, COUNT = 6, 2, (3, 3), 25


class Heldout(ShardReader):
    """Images in memory, as the stage reads them from shards; no two images are alike, and their classes follow no period."""

    def __init__(self):
        draw = torch.Generator().manual_seed(0)
        self.stored = torch.randint(0, 256, (COUNT, 3, SIDE, SIDE), dtype=torch.uint8, generator=draw)
        self.labels = torch.randint(0, 5, (COUNT,), generator=draw)

    def images(self, indices):
        return self.stored[list(indices)]


@pytest.fixture
def of_images():
    """A run that is conditioned on classes and captions."""
    arm = Arm.model_validate(
        {
            "representation": {"patch_size": PATCH}, "network": {"kind": "nanodit"}, "target": {"rank": 0},
            "conditions": {"shown": [{"share": 1.0, "what": ["class", "caption"]}]},
        }
    )  # fmt: skip
    model = VelocityModel(torch.nn.Identity(), torch.zeros(D, 0), 1.0, torch.float32)
    cpu, shapes = Machine(torch.device("cpu"), torch.float32, compiled=False), Shapes(classes=5, caption=(4, 2))
    return Run(model, arm, cpu, shapes, tuple("abcde"), SIDE, GRID, 7, 64)


@pytest.fixture
def captions(tmp_path):
    """Of image i a text whose tokens are all i, the first 1 + i mod 4 of them the caption's."""
    numbers = torch.arange(COUNT)
    texts = {
        "text": numbers[:, None, None].expand(-1, 4, 2).float(),
        "mask": torch.arange(4) <= numbers[:, None] % 4,
    }
    stored_rows.write(tmp_path / "heldout.json", [texts], {}, {"empty": torch.full((4, 2), 99.0)})
    return RowReader(tmp_path / "heldout.json")


def test_each_image_comes_with_its_own_label_caption_and_noise_in_every_batch(of_images, captions):
    heldout, config = Heldout(), Velocity(images=20, batch=10)
    batches = list(velocity._given(of_images, heldout, {"captions": captions}, config))
    assert [len(x_0) for x_0, _, _ in batches] == [10, 10]
    for first, (x_0, eps, condition) in zip((0, 10), batches, strict=True):
        numbers = range(first, first + 10)
        pixels = (unpatchify(x_0, GRID, PATCH) + 1) * 127.5
        torch.testing.assert_close(pixels, heldout.stored[first : first + 10].float(), rtol=0, atol=1e-3)
        assert condition.label.tolist() == heldout.labels[first : first + 10].tolist()
        assert condition.text[:, 0, 0].tolist() == list(numbers) and condition.shows("caption").all()
        assert condition.mask.sum(1).tolist() == [1 + number % 4 for number in numbers]
        assert (condition.empty == 99).all()
        drawn = [
            np.random.default_rng((2**31, number)).standard_normal((3, SIDE, SIDE), dtype=np.float32)
            for number in numbers
        ]
        assert np.array_equal(unpatchify(eps, GRID, PATCH).numpy(), np.stack(drawn))
