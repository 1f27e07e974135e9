"""A finished run, loaded from the file that training wrote."""

from dataclasses import asdict

import pytest
import torch

from asymflow import tensors
from asymflow.config.arm import Arm
from asymflow.config.autoencoder import Autoencoder as Config
from asymflow.config.sampling import Sampling
from asymflow.models.assemble import Beginning, Lift, assemble, trained
from asymflow.models.autoencoder import Autoencoder
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.sampling.run import Files, load
from asymflow.subspace.bases import random_basis
from asymflow.training.averages import build
from asymflow.training.checkpoint import save_model

SETTINGS = Sampling(precision="float32", compile="off")
SIZE, GRID, D, TOKEN = 24, (3, 3), 192, 6
A = random_basis(D, seed=0)[:, :TOKEN].float().contiguous()  # as files hold it, or sums may be taken in another order
LIFT = Lift(A, 1.7)
CLASSES, CAPTIONS = Shapes(classes=3), Shapes(caption=(4, 5))
FLUX = {
    "network": {"kind": "flux", "heads": 2, "head_width": 8, "single_blocks": 1},
    "conditions": {"shown": [{"share": 1.0, "what": ["caption"]}]},
}
ADAPTED = {
    "target": {"rank": "full", "basis": "lift"},
    "start": {"run": "latent", "adapter": {"rank": 2, "dropout": 0.5}},
}


def arm(**sections) -> Arm:
    given = {"representation": {"patch_size": 8}, "target": {"rank": 4}, "training": {"averages": ["power_7", "last"]}}
    return Arm.model_validate(given | sections)


def condition_of(shapes) -> Condition:
    if shapes.classes:
        return Condition(presence(["class"], 2), GRID, label=torch.tensor([0, 2]))
    text = torch.randn(2, *shapes.caption, generator=torch.Generator().manual_seed(4))
    return Condition(presence(["caption"], 2), GRID, text=text, empty=torch.zeros(shapes.caption))


def finished(path, configured, shapes, lift=None, began=None, **beginning):
    """Writes a model whose last weights have moved, and gives it."""
    given = Beginning(lift=lift, **beginning)
    model = assemble(configured, shapes, GRID, given, seed=5, precision=torch.float32)
    kept = build(configured.training.averages, trained(model.network))
    torch.manual_seed(1)
    for parameter in trained(model.network).values():
        parameter.data += 0.1 * torch.randn_like(parameter)
    description = {
        "arm": configured.model_dump(mode="json", exclude_none=True), "shapes": asdict(shapes),
        "classes": ["cat", "dog", "owl"][: shapes.classes], "image_size": SIZE, "seed": 5, "images": 640, "data": "set",
        "began": began,
    }  # fmt: skip
    save_model(path, kept, model.A, lift, description)
    return model.eval()


