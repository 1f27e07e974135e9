"""What reads captions and images for networks conditioned on them: published ones, or the evaluator that is trained here.

    reader.text(captions)     tokens (m, l, e) and which of them are the caption's (m, l); every caption has l of them
    reader.lengths(captions)  how many tokens each has; what is beyond reader.length is cut, and lost
    viewer.image(pixels)      embedding (m, g) and patch tokens (m, n, q) of pixels (m, 3, h, w) in [-1, 1]

Letters in shapes: m captions or images, l text tokens, e their channels, g channels of the embedding, n patch tokens, q channels.
"""

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from asymflow.config.embeddings import Embeddings
from asymflow.metrics.text import TextTower
from asymflow.metrics.tower import load as load_tower
from asymflow.models.pretrained import part_of
from asymflow.training.teachers import IMAGENET_MEAN, IMAGENET_STD, resized

LENGTH = 512  # tokens that FLUX.2 klein reads of a caption


@runtime_checkable
class Reader(Protocol):
    """See the head of this module."""

    length: int

    def lengths(self, captions: list[str]) -> list[int]: ...

    def text(self, captions: list[str]) -> tuple[Float[Tensor, "m l e"], Bool[Tensor, "m l"]]: ...


@runtime_checkable
class Viewer(Protocol):
    """See the head of this module."""

    def image(self, pixels: Float[Tensor, "m 3 h w"]) -> tuple[Float[Tensor, "m g"], Float[Tensor, "m n q"]]: ...


class TowerText:
    """The text tower of the local evaluator."""

    def __init__(self, tower: TextTower):
        self.tower, self.length = tower, tower.length

    def lengths(self, captions: list[str]) -> list[int]:
        return self.tower.lengths(captions)

    def text(self, captions: list[str]) -> tuple[Float[Tensor, "m l e"], Bool[Tensor, "m l"]]:
        tokens, lengths = self.tower.tokens(captions), torch.tensor(self.lengths(captions))
        return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


class TowerImages:
    """The image tower of the local evaluator: its embedding, of length sqrt(g), and its patch tokens."""

    def __init__(self, tower, image_size: int, device: torch.device):
        self.tower, self.image_size = tower.requires_grad_(False).eval().to(device), image_size

    @torch.no_grad()
    def image(self, pixels: Float[Tensor, "m 3 h w"]) -> tuple[Float[Tensor, "m g"], Float[Tensor, "m n q"]]:
        view = self.tower.view(resized(pixels, self.image_size, "bilinear"))
        return normalize(view.embedding, dim=1) * view.embedding.shape[1] ** 0.5, view.tokens


class T5Text:
    """A T5 encoder: its last hidden state, the padding masked."""

    def __init__(self, encoder: nn.Module, tokenizer, length: int):
        self.encoder, self.tokenizer, self.length = encoder.requires_grad_(False).eval(), tokenizer, length

    def lengths(self, captions: list[str]) -> list[int]:
        return list(map(len, self.tokenizer(captions)["input_ids"]))

    @torch.no_grad()
    def text(self, captions: list[str]) -> tuple[Float[Tensor, "m l e"], Bool[Tensor, "m l"]]:
        read = self.tokenizer(
            captions, padding="max_length", truncation=True, max_length=self.length, return_tensors="pt"
        ).to(self.encoder.device)
        tokens = self.encoder(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).last_hidden_state
        return tokens.float(), read["attention_mask"].bool()


class DinoImages:
    """DINOv3: class token and patch tokens; between the two stand register tokens, which stand for no place of the image."""

    def __init__(self, network: nn.Module):
        self.network = network.requires_grad_(False).eval()
        self.mean, self.std = (
            torch.tensor(v, device=network.device)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD)
        )

    @torch.no_grad()
    def image(self, pixels: Float[Tensor, "m 3 h w"]) -> tuple[Float[Tensor, "m g"], Float[Tensor, "m n q"]]:
        shown = ((pixels + 1) / 2 - self.mean) / self.std
        seen = self.network(pixel_values=shown.to(self.network.dtype))
        first_patch = 1 + self.network.config.num_register_tokens
        return seen.pooler_output.float(), seen.last_hidden_state[:, first_patch:].float()


