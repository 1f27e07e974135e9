"""Representation alignment: what it measures, where it reads, and that it is off unless asked for."""

import pytest
import torch

from asymflow.config.evaluator import Evaluator
from asymflow.config.model import Model
from asymflow.config.repa import Repa
from asymflow.config.training import Training
from asymflow.metrics.tower import ImageTower
from asymflow.models.jit import build
from asymflow.models.velocity import VelocityModel
from asymflow.training.repa import Aligned, alignment_loss
from asymflow.training.step import FlowMatching, draw, seed_step
from asymflow.training.teachers import DinoTeacher, LocalTeacher

CLASSES, PATCH, SIDE = 3, 8, 32
TRAINING = Training(batch=8, images=8, warmup_images=0)


def model(precision=torch.float32):
    config = Model(size="tiny", patch_size=PATCH, embed_pca=0, width=64)
    generator = torch.Generator().manual_seed(0)
    network = build(config, image_size=SIDE, classes=CLASSES, generator=generator, checkpointing=False)
    return VelocityModel(network, torch.eye(3 * PATCH**2)[:, :4], 1.0, precision)


def teacher():
    torch.manual_seed(1)
    config = Evaluator(image_size=SIDE, patch_size=PATCH, stem_width=8, width=24, depth=1, heads=2)
    return LocalTeacher(ImageTower(config), SIDE)


def aligned(repa=Repa(weight=0.5, width=32), precision=torch.float32):  # noqa: B008
    return Aligned(model(precision), TRAINING, repa, teacher().width, torch.Generator().manual_seed(0))


def example(with_teacher=True):
    chosen = teacher() if with_teacher else None
    seed_step(0, 0, 0)
    images = torch.randint(0, 256, (8, 3, SIDE, SIDE), dtype=torch.uint8)
    return draw(images, torch.arange(8) % CLASSES, PATCH, "rgb", CLASSES, TRAINING, chosen)


def test_alignment_is_minus_the_mean_cosine():
    a = torch.randn(4, 5, 6, dtype=torch.float64)
    cosine = (a * a.flip(0)).sum(-1) / (a.norm(dim=-1) * a.flip(0).norm(dim=-1))
    assert torch.allclose(alignment_loss(a, a.flip(0)), -cosine.mean())
    assert torch.isclose(alignment_loss(a, 3 * a), torch.tensor(-1.0, dtype=torch.float64))
    assert torch.isclose(alignment_loss(a, -a), torch.tensor(1.0, dtype=torch.float64))


def test_off_it_changes_nothing_and_on_it_adds_a_term_and_its_gradient():
    plain, with_tokens = FlowMatching(model(), TRAINING), aligned()
    terms = with_tokens(example())
    assert torch.equal(plain(example(with_teacher=False))["flow"], terms["flow"])
    assert list(terms) == ["flow", "repa"] and -0.5 <= terms["repa"] <= 0.5
    terms["repa"].backward()
    network = with_tokens.model.network
    assert network.blocks[0].attention.qkv.weight.grad is not None and with_tokens.projector[0].weight.grad.any()
    assert network.blocks[2].modulation.weight.grad is None, "blocks after the aligned one must not feel it"


def test_it_reads_the_image_tokens_alone_in_raster_order():
    objective = aligned(Repa(weight=1.0, width=32, block=3))  # class tokens have joined before
    kept = {}
    objective.projector.register_forward_hook(lambda module, inputs, output: kept.update(seen=inputs[0]))
    objective(example())
    assert kept["seen"].shape == (8, (SIDE // PATCH) ** 2, 64)
    assert torch.equal(kept["seen"], objective.features[:, -16:])


def test_a_block_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="has 4 blocks"):
        aligned(Repa(weight=0.5, block=9))


@pytest.mark.slow
def test_compiled_it_gives_the_same_terms():
    eager, compiled = aligned()(example()), aligned()
    compiled.model.network.compile()
    terms = compiled(example())
    assert all(torch.allclose(terms[name], eager[name], atol=1e-5) for name in terms)


def test_the_local_teacher_sees_the_grid_of_the_model_and_learns_nothing():
    seen = teacher()(torch.rand(2, 3, SIDE, SIDE) * 2 - 1)
    assert seen.shape == (2, 16, 24) and not seen.requires_grad
    assert teacher()(torch.rand(2, 3, 48, 48)).shape == (2, 16, 24), "images of another size are resized"


def test_dino_gets_its_own_size_and_range_and_gives_patch_tokens():
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=56, patch_size=14
    )
    torch.manual_seed(0)
    network = transformers.Dinov2Model(config)
    shown = {}
    network.register_forward_pre_hook(lambda m, a, k: shown.update(k), with_kwargs=True)
    tokens = DinoTeacher(network, PATCH)(torch.ones(2, 3, SIDE, SIDE))
    assert tokens.shape == (2, 16, 16)
    assert shown["pixel_values"].shape == (2, 3, 56, 56)
    white = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(shown["pixel_values"][0, :, 5, 5], white, atol=1e-5)
    with pytest.raises(ValueError, match="hf download"):
        DinoTeacher.load("nobody/such-a-network", PATCH, torch.device("cpu"))
