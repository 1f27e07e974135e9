"""What arms of prx-tg are conditioned on: tiny random networks of the published classes."""

import pytest
import torch

from asymflow.config.embeddings import Embeddings
from asymflow.training.embedders import DinoImages, T5Text, load


@pytest.fixture(scope="module")
def dino():
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    torch.manual_seed(0)
    config = DINOv3ViTConfig(
        patch_size=4, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_register_tokens=3,
        image_size=16,
    )  # fmt: skip
    return DINOv3ViTModel(config).eval()


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    """A T5 encoder and its tokenizer in a folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    folder = tmp_path_factory.mktemp("t5")
    letters = [chr(code) for code in range(32, 127)]
    words = Tokenizer(models.WordLevel({c: i for i, c in enumerate(["<pad>", "<unk>", *letters])}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>").save_pretrained(folder)
    torch.manual_seed(0)
    T5EncoderModel(
        T5Config(vocab_size=len(letters) + 2, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    ).save_pretrained(folder)
    return folder


def test_register_tokens_are_no_patches(dino):
    """The order is class, registers, patches. A patch token follows its patch; one that was a register would follow none."""
    images = DinoImages(dino)
    pixels = torch.rand(2, 3, 16, 16) * 2 - 1
    cls, patches = images.image(pixels)
    assert cls.shape == (2, 8) and patches.shape == (2, 16, 8)
    whole = dino(pixel_values=((pixels + 1) / 2 - images.mean) / images.std).last_hidden_state
    torch.testing.assert_close(patches, whole[:, 4:])
    torch.testing.assert_close(cls, whole[:, 0])
    changed = pixels.clone()
    changed[:, :, 12:, 12:] *= -1  # the last patch, which the published code lost
    moved = (images.image(changed)[1] - patches).norm(dim=-1)
    assert (moved.argmax(1) == 15).all()


def test_captions_of_any_length_have_as_many_tokens_and_their_padding_is_marked(t5):
    from transformers import AutoTokenizer, T5EncoderModel

    reader = T5Text(T5EncoderModel.from_pretrained(t5), AutoTokenizer.from_pretrained(t5), length=6)
    tokens, mask = reader.text(["abc", "a longer caption", ""])
    assert tokens.shape == (3, 6, 8) and mask.sum(1).tolist() == [3, 6, 0]


def test_a_caption_reads_the_same_beside_others(t5):
    from transformers import AutoTokenizer, T5EncoderModel

    reader = T5Text(T5EncoderModel.from_pretrained(t5), AutoTokenizer.from_pretrained(t5), length=6)
    alone, together = reader.text(["abc"])[0], reader.text(["abc", "abcdef"])[0]
    torch.testing.assert_close(alone[0, :3], together[0, :3])


def test_published_networks_are_read_from_folders(t5, dino, tmp_path):
    dino.save_pretrained(tmp_path)
    config = Embeddings(text=str(t5), image=str(tmp_path), text_length=5)
    text, image = load(config, None, torch.device("cpu"))
    assert text.text(["a"])[0].shape == (1, 5, 8)
    assert image.image(torch.zeros(1, 3, 8, 8))[1].shape == (1, 4, 8)


def test_a_network_that_is_not_there_is_named(tmp_path):
    config = Embeddings(text="nobody/none", image="nobody/nothing")
    with pytest.raises(
        ValueError, match=r"nobody/none \(embeddings.text\) is neither a folder nor in the Hugging Face"
    ):
        load(config, None, torch.device("cpu"))


def test_one_published_network_without_the_other_is_an_error():
    with pytest.raises(ValueError, match="published networks both, or neither"):
        Embeddings(text="google-t5/t5-large")
