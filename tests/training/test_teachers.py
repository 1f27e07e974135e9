"""Teachers of alignment: what they are shown, and that they learn nothing."""

import pytest
import torch

from asymflow import tensors
from asymflow.config.evaluator import Evaluator
from asymflow.metrics.tower import PREFIX, ImageTower
from asymflow.training.teachers import DinoTeacher, LocalTeacher, coarse_products, resized

PATCH, SIDE, CPU = 8, 32, torch.device("cpu")
CONFIG = Evaluator(image_size=SIDE, patch_size=PATCH, stem_width=8, width=24, depth=1, heads=2)


def tower():
    torch.manual_seed(1)
    return ImageTower(CONFIG)


def test_the_local_teacher_sees_the_grid_of_the_model_and_learns_nothing():
    teacher = LocalTeacher(tower(), SIDE)
    seen = teacher(torch.rand(2, 3, SIDE, SIDE) * 2 - 1)
    assert seen.shape == (2, 16, 24) and not seen.requires_grad
    assert teacher(torch.rand(2, 3, 48, 48)).shape == (2, 16, 24), "images of another size are resized"
    assert not teacher.tower.training and not any(parameter.requires_grad for parameter in teacher.parameters())


def test_the_local_teacher_is_the_image_tower_in_an_evaluator_s_file(tmp_path):
    weights = {f"{PREFIX}{name}": value for name, value in tower().state_dict().items()}
    tensors.save(tmp_path / "evaluator.safetensors", "evaluator", weights, {"config": CONFIG.model_dump()})
    pixels = torch.rand(2, 3, SIDE, SIDE) * 2 - 1
    teacher = LocalTeacher.load(tmp_path / "evaluator.safetensors", CPU)
    assert teacher.width == 24
    assert torch.equal(teacher(pixels), LocalTeacher(tower(), SIDE)(pixels))
    with pytest.raises(ValueError, match="holds 'model'; expected 'evaluator'"):
        tensors.save(tmp_path / "other.safetensors", "model", weights, {})
        LocalTeacher.load(tmp_path / "other.safetensors", CPU)


def test_dino_gets_its_own_size_and_range_and_gives_patch_tokens():
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=56, patch_size=14
    )
    torch.manual_seed(0)
    network = transformers.Dinov2Model(config)
    shown = {}
    network.register_forward_pre_hook(lambda m, a, k: shown.update(k), with_kwargs=True)
    teacher = DinoTeacher(network, PATCH)
    tokens = teacher(torch.ones(2, 3, SIDE, SIDE))
    assert tokens.shape == (2, 16, 16) and not tokens.requires_grad and teacher.width == 16
    assert shown["pixel_values"].shape == (2, 3, 56, 56)
    white = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(shown["pixel_values"][0, :, 5, 5], white, atol=1e-5)
    with pytest.raises(ValueError, match="hf download nobody/such-a-network"):
        DinoTeacher.load("nobody/such-a-network", PATCH, CPU)


def test_only_a_teacher_on_a_gpu_takes_coarse_products_and_nothing_after_it():
    with coarse_products(torch.device("cuda")):
        assert torch.get_float32_matmul_precision() == "high"
    with coarse_products(CPU):
        assert torch.get_float32_matmul_precision() == "highest"


def test_images_of_the_right_size_are_not_resized():
    pixels = torch.rand(2, 3, SIDE, SIDE)
    assert resized(pixels, SIDE, "bilinear") is pixels
    assert resized(pixels, 24, "bicubic").shape == (2, 3, 24, 24)


def test_a_teacher_that_is_not_there_names_the_key_to_change():
    pytest.importorskip("transformers")
    with pytest.raises(ValueError, match=r"or set losses\.alignment\.teacher to local"):
        DinoTeacher.load("nobody/such-a-network", PATCH, CPU)
