"""The two files of a run: what an interrupted training goes on from, and the model that is sampled."""

from dataclasses import asdict

import pytest
import torch
from torch import nn

from asymflow import tensors
from asymflow.config.arm import Arm
from asymflow.models.assemble import Lift
from asymflow.models.condition import Shapes
from asymflow.training import averages, checkpoint
from asymflow.training.optimisers.muon import muon_and_adamw

NAMES = ("ema_20", "ema_2", "power_7", "stale", "last")
IDENTITY = {"configuration": "rank 8", "code": "abc", "data": "def"}
ARM = Arm.model_validate({"target": {"rank": 4}, "representation": {"patch_size": 8}})
SHAPES = Shapes(classes=3, caption=(7, 24), embedding=5, patches=(9, 11), joints=2)
A = torch.linalg.qr(torch.randn(6, 4, generator=torch.Generator().manual_seed(0))).Q


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3))


def adam(made: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(made.parameters(), lr=0.01, fused=True)


def muon(made: nn.Module) -> torch.optim.Optimizer:
    return muon_and_adamw(
        made[0].parameters(), made[2].parameters(),
        lr=0.01, betas=(0.9, 0.95), weight_decay=0.1, precision=torch.float32,
    )  # fmt: skip


def updates(made, optimiser, kept, numbers) -> None:
    for number in numbers:
        made(torch.randn(8, 4, generator=torch.Generator().manual_seed(number))).square().sum().backward()
        optimiser.step()
        optimiser.zero_grad()
        for average in kept:
            average.update(8)


def description(**changes) -> dict:
    fields = {
        "arm": ARM.model_dump(mode="json", exclude_none=True), "shapes": asdict(SHAPES),
        "classes": ["cat", "dog", "owl"], "image_size": 24, "seed": 5, "images": 640, "code": "abc",
        "data": "def", "began": None,
    }  # fmt: skip
    return fields | changes


def trained_averages():
    made = network()
    kept = averages.build(NAMES, dict(made.named_parameters()))
    updates(made, adam(made), kept, range(3))
    return kept


def saved(path, lift=None, **changes):
    kept = trained_averages()
    checkpoint.save_model(path, kept, A, lift, description(**changes))
    return kept


class Eight(torch.optim.Optimizer):
    """Keeps its state as bitsandbytes' 8-bit AdamW does: steps in an int, what is quantised in a dictionary within."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.01})

    @torch.no_grad()
    def step(self, closure=None):
        for parameter in self.param_groups[0]["params"]:
            state = self.state[parameter]
            state["step"] = state.get("step", 0) + 1
            assert type(state["step"]) is int, "it is handed to C as one"
            state.setdefault("mean", torch.zeros_like(parameter)).lerp_(parameter.grad, 0.1)
            parameter -= 0.01 * state["mean"] / (1 - 0.9 ** state["step"])

    def state_dict(self):
        said = super().state_dict()
        said["state"] = {
            number: {"step": state["step"], "__quantised__": {"mean": state["mean"]}}
            for number, state in said["state"].items()
        }
        return said

    def load_state_dict(self, state_dict):
        for state in state_dict["state"].values():
            state |= state.pop("__quantised__", {})
        for parameter, state in zip(self.param_groups[0]["params"], state_dict["state"].values(), strict=True):
            self.state[parameter] = state


def eight_bits(made: nn.Module) -> torch.optim.Optimizer:
    return Eight(made.parameters())


@pytest.mark.parametrize("optimiser", [adam, muon, eight_bits])
def test_a_training_goes_on_from_its_checkpoint_as_if_nothing_had_happened(tmp_path, optimiser):
    through, first, resumed = network(), network(), network(seed=1)
    runs = [
        (made, optimiser(made), averages.build(NAMES, dict(made.named_parameters())))
        for made in (through, first, resumed)
    ]
    updates(*runs[0], range(6))
    updates(*runs[1], range(3))
    _, moving, kept = runs[1]
    checkpoint.save(tmp_path / "checkpoint.safetensors", first, kept, moving, checkpoint.Progress(24), IDENTITY)
    _, moving, kept = runs[2]
    resumed_at = checkpoint.restore(tmp_path / "checkpoint.safetensors", resumed, kept, moving, IDENTITY)
    assert resumed_at == (checkpoint.Progress(24), "")
    updates(*runs[2], range(3, 6))
    for one, other in zip(through.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(runs[0][2], runs[2][2], strict=True):
        assert one.state().keys() == other.state().keys()
        assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items()), one.name


def test_without_a_checkpoint_a_training_starts_from_the_beginning(tmp_path):
    made = network()
    before = [parameter.detach().clone() for parameter in made.parameters()]
    restored = checkpoint.restore(tmp_path / "none.safetensors", made, [], adam(made), IDENTITY)
    assert restored == (checkpoint.Progress(), "no checkpoint")
    assert all(torch.equal(one, other) for one, other in zip(made.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"code": "xyz"}, "the checkpoint was made with another code"),
        ({"configuration": "rank 0", "data": "ghi"}, "the checkpoint was made with another configuration and data"),
        ({"lift": "jkl"}, "the checkpoint was made with another lift"),
    ],
)
def test_a_checkpoint_of_something_else_is_left_alone_and_says_why(tmp_path, changes, sentence):
    first, other = network(), network(seed=1)
    before = [parameter.detach().clone() for parameter in other.parameters()]
    checkpoint.save(tmp_path / "checkpoint.safetensors", first, [], adam(first), checkpoint.Progress(24), IDENTITY)
    restored = checkpoint.restore(tmp_path / "checkpoint.safetensors", other, [], adam(other), IDENTITY | changes)
    assert restored == (checkpoint.Progress(), sentence)
    assert all(torch.equal(one, same) for one, same in zip(other.parameters(), before, strict=True))


def test_states_of_another_optimiser_are_left_alone(tmp_path):
    """Whether 8-bit states can be had depends on the machine that a training goes on at."""
    made, path = network(), tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, made, [], adam(made), checkpoint.Progress(24), IDENTITY)
    restored = checkpoint.restore(path, made, [], eight_bits(made), IDENTITY)
    assert restored == (checkpoint.Progress(), "the checkpoint has states of AdamW, not of Eight")


def test_frozen_weights_are_not_saved_and_stay_as_they_began(tmp_path):
    runs = []
    for made in (network(), network()):
        made[0].requires_grad_(False)
        runs.append((made, adam(made), averages.build(("last",), dict(made[2].named_parameters(prefix="2")))))
    first, resumed = runs
    updates(*first, range(3))
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, first[0], first[2], first[1], checkpoint.Progress(24), IDENTITY)
    names = set(tensors.describe(path, "checkpoint")["checksums"])
    assert {"objective/2.weight", "objective/2.bias"} <= names and not {
        "objective/0.weight",
        "objective/0.bias",
    } & names
    assert checkpoint.restore(path, resumed[0], resumed[2], resumed[1], IDENTITY) == (checkpoint.Progress(24), "")
    for one, other in zip(first[0].parameters(), resumed[0].parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("lift", [None, Lift(A[:, :2], 1.7)], ids=["without a lift", "with a lift"])
@pytest.mark.parametrize("name", NAMES)
def test_a_model_comes_back_with_each_of_its_sets_of_weights(tmp_path, name, lift):
    kept = saved(tmp_path / "model.safetensors", lift)
    loaded = checkpoint.load_model(tmp_path / "model.safetensors", name)
    (average,) = [average for average in kept if average.name == name]
    assert loaded.weights.keys() == average.weights.keys()
    assert all(torch.equal(value, average.weights[key]) for key, value in loaded.weights.items())
    assert torch.equal(loaded.A, A)
    assert (loaded.lift is None) == (lift is None)
    if lift:
        assert torch.equal(loaded.lift.A, lift.A) and loaded.lift.s == lift.s
    assert loaded.arm == ARM and loaded.shapes == SHAPES and loaded.classes == ("cat", "dog", "owl")
    assert (loaded.image_size, loaded.seed, loaded.images) == (24, 5, 640)


def test_unnamed_weights_are_the_first_that_the_run_keeps(tmp_path):
    kept = saved(tmp_path / "model.safetensors")
    weights = checkpoint.load_model(tmp_path / "model.safetensors").weights
    assert all(torch.equal(value, kept[0].weights[key]) for key, value in weights.items())


def test_tensors_are_named_by_their_weights(tmp_path):
    saved(tmp_path / "model.safetensors", Lift(A, 1.7))
    names = tensors.describe(tmp_path / "model.safetensors", "model")["checksums"]
    own = ("0.weight", "0.bias", "2.weight", "2.bias")
    assert set(names) == {"A", "lift"} | {f"{name}/{parameter}" for name in NAMES for parameter in own}


def test_the_same_model_has_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        saved(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_subspace_that_is_the_lift_is_kept_twice(tmp_path):
    """Both are the same tensor in a lifted arm; safetensors refuses names that share memory."""
    checkpoint.save_model(tmp_path / "model.safetensors", [], A, Lift(A, 1.7), description() | {"weights": []})
    stored = tensors.load(tmp_path / "model.safetensors", "model")
    assert torch.equal(stored["A"], stored["lift"])


def test_a_file_of_another_kind_is_refused(tmp_path):
    tensors.save(tmp_path / "other.safetensors", "evaluator", {"A": A}, description())
    with pytest.raises(ValueError, match="holds 'evaluator'; expected 'model'"):
        checkpoint.load_model(tmp_path / "other.safetensors")


def test_a_file_that_is_no_file_of_tensors_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_text("weights")
    with pytest.raises(ValueError, match="is cut or damaged"):
        checkpoint.load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize("unknown", ["ema_200", "ema", "power_7.0", "A"])
def test_weights_that_the_run_did_not_keep_are_refused(tmp_path, unknown):
    saved(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=f"holds no weights '{unknown}'; it has {', '.join(NAMES)}"):
        checkpoint.load_model(tmp_path / "model.safetensors", unknown)


def test_an_average_of_a_short_name_is_not_one_that_begins_so(tmp_path):
    """ema_2 and ema_20 differ after three updates."""
    saved(tmp_path / "model.safetensors")
    short, long = (checkpoint.load_model(tmp_path / "model.safetensors", name).weights for name in ("ema_2", "ema_20"))
    assert short.keys() == long.keys() and not torch.equal(short["0.weight"], long["0.weight"])


def test_snapshots_are_numbered(tmp_path):
    assert checkpoint.snapshot_path(tmp_path, 7) == tmp_path / "0007.safetensors"
