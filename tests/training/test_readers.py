"""What reads captions and images: tiny random networks of the published classes, and the evaluator's towers."""

import shutil

import pytest
import torch

from asymflow import tensors
from asymflow.config.embeddings import Embeddings
from asymflow.config.evaluator import Evaluator
from asymflow.metrics import clip
from asymflow.stages import embed_captions
from asymflow.training.readers import DinoImages, QwenText, Reader, T5Text, Viewer, reader, viewer

CPU = torch.device("cpu")
LOCAL = Evaluator(image_size=16, patch_size=4, stem_width=6, width=12, depth=1, heads=2, embedding=5)
LENGTH = 14
CAPTIONS = ["a person with red hair", "a person", "a person " * LENGTH]


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


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory):
    """A random evaluator's file."""
    torch.manual_seed(0)
    stored = {f"clip.{name}": value for name, value in clip.build(LOCAL, LENGTH).state_dict().items()}
    description = {"config": LOCAL.model_dump(), "context_length": LENGTH}
    path = tmp_path_factory.mktemp("evaluator") / "evaluator.safetensors"
    tensors.save(path, "evaluator", stored, description)
    return path


def test_register_tokens_are_no_patches(dino):
    """The order is class, registers, patches. A patch token follows its patch; one that was a register would follow none."""
    images = DinoImages(dino)
    pixels = torch.rand(2, 3, 16, 16) * 2 - 1
    embedding, patches = images.image(pixels)
    assert embedding.shape == (2, 8) and patches.shape == (2, 16, 8)
    whole = dino(pixel_values=((pixels + 1) / 2 - images.mean) / images.std).last_hidden_state
    torch.testing.assert_close(patches, whole[:, 4:])
    torch.testing.assert_close(embedding, whole[:, 0])
    changed = pixels.clone()
    changed[:, :, 12:, 12:] *= -1  # the last patch, which the published code lost
    moved = (images.image(changed)[1] - patches).norm(dim=-1)
    assert (moved.argmax(1) == 15).all()


def test_captions_of_any_length_have_as_many_tokens_and_their_padding_is_marked(t5):
    from transformers import AutoTokenizer, T5EncoderModel

    made = T5Text(T5EncoderModel.from_pretrained(t5), AutoTokenizer.from_pretrained(t5), length=6)
    tokens, mask = made.text(["abc", "a longer caption", ""])
    assert tokens.shape == (3, 6, 8) and mask.sum(1).tolist() == [3, 6, 0]


def test_a_caption_reads_the_same_beside_others(t5):
    from transformers import AutoTokenizer, T5EncoderModel

    made = T5Text(T5EncoderModel.from_pretrained(t5), AutoTokenizer.from_pretrained(t5), length=6)
    alone, together = made.text(["abc"])[0], made.text(["abc", "abcdef"])[0]
    torch.testing.assert_close(alone[0, :3], together[0, :3])


def test_the_evaluator_s_text_tower_marks_the_padding_and_what_it_cuts_has_none(evaluator):
    made = reader("local", Embeddings(), evaluator, None, CPU)
    tokens, mask = made.text(CAPTIONS)
    assert tokens.shape == (3, LENGTH, LOCAL.text_width)
    assert mask.sum(1).tolist() == [7, 4, LENGTH], "a start and an end join the words"
    assert (mask.int().diff(dim=1) <= 0).all(), "the padding is at the end"
    torch.testing.assert_close(
        made.text(CAPTIONS[1:2])[0], tokens[1:2], rtol=0, atol=1e-5
    )  # float32, whatever stands beside it


def test_the_evaluator_s_image_tower_gives_embeddings_of_one_length_and_a_token_for_each_patch(evaluator):
    made = viewer(Embeddings(), evaluator, CPU)
    pixels = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    embedding, patches = made.image(pixels)
    assert embedding.shape == (3, 5) and patches.shape == (3, 16, 12)
    torch.testing.assert_close(embedding.square().mean(1), torch.ones(3))
    assert not embedding.requires_grad and not patches.requires_grad
    assert made.image(torch.rand(1, 3, 24, 24))[1].shape == (1, 16, 12), "images of another size are resized"


def test_flux_2_s_encoder_gives_three_layers_side_by_side_and_reads_the_padding(klein):
    made = reader("flux2", Embeddings(), None, klein, CPU)
    tokens, mask = made.text(["a cat", "a longer caption"])
    assert isinstance(made, QwenText) and tokens.shape == (2, 512, 3 * 8) and tokens.dtype == torch.float32
    assert mask.shape == (2, 512) and mask.all()
    assert not torch.equal(tokens[0], tokens[1])


def test_every_reader_is_one(evaluator, t5, klein, dino, tmp_path):
    dino.save_pretrained(tmp_path)
    published = Embeddings(text=str(t5), image=str(tmp_path), text_length=5)
    for name in ("local", "t5", "flux2"):
        assert isinstance(reader(name, published, evaluator, klein, CPU), Reader)
    for config in (Embeddings(), published):
        assert isinstance(viewer(config, evaluator, CPU), Viewer)


@pytest.mark.parametrize(
    ("name", "length", "around"),
    [("local", LENGTH, 2), ("t5", 5, 0), ("flux2", 512, 0)],  # tokens around a caption: a start and an end
)
def test_captions_that_are_cut_are_counted_when_they_are_embedded(evaluator, t5, klein, name, length, around):
    """One token more than a reader takes is one too many; letters are tokens of the small published readers, words of ours."""
    made = reader(name, Embeddings(text=str(t5), image="none", text_length=5), evaluator, klein, CPU)
    token = "person " if name == "local" else "a"
    fits, longer = (token * (length - around + more) for more in (0, 1))
    assert made.lengths([fits, longer]) == [length, length + 1]
    said = f"1 of 3 captions have more than {length} tokens, and lose what is beyond"
    assert embed_captions._cut([fits, longer, token], made) == said


def test_published_networks_are_read_from_folders(t5, dino, tmp_path):
    dino.save_pretrained(tmp_path)
    config = Embeddings(text=str(t5), image=str(tmp_path), text_length=5)
    assert reader("t5", config, None, None, CPU).text(["a"])[0].shape == (1, 5, 8)
    assert viewer(config, None, CPU).image(torch.zeros(1, 3, 8, 8))[1].shape == (1, 4, 8)


def test_a_network_that_is_not_there_is_named():
    config = Embeddings(text="nobody/none", image="nobody/nothing")
    sentence = r"{} \(embeddings.{}\) is neither a folder nor in the Hugging Face cache as a {}; fetch it once"
    with pytest.raises(ValueError, match=sentence.format("nobody/none", "text", "T5EncoderModel")):
        reader("t5", config, None, None, CPU)
    with pytest.raises(ValueError, match=sentence.format("nobody/nothing", "image", "DINOv3ViTModel")):
        viewer(config, None, CPU)


def test_a_flux_2_that_lacks_a_part_is_an_error(klein, tmp_path):
    with pytest.raises(
        ValueError, match=r"text_encoder has no config\.json; latent\.model must be a folder with a whole FLUX\.2"
    ):
        reader("flux2", Embeddings(), None, tmp_path, CPU)
    shutil.copytree(klein / "text_encoder", tmp_path / "text_encoder")
    with pytest.raises(
        ValueError, match=r"has no folder tokenizer; latent\.model must be a folder with a whole FLUX\.2 klein"
    ):
        reader("flux2", Embeddings(), None, tmp_path, CPU)
