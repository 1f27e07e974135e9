"""What the stages of the text track run on: small portraits, a quick evaluator, and a tiny random FLUX.2 klein on disk."""

import pytest
import torch

from asymflow.config.data import Data
from asymflow.config.evaluator import Evaluator
from asymflow.data.shards import write_splits
from asymflow.stages import fit_evaluator


@pytest.fixture(scope="session")
def run():
    """Runs a stage in this process, as a rule would."""
    return run_stage


def run_stage(stage, **options):
    words = []
    for name, value in options.items():
        given = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, given)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [stage.__name__, *words])
        stage.main()


@pytest.fixture(scope="session")
def portraits(tmp_path_factory):
    """Indexes and shards of portraits of 32 pixels, and an evaluator that has hardly learned anything."""
    folder = tmp_path_factory.mktemp("portraits")
    write_splits(Data(image_size=32, train=60, evaluator=60, heldout=30), folder, processes=1)
    config = Evaluator(image_size=32, width=32, text_width=16, heads=2, images=120, batch=20, precision="float32")
    run_stage(
        fit_evaluator, config=config.model_dump_json(), data=folder / "evaluator.json", out=folder / "local.safetensors"
    )
    return folder


@pytest.fixture(scope="session")
def klein(tmp_path_factory):
    """A random FLUX.2 klein in the format of diffusers, of the same classes, a millionth of the size."""
    from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("klein")
    torch.manual_seed(0)
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=32
    )
    vae.save_pretrained(folder / "vae")
    letters = [chr(code) for code in range(32, 127)]
    words = Tokenizer(models.WordLevel({c: i for i, c in enumerate(["<pad>", "<unk>", *letters])}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    tokenizer.save_pretrained(folder / "tokenizer")
    encoder = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(letters) + 2, hidden_size=8, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2,
            num_key_value_heads=1, head_dim=4,
        )
    )  # fmt: skip
    encoder.save_pretrained(folder / "text_encoder")
    transformer = Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=24, axes_dims_rope=(2, 2, 2, 2), guidance_embeds=False,
    )  # fmt: skip
    transformer.save_pretrained(folder / "transformer")
    return folder
