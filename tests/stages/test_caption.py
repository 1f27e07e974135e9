"""Captions by a Qwen2.5-VL: a tiny random one of the same class, in a folder of its own."""

import pytest

from asymflow.config.captions import Captions
from asymflow.stages import caption, encode

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    import torch
    from tokenizers import pre_tokenizers
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2TokenizerFast,
        Qwen2VLImageProcessorFast,
        Qwen2VLVideoProcessor,
    )

    folder = tmp_path_factory.mktemp("qwen")
    torch.manual_seed(0)
    special = ["<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, *special])}
    tokenizer = Qwen2TokenizerFast(
        vocab=vocabulary, merges=[], additional_special_tokens=special, pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = TEMPLATE
    names = ("vision_start", "vision_end", "image_pad", "video_pad")
    numbers = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in names}
    pixels = {"patch_size": 4, "merge_size": 2, "temporal_patch_size": 2, "min_pixels": 64, "max_pixels": 1024}
    Qwen2_5_VLProcessor(
        Qwen2VLImageProcessorFast(**pixels), tokenizer, Qwen2VLVideoProcessor(**pixels), chat_template=TEMPLATE
    ).save_pretrained(folder)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(vocabulary), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
            "eos_token_id": None, "pad_token_id": 0,
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 16, "patch_size": 4,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 16, "fullatt_block_indexes": [0],
        },
        vision_start_token_id=numbers["vision_start"], vision_end_token_id=numbers["vision_end"],
        image_token_id=numbers["image_pad"], video_token_id=numbers["video_pad"],
    )  # fmt: skip
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_every_image_gets_a_line_of_its_own_and_the_same_again(run, qwen, portraits, tmp_path):
    config = Captions(model=str(qwen), tokens=5, batch=7).model_dump_json()
    for name in ("first.txt", "again.txt"):
        run(caption, config=config, data=portraits / "heldout.json", out=tmp_path / name)
    lines = (tmp_path / "first.txt").read_text().splitlines()
    assert len(lines) == 30
    assert (tmp_path / "again.txt").read_text().splitlines() == lines


def test_a_captioner_that_is_not_there_is_named(run, portraits, tmp_path):
    config = Captions(model="nobody/none").model_dump_json()
    with pytest.raises(
        ValueError, match=r"nobody/none \(captions.model\) is neither a folder nor in the Hugging Face cache"
    ):
        run(caption, config=config, data=portraits / "heldout.json", out=tmp_path / "captions.txt")


def test_made_captions_must_be_one_for_each_image(run, portraits, tmp_path):
    (tmp_path / "captions.txt").write_text("one\ntwo\n")
    with pytest.raises(ValueError, match=r"captions.txt has 2 lines for the 60 images of"):
        run(encode, patch_size=16, data=portraits / "train.json", latents=tmp_path, reader=tmp_path,
            captions=tmp_path / "captions.txt", out=tmp_path / "out.json")  # fmt: skip
