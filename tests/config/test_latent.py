"""The folder of a FLUX.2 klein: what is wrong with it is one sentence, before any job starts."""

import json
import re
import shutil

import pytest

from asymflow.config.arm import Arm
from asymflow.config.latent import Latent, check


def arm(patch_size=16):
    return Arm(
        network={"kind": "flux"},
        representation={"patch_size": patch_size},
        conditions={"shown": [{"share": 1.0, "what": ["caption"]}]},
        target={"basis": "lift", "rank": "full"},
    )


ARMS = {"asymflow": arm()}


@pytest.fixture
def folder(klein, tmp_path):
    """A copy of the model, to be spoiled."""
    return shutil.copytree(klein, tmp_path / "klein")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def mistake(model, arms=ARMS):
    with pytest.raises(ValueError) as caught:
        check(Latent(model=str(model)), arms)
    return str(caught.value)


def test_a_whole_folder_is_fine_and_so_is_none(folder):
    check(Latent(model=str(folder)), ARMS)
    check(Latent(), {"small": arm(patch_size=8)})


def test_the_name_of_a_gated_model_is_no_folder_and_the_way_to_one_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = mistake("black-forest-labs/FLUX.2-klein-base-9B")
    assert (
        f"latent.model is 'black-forest-labs/FLUX.2-klein-base-9B', which is not a folder (looked in {tmp_path})"
        in text
    )
    assert "expected a folder with a whole FLUX.2 klein" in text and "it is gated: accept its licence" in text
    assert "hf download black-forest-labs/FLUX.2-klein-base-9B --local-dir FOLDER" in text


@pytest.mark.parametrize(
    ("part", "lacking"),
    [
        ("model_index.json", "model_index.json"),
        ("vae", "vae/config.json"),
        ("text_encoder", "text_encoder/config.json"),
        ("tokenizer", "tokenizer/tokenizer_config.json"),
        ("transformer", "transformer/config.json"),
        ("transformer/diffusion_pytorch_model.safetensors", "transformer/*.safetensors"),
    ],
)
def test_a_missing_part_is_named(folder, part, lacking):
    path = folder / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert re.search(
        rf"klein', which lacks {re.escape(lacking)}; expected a folder with a whole FLUX\.2", mistake(folder)
    )


def test_a_download_that_was_interrupted_is_noticed(folder):
    """Large models come in several files, which an index lists."""
    part = folder / "transformer"
    shards = [f"diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    (part / "diffusion_pytorch_model.safetensors").rename(part / shards[0])
    index = {"weight_map": {"a.weight": shards[0], "b.weight": shards[1]}}
    (part / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    assert f"which lacks transformer/{shards[1]}; expected" in mistake(folder)


def test_patches_that_a_latent_token_does_not_span_are_named_with_their_arm(folder):
    text = mistake(folder, ARMS | {"coarse": arm(patch_size=32)})
    assert "arm 'coarse' has patches of 32 x 32 pixels, but a latent token of" in text
    assert "spans 16 x 16: the grids of tokens do not match; set its representation.patch_size to 16" in text


def test_latent_tokens_with_more_numbers_than_a_patch_are_an_error(folder):
    edit(folder / "vae" / "config.json", latent_channels=193)
    text = mistake(folder)
    assert "has 772 numbers, but the pixel patch that it spans only 768 (16 x 16 x 3): nothing lifts it" in text


def test_an_autoencoder_that_is_not_described_is_one_sentence(folder):
    (folder / "vae/config.json").write_text('{"latent_channels": 32}')
    assert "does not describe an autoencoder of FLUX.2 ('block_out_channels')" in mistake(folder)
