"""The text tower of the local evaluator: tokens that a text-to-image model reads, and captions beside images.

Letters in shapes: m captions, l tokens of each, c channels of a token, e the space that captions and images share.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from open_clip.model import CLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor
from torch.nn.functional import normalize, pad

from asymflow import tensors
from asymflow.config.evaluator import Evaluator as Config
from asymflow.metrics import clip as network

PREFIX = "clip."  # of the network's weights in an evaluator's file


class TextTower:
    """Reads captions. All have the same length, end in the same padding, and the padding is read too, as FLUX.2 does."""

    def __init__(self, clip: CLIP, device: torch.device):
        self.clip, self.device = clip.to(device).eval().requires_grad_(False), device
        self.length: int = clip.context_length
        self.width: int = clip.ln_final.normalized_shape[0]

    @classmethod
    def load(cls, path: Path, device: torch.device) -> "TextTower":
        """The tower in a file of stage fit_evaluator. Raises ValueError for any other file."""
        told, _ = tensors.describe(path)
        if told.get("kind") != "evaluator":
            raise ValueError(f"{path} holds a {told.get('kind')!r}, not an evaluator; stage fit_evaluator writes one")
        clip = network.build(Config.model_validate(told["config"]), told["context_length"])
        found = tensors.load(path, lambda name: name.startswith(PREFIX))
        clip.load_state_dict({name.removeprefix(PREFIX): value for name, value in found.items()})
        return cls(clip, device)

    @torch.no_grad()
    def tokens(self, captions: list[str]) -> Float[Tensor, "m l c"]:
        """What the tower makes of every word piece, before it is pooled. Each sees only what comes before it."""
        kept: list[Tensor] = []
        handle = self.clip.ln_final.register_forward_hook(lambda module, inputs, output: kept.append(output))
        try:
            self.clip.encode_text(self._numbers(captions))
        finally:
            handle.remove()
        return kept[0]

    @torch.no_grad()
    def embeddings(self, captions: list[str]) -> Float[Tensor, "m e"]:
        """The captions in the space that they share with images, of length 1."""
        return self.clip.encode_text(self._numbers(captions), normalize=True)

    def cut(self, captions: list[str]) -> int:
        """How many captions are longer than the tower reads; the rest of these is lost to it."""
        pieces = SimpleTokenizer().encode
        return sum(len(pieces(caption)) + 2 > self.length for caption in captions)  # a start and an end join them

    def _numbers(self, captions: list[str]) -> Tensor:
        numbers = network.tokenize(captions, self.length)
        return pad(numbers, (0, self.length - numbers.shape[1])).to(self.device)


def clip_scores(images: Float[Tensor, "m e"], captions: Float[Tensor, "m e"]) -> Float[Tensor, "m"]:
    """The cosine between each image and its caption, in the space that they share.        [Hessel et al. 2021, unscaled]

    From -1 to 1; published tables give it as it is (0.28) or times 100.
    """
    return (normalize(images, dim=1) * normalize(captions, dim=1)).sum(1)
