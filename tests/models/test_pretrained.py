"""Parts of published models, from a folder alone."""

import shutil

import pytest
import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel

from asymflow.models.pretrained import part_of


def test_a_part_is_read_frozen_and_in_the_wanted_precision(klein):
    made = part_of(Flux2Transformer2DModel, klein, "transformer", torch_dtype=torch.bfloat16)
    assert not made.training and made.dtype == torch.bfloat16
    assert not any(parameter.requires_grad for parameter in made.parameters())


def test_a_part_that_is_missing_is_named_with_the_command_that_gets_it(klein, tmp_path):
    shutil.copytree(klein / "vae", tmp_path / "vae")
    assert isinstance(part_of(AutoencoderKLFlux2, tmp_path, "vae"), AutoencoderKLFlux2)
    with pytest.raises(
        ValueError, match=r"transformer has no config.json; .*`hf download black-forest-labs/FLUX.2-klein"
    ):
        part_of(Flux2Transformer2DModel, tmp_path, "transformer")


def test_weights_that_are_missing_or_of_another_format_are_an_error(klein, tmp_path):
    shutil.copytree(klein / "transformer", tmp_path / "transformer")
    (weights,) = (tmp_path / "transformer").glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ValueError, match="transformer cannot be loaded as a Flux2Transformer2DModel"):
        part_of(Flux2Transformer2DModel, tmp_path, "transformer")
