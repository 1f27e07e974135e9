"""What text-to-image models read: captions as tokens, by the evaluator's text tower or by FLUX.2's text encoder. One interface.

    reader.tokens(captions)    tokens (m, l, e); every caption has the same number l of them

Letters in shapes: m captions, l tokens of each, e channels of a token.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.metrics.text import TextTower
from asymflow.models.latents import pretrained

LENGTH = 512  # tokens that FLUX.2 klein reads of a caption


@runtime_checkable
class TextReader(Protocol):
    """See the head of this module."""

    def tokens(self, captions: list[str]) -> Float[Tensor, "m l e"]: ...


class QwenReader:
    """FLUX.2 klein's text encoder, through diffusers' own pipeline: three of its layers side by side."""

    def __init__(self, encoder, tokenizer, length: int):
        self.encoder, self.tokenizer, self.length = encoder, tokenizer, length
        deep = encoder.config.num_hidden_layers
        # klein's layers; a smaller encoder has its own at the same shares of its depth
        self.layers = [9, 18, 27] if deep >= 27 else [max(1, deep // 4), max(1, deep // 2), max(1, 3 * deep // 4)]

    @classmethod
    def load(cls, folder: Path, device: torch.device, length: int = LENGTH) -> "QwenReader":
        """The encoder and tokenizer of a FLUX.2 klein in the format of diffusers. Raises ValueError when they are not there."""
        from transformers import AutoTokenizer, Qwen3ForCausalLM  # loads slowly, and only this reader needs it

        precision = torch.bfloat16 if device.type == "cuda" else torch.float32
        encoder = pretrained(Qwen3ForCausalLM, folder, "text_encoder", torch_dtype=precision).to(device)
        if not (folder / "tokenizer").is_dir():
            raise ValueError(
                f"{folder} has no folder tokenizer; latent.model must be a folder with a whole FLUX.2 klein"
            )
        return cls(encoder, AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True), length)

    @torch.no_grad()
    def tokens(self, captions: list[str]) -> Float[Tensor, "m l e"]:
        from diffusers import Flux2KleinPipeline

        return Flux2KleinPipeline._get_qwen3_prompt_embeds(
            self.encoder,
            self.tokenizer,
            captions,
            max_sequence_length=self.length,
            hidden_states_layers=self.layers,
        ).float()


def load(path: Path, device: torch.device) -> TextReader:
    """The reader in a file of stage fit_evaluator, or in a folder with a FLUX.2 klein in the format of diffusers."""
    return QwenReader.load(path, device) if path.is_dir() else TextTower.load(path, device)