def predicted(model, shapes):
    x = torch.randn(2, 9, model.A.shape[0], generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return model(x, torch.tensor([0.3, 1.0]), condition_of(shapes), sigma_min=0.04)


@pytest.mark.parametrize(
    "network", [{"kind": "jit", "width": 64}, {"kind": "nanodit", "mixer": "scan"}], ids=["jit", "nanodit"]
)
def test_a_run_predicts_what_it_did_when_its_training_ended(tmp_path, network):
    configured = arm(network=network, start={"pca": 4})
    model = finished(
        tmp_path / "model",
        configured,
        CLASSES,
        subspace=A[:, :4].contiguous(),
        pca=random_basis(D, seed=1)[:, :4].float(),
    )
    run = load(tmp_path / "model", SETTINGS.model_copy(update={"weights": "last"}))
    assert torch.equal(predicted(run.model, CLASSES), predicted(model, CLASSES))
    assert not run.model.training and not any(parameter.requires_grad for parameter in run.model.parameters())
    assert run.arm == configured and run.shapes == CLASSES and run.classes == ("cat", "dog", "owl")
    assert (run.image_size, run.grid, run.shape, run.seed, run.images) == (SIZE, GRID, (3, SIZE, SIZE), 5, 640)
    assert run.lift is None and run.latents is None


def test_a_setting_names_the_weights_and_the_first_are_sampled_otherwise(tmp_path):
    """The average never moved, so it is what the network began as."""
    configured = arm(network={"kind": "jit", "width": 64})
    finished(tmp_path / "model", configured, CLASSES, subspace=A[:, :4].contiguous())
    begun = assemble(
        configured, CLASSES, GRID, Beginning(subspace=A[:, :4].contiguous()), seed=5, precision=torch.float32
    ).eval()
    for name in (None, "power_7"):
        run = load(tmp_path / "model", SETTINGS.model_copy(update={"weights": name}))
        assert torch.equal(predicted(run.model, CLASSES), predicted(begun, CLASSES))
    last = load(tmp_path / "model", SETTINGS.model_copy(update={"weights": "last"}))
    assert not torch.equal(predicted(last.model, CLASSES), predicted(begun, CLASSES))
    with pytest.raises(ValueError, match="holds no weights 'ema_2000'; it has power_7, last"):
        load(tmp_path / "model", SETTINGS.model_copy(update={"weights": "ema_2000"}))


def latent(path):
    sections = {"representation": {"space": "latent", "patch_size": 8}, "target": {"rank": "full", "basis": "identity"}}
    return finished(path, arm(**FLUX, **sections, training={"averages": ["last"]}), CAPTIONS, LIFT)


def test_an_adapted_run_is_loaded_over_the_model_that_it_began_with(tmp_path):
    begun = latent(tmp_path / "latent")
    weights = {name: p.detach().clone() for name, p in trained(begun.network).items()}
    began = tensors.describe(tmp_path / "latent", "model")["checksum"]
    model = finished(tmp_path / "model", arm(**FLUX, **ADAPTED), CAPTIONS, LIFT, began, weights=weights)
    settings = SETTINGS.model_copy(update={"weights": "last"})
    run = load(tmp_path / "model", settings, Files(start=tmp_path / "latent"))
    assert torch.equal(predicted(run.model, CAPTIONS), predicted(model, CAPTIONS))
    assert torch.equal(run.lift.A, A) and run.lift.s == run.model.s == 1.7
    finished(tmp_path / "other", arm(**FLUX, **ADAPTED), CAPTIONS, LIFT, "the weights of another", weights=weights)
    with pytest.raises(
        ValueError, match=r"began with the weights of another model than .*latent holds: train it again"
    ):
        load(tmp_path / "other", settings, Files(start=tmp_path / "latent"))


def test_an_arm_of_latents_comes_with_what_decodes_them(tmp_path):
    model = latent(tmp_path / "latent")
    torch.manual_seed(0)
    config = Config(channels=TOKEN, width=4, blocks=1)
    autoencoder = Autoencoder(config)
    tensors.save(
        tmp_path / "autoencoder",
        "autoencoder",
        autoencoder.state_dict(),
        {"config": config.model_dump(mode="json")},
    )
    run = load(tmp_path / "latent", SETTINGS, Files(latents=tmp_path / "autoencoder"))
    assert torch.equal(predicted(run.model, CAPTIONS), predicted(model, CAPTIONS))
    assert run.latents.decode(torch.zeros(2, 9, TOKEN), GRID).shape == (2, 3, SIZE, SIZE)


def test_weights_of_another_network_are_refused(tmp_path):
    """A model file whose description is that of a wider arm."""
    configured = arm(network={"kind": "jit", "width": 64})
    model = finished(tmp_path / "model", configured, Shapes(), subspace=A[:, :4].contiguous())
    kept = build(("last",), trained(model.network))
    wrong = {
        "arm": configured.model_dump(mode="json", exclude_none=True), "shapes": asdict(CLASSES),
        "classes": ["cat", "dog", "owl"], "image_size": SIZE, "seed": 5, "images": 640, "data": "set",
        "began": None,
    }  # fmt: skip
    save_model(tmp_path / "model", kept, model.A, None, wrong)
    with pytest.raises(
        ValueError, match="these weights are of another model: 2 of them are not alike, the first 'context'"
    ):
        load(tmp_path / "model", SETTINGS)


def test_an_adapted_run_without_the_model_that_it_began_with_is_refused(tmp_path):
    """Its file has only what was trained; the rest would be random, and nothing would say so."""
    begun = latent(tmp_path / "latent")
    weights = {name: p.detach().clone() for name, p in trained(begun.network).items()}
    finished(tmp_path / "model", arm(**FLUX, **ADAPTED), CAPTIONS, LIFT, weights=weights)
    with pytest.raises(ValueError, match="adapts the run 'latent', and holds only what was trained"):
        load(tmp_path / "model", SETTINGS)