class QwenText:
    """FLUX.2 klein's text encoder, through diffusers' own pipeline: three of its layers side by side, padding included."""

    def __init__(self, encoder, tokenizer, length: int):
        self.encoder, self.tokenizer, self.length = encoder, tokenizer, length
        deep = encoder.config.num_hidden_layers
        # klein's layers; a smaller encoder has its own at the same shares of its depth
        self.layers = [9, 18, 27] if deep >= 27 else [max(1, deep // 4), max(1, deep // 2), max(1, 3 * deep // 4)]

    def lengths(self, captions: list[str]) -> list[int]:
        # as the pipeline asks: each caption is what a user says, with an answer to come
        says = [[{"role": "user", "content": caption}] for caption in captions]
        asked = self.tokenizer.apply_chat_template(
            says, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return list(map(len, self.tokenizer(asked)["input_ids"]))

    @torch.no_grad()
    def text(self, captions: list[str]) -> tuple[Float[Tensor, "m l e"], Bool[Tensor, "m l"]]:
        from diffusers import Flux2KleinPipeline

        tokens = Flux2KleinPipeline._get_qwen3_prompt_embeds(
            self.encoder,
            self.tokenizer,
            captions,
            max_sequence_length=self.length,
            hidden_states_layers=self.layers,
        ).float()
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool)  # FLUX.2 reads the padding too


def reader(
    name: Literal["local", "t5", "flux2"],
    config: Embeddings,
    evaluator: Path | None,
    folder: Path | None,
    device: torch.device,
) -> Reader:
    """What reads captions: the tower in the evaluator's file, a T5 from the Hugging Face cache, or the encoder of a FLUX.2.

    Nothing is downloaded. Raises ValueError when the network is not there.
    """
    if name == "local":
        return TowerText(TextTower.load(evaluator, device))
    return _t5(config, device) if name == "t5" else _qwen(folder, device)


def viewer(config: Embeddings, evaluator: Path | None, device: torch.device) -> Viewer:
    """What sees images: the tower in the evaluator's file, or a DINOv3 from the Hugging Face cache. Nothing is downloaded.

    Raises ValueError when the network is not there.
    """
    if config.image is None:
        tower, settings = load_tower(evaluator)
        return TowerImages(tower, settings.image_size, device)
    from transformers import DINOv3ViTModel  # loads slowly, and only this viewer needs it

    return DinoImages(_cached(DINOv3ViTModel, config.image, "image", torch_dtype=_precision(device)).to(device))


def _t5(config: Embeddings, device: torch.device) -> T5Text:
    from transformers import AutoTokenizer, T5EncoderModel  # load slowly, and only this reader needs them

    encoder = _cached(T5EncoderModel, config.text, "text", torch_dtype=_precision(device)).to(device)
    return T5Text(encoder, _cached(AutoTokenizer, config.text, "text"), config.text_length)


def _qwen(folder: Path, device: torch.device) -> QwenText:
    from transformers import AutoTokenizer, Qwen3ForCausalLM  # load slowly, and only this reader needs them

    encoder = part_of(Qwen3ForCausalLM, folder, "text_encoder", torch_dtype=_precision(device)).to(device)
    if not (folder / "tokenizer").is_dir():
        raise ValueError(f"{folder} has no folder tokenizer; latent.model must be a folder with a whole FLUX.2 klein")
    return QwenText(encoder, AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True), LENGTH)


def _precision(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def _cached(kind, name: str, key: str, **options):
    safe = {"use_safetensors": True} if options else {}
    try:
        return kind.from_pretrained(name, local_files_only=True, **safe, **options)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{name} (embeddings.{key}) is neither a folder nor in the Hugging Face cache as a {kind.__name__}; fetch it once"
            f" with `hf download {name}`, or leave embeddings out to take those of the evaluator that is trained here"
        ) from error
