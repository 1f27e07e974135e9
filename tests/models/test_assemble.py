"""An arm as a model: what it begins as, what its output means, and what of it is trained."""

import pytest
import torch

from asymflow.config.arm import Arm
from asymflow.models.assemble import Beginning, Lift, assemble, restore, trained
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.subspace.bases import random_basis

GRID, D, TOKEN = (3, 5), 192, 16  # patches of 8 x 8 pixels, and their latents
A = random_basis(D, seed=0)[:, :TOKEN].float()
LIFT = Lift(A, 1.7)
CLASSES, CAPTIONS = Shapes(classes=4), Shapes(caption=(3, 24))
FLUX = {"kind": "flux", "heads": 2, "head_width": 8, "double_blocks": 1, "single_blocks": 1}
SHOWN = {"shown": [{"share": 1.0, "what": ["caption"]}]}
ADAPTER = {"rank": 2, "alpha": 2.0, "dropout": 0.0}
ARMS = {
    "jit": {"network": {"kind": "jit", "width": 64}},
    "nanodit": {"network": {"kind": "nanodit"}},
    "flux": {"network": FLUX, "conditions": SHOWN},
}


def arm(*differences) -> Arm:
    made = {"representation": {"patch_size": 8}, "target": {"rank": 4}}
    for difference in differences:
        made |= difference
    return Arm.model_validate(made)


def made(configured: Arm, seed=0, precision=torch.float32, shapes=None, **beginning):
    shapes = shapes or (CAPTIONS if configured.network.kind == "flux" else CLASSES)
    given = {"subspace": A[:, :4]} | beginning
    return assemble(configured, shapes, GRID, Beginning(**given), seed=seed, precision=precision)


def same(one, other) -> bool:
    pairs = zip(one.network.named_parameters(), other.network.named_parameters(), strict=True)
    return all(name == other_name and torch.equal(p, q) for (name, p), (other_name, q) in pairs)


def condition_of(shapes: Shapes) -> Condition:
    if shapes.classes:
        return Condition(presence(["class"], 2), GRID, label=torch.tensor([0, 3]))
    return Condition(
        presence(["caption"], 2), GRID, text=torch.randn(2, *shapes.caption), empty=torch.zeros(shapes.caption)
    )


@pytest.mark.parametrize("kind", ARMS)
def test_arms_that_differ_in_target_losses_or_training_begin_alike(kind):
    torch.rand(3)  # torch's own generator stands elsewhere each time
    first = made(arm(ARMS[kind]))
    losses = {"losses": {"alignment": {"block": 1}, "sigma_floor": 0.1}, "target": {"rank": 0}}
    other = made(arm(ARMS[kind], losses, {"training": {"lr": 0.1, "optimiser": "muon"}}), subspace=A[:, :0])
    assert same(first, other) and not same(first, made(arm(ARMS[kind]), seed=1))
    assert torch.equal(first.A, A[:, :4]) and torch.equal(other.A, A[:, :0]) and first.s == other.s == 1


@pytest.mark.parametrize("kind", ARMS)
def test_a_model_predicts_velocities_of_its_tokens(kind):
    model, shapes = made(arm(ARMS[kind])), CAPTIONS if kind == "flux" else CLASSES
    x = torch.randn(2, 15, D)
    assert model(x, torch.tensor([0.3, 1.0]), condition_of(shapes), sigma_min=0.04).shape == x.shape


@pytest.mark.parametrize("kind", ARMS)
def test_principal_components_are_what_the_patch_embedding_begins_as(kind):
    directions = random_basis(D, seed=1)[:, :3].float()
    plain, started = made(arm(ARMS[kind])), made(arm(ARMS[kind]), pca=directions)
    before, after = dict(plain.network.named_parameters()), dict(started.network.named_parameters())
    (changed,) = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed.startswith("flux.x_embedder" if kind == "flux" else "embed")
    rows = after[changed][:3]
    torch.testing.assert_close(rows / rows.norm(dim=1, keepdim=True), directions.T)
    assert torch.equal(before[changed][3:], after[changed][3:])


def test_activations_are_recomputed_where_the_training_says_so():
    for kind, configured in ARMS.items():
        plain = made(arm(configured)).network
        recomputed = made(arm(configured, {"training": {"activation_checkpointing": True}})).network
        name = "gradient_checkpointing" if kind == "flux" else "checkpointing"
        flags = [getattr(network.flux if kind == "flux" else network, name) for network in (plain, recomputed)]
        assert flags == [False, True]


@pytest.mark.parametrize(("rank", "columns"), [(0, 0), ("full", TOKEN)])
@pytest.mark.parametrize("kind", ["jit", "flux"])
def test_an_arm_of_latents_works_in_its_own_space(kind, rank, columns):
    latent = {"representation": {"space": "latent", "patch_size": 8}, "target": {"rank": rank, "basis": "identity"}}
    model, shapes = made(arm(ARMS[kind], latent), lift=LIFT, subspace=None), CAPTIONS if kind == "flux" else CLASSES
    assert torch.equal(model.A, torch.eye(TOKEN)[:, :columns]) and model.s == 1
    x = torch.randn(2, 15, TOKEN)
    assert model(x, torch.tensor([0.3, 1.0]), condition_of(shapes), sigma_min=0.04).shape == x.shape


