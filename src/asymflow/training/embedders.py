"""What arms of prx-tg are conditioned on: captions as tokens, images as one embedding and patch tokens.

    reader.text(captions)     tokens (m, l, e) and which of them are the caption's (m, l); every caption has l of them
    viewer.image(pixels)      embedding (m, g) and patch tokens (m, n, q) of pixels (m, 3, h, w) in [-1, 1]

Letters in shapes: m captions or images, l text tokens, e their channels, g channels of the embedding, n patch tokens, q channels.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from asymflow.config.embeddings import Embeddings
from asymflow.metrics.text import TextTower
from asymflow.metrics.tower import load as load_tower
from asymflow.training.teachers import IMAGENET_MEAN, IMAGENET_STD, resized


@runtime_checkable
class TextEmbedder(Protocol):
    """See the head of this module."""

    def text(self, captions: list[str]) -> tuple[Float[Tensor, "m l e"], Bool[Tensor, "m l"]]: ...


@runtime_checkable
class ImageEmbedder(Protocol):
    """See the head of this module."""

    def image(self, pixels: Float[Tensor, "m 3 h w"]) -> tuple[Float[Tensor, "m g"], Float[Tensor, "m n q"]]: ...


class TowerText:
    """The text tower of the local evaluator."""

    def __init__(self, tower: TextTower):
        self.tower = tower

    def text(self, captions: list[str]) -> tuple[Float[Tensor, "m l e"], Bool[Tensor, "m l"]]:
        tokens, lengths = self.tower.tokens(captions), torch.tensor(self.tower.lengths(captions))
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

    @torch.no_grad()
    def text(self, captions: list[str]) -> tuple[Float[Tensor, "m l e"], Bool[Tensor, "m l"]]:
        read = self.tokenizer(
            captions, padding="max_length", truncation=True, max_length=self.length, return_tensors="pt"
        ).to(self.encoder.device)
        tokens = self.encoder(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).last_hidden_state
        return tokens.float(), read["attention_mask"].bool()


class DinoImages:
    """DINOv3: class token and patch tokens; between the two stand register tokens, which are no place of the image."""

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


def load(config: Embeddings, evaluator, device: torch.device) -> tuple[TextEmbedder, ImageEmbedder]:
    """The readers of a configuration: the towers in the file `evaluator`, or published networks from the Hugging Face cache.

    Nothing is downloaded. Raises ValueError when a network is not there.
    """
    if config.text is None:
        tower, told = load_tower(evaluator)
        return TowerText(TextTower.load(evaluator, device)), TowerImages(tower, told.image_size, device)
    from transformers import (
        AutoTokenizer,
        DINOv3ViTModel,
        T5EncoderModel,
    )  # load slowly, and only these readers need them

    precision = torch.bfloat16 if device.type == "cuda" else torch.float32
    encoder = _cached(T5EncoderModel, config.text, "text", torch_dtype=precision).to(device)
    network = _cached(DINOv3ViTModel, config.image, "image", torch_dtype=precision).to(device)
    tokenizer = _cached(AutoTokenizer, config.text, "text")
    return T5Text(encoder, tokenizer, config.text_length), DinoImages(network)


def _cached(kind, name: str, key: str, **options):
    safe = {"use_safetensors": True} if options else {}
    try:
        return kind.from_pretrained(name, local_files_only=True, **safe, **options)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{name} (embeddings.{key}) is neither a folder nor in the Hugging Face cache as a {kind.__name__}; fetch it once"
            f" with `hf download {name}`, or leave embeddings out to take those of the evaluator that is trained here"
        ) from error