LATENT = arm(
    ARMS["flux"],
    {"representation": {"space": "latent", "patch_size": 8}, "target": {"rank": "full", "basis": "identity"}},
)
LIFTED = {"target": {"rank": "full", "basis": "lift"}, "start": {"run": "latent", "adapter": ADAPTER}}
HEADED = {
    "target": {"rank": "full", "basis": "identity"},
    "start": {
        "run": "latent",
        "head": {"blocks": 1, "width": 16, "heads": 2},
        "adapter": ADAPTER | {"full": ["x_embedder"]},
    },
}


def begun():
    """A latent model whose weights have moved, as training would move them."""
    model = made(LATENT, lift=LIFT, subspace=None)
    for parameter in model.network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def test_a_lifted_arm_begins_as_the_latent_model_in_the_subspace():
    latent = begun()
    lifted = made(arm(ARMS["flux"], LIFTED), lift=LIFT, subspace=None, weights=latent.network.state_dict())
    assert torch.equal(lifted.A, A) and lifted.s == 1.7
    x, t, condition = torch.randn(2, 15, D), torch.tensor([0.3, 1.0]), condition_of(CAPTIONS)
    with torch.no_grad():
        expected = latent.network(x @ A, t, condition) @ A.T
        torch.testing.assert_close(lifted.network(x, t, condition), expected, rtol=0, atol=1e-5)  # float32


def test_of_an_adapted_arm_little_is_trained_and_of_any_other_all():
    latent = begun()
    lifted = made(arm(ARMS["flux"], LIFTED), lift=LIFT, subspace=None, weights=latent.network.state_dict())
    names = trained(lifted.network)
    assert 0 < len(names) < len(list(lifted.network.parameters()))
    assert all(
        "lora_" in name or name.split(".modules_to_save")[0].endswith(("x_embedder", "proj_out", "norm_out"))
        for name in names
    )
    for configured in ARMS.values():
        network = made(arm(configured)).network
        assert trained(network).keys() == dict(network.named_parameters()).keys()


def test_an_arm_with_a_head_predicts_the_full_velocity_of_pixels():
    latent = begun()
    headed = made(arm(ARMS["flux"], HEADED), lift=LIFT, subspace=None, weights=latent.network.state_dict())
    assert torch.equal(headed.A, torch.eye(D)) and headed.s == 1.7
    x = torch.randn(2, 15, D)
    assert torch.equal(headed.network(x, torch.tensor([0.3, 1.0]), condition_of(CAPTIONS)), torch.zeros_like(x)), (
        "it starts as zero"
    )
    assert all(f"head.{name}" in trained(headed.network) for name, _ in headed.network.head.named_parameters())


def test_an_arm_may_begin_with_the_weights_of_another():
    first = made(arm(ARMS["jit"]), seed=3)
    assert same(made(arm(ARMS["jit"]), weights=first.network.state_dict()), first)
    for wrong in ({"context": first.network.context}, first.network.state_dict() | {"context": torch.zeros(1, 2)}):
        with pytest.raises(ValueError, match=r"these weights are of another model: \d+ of them are not alike"):
            made(arm(ARMS["jit"]), weights=wrong)


@pytest.mark.parametrize("target", [{"rank": "full", "basis": "lift"}, {"rank": "full", "basis": "identity"}])
def test_a_published_model_is_adapted_in_float32_and_frozen_in_the_wanted_precision(klein, target):
    head = HEADED["start"]["head"] if target["basis"] == "identity" else None
    full = ("x_embedder",) if head else ("x_embedder", "proj_out", "norm_out")
    configured = arm(ARMS["flux"], {"target": target, "start": {"adapter": ADAPTER | {"full": full}, "head": head}})
    model = made(configured, precision=torch.bfloat16, lift=LIFT, subspace=None, folder=klein)
    moving = trained(model.network)
    assert moving and all(parameter.dtype == torch.float32 for parameter in moving.values())
    frozen = [p for name, p in model.network.named_parameters() if name not in moving]
    assert frozen and {parameter.dtype for parameter in frozen} == {torch.bfloat16}
    out = model(torch.randn(2, 15, D), torch.tensor([0.3, 1.0]), condition_of(CAPTIONS), sigma_min=0.04)
    assert out.shape == (2, 15, D) and out.dtype == torch.float32


def test_a_published_model_without_an_adapter_is_trained_whole(klein):
    configured = arm(ARMS["flux"], {"target": {"rank": "full", "basis": "lift"}})
    model = made(configured, lift=LIFT, subspace=None, folder=klein)
    assert trained(model.network).keys() == dict(model.network.named_parameters()).keys()


def test_trained_weights_go_back_into_an_arm_that_is_assembled_again():
    latent = begun().network.state_dict()

    def again():
        return made(arm(ARMS["flux"], LIFTED), lift=LIFT, subspace=None, weights=latent)

    first, second = again(), again()
    for parameter in trained(first.network).values():
        parameter.data += 0.1 * torch.randn_like(parameter)
    restore(second.network, {name: p.detach().clone() for name, p in trained(first.network).items()})
    assert same(first, second)


@pytest.mark.parametrize("kind", ARMS)
def test_weights_of_another_arm_are_refused(kind):
    network = made(arm(ARMS[kind])).network
    before = {name: p.detach().clone() for name, p in trained(network).items()}
    first, *others = sorted(before)
    with pytest.raises(
        ValueError, match=f"these weights are of another model: 1 of them are not alike, the first '{first}'"
    ):
        restore(network, {name: torch.zeros_like(before[name]) for name in others})
    assert all(torch.equal(p, before[name]) for name, p in trained(network).items()), "nothing is half restored"


def test_a_lift_moves_to_a_device():
    moved = LIFT.to(torch.device("meta"))
    assert moved.A.device.type == "meta" and moved.s == LIFT.s
