"""The text tower of the local evaluator: tokens that a text-to-image model reads, and captions beside images.

Letters in shapes: m captions, l tokens of each, c channels of a token, e the space that captions and images share.
"""

from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from open_clip.model import CLIP
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image
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
        description = tensors.describe(path, "evaluator")
        clip = network.build(Config.model_validate(description["config"]), description["context_length"])
        loaded = tensors.load(path, "evaluator")  # all of it: a file with damage anywhere is not used
        clip.load_state_dict(
            {name.removeprefix(PREFIX): value for name, value in loaded.items() if name.startswith(PREFIX)}
        )
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

    def lengths(self, captions: list[str]) -> list[int]:
        """How many tokens each caption has, cut or not."""
        pieces = SimpleTokenizer().encode
        return [len(pieces(caption)) + 2 for caption in captions]  # a start and an end join them

    def _numbers(self, captions: list[str]) -> Tensor:
        numbers = network.tokenize(captions, self.length)
        return pad(numbers, (0, self.length - numbers.shape[1])).to(self.device)


class OpenClip:
    """The published judge of CLIP scores: OpenAI's ViT-L/14 at 336 pixels, through open_clip; whole images, centre crop."""

    NAME, WEIGHTS = "ViT-L-14-336-quickgelu", "openai"

    def __init__(self, clip: CLIP, preprocess, device: torch.device):
        self.clip, self.preprocess, self.device = clip.to(device).eval().requires_grad_(False), preprocess, device

    @classmethod
    def load(cls, device: torch.device) -> "OpenClip":
        """The network from the Hugging Face cache; nothing is downloaded. Raises ValueError when it is not there."""
        import open_clip
        from huggingface_hub import try_to_load_from_cache

        repository = open_clip.get_pretrained_cfg(cls.NAME, cls.WEIGHTS)["hf_hub"].strip("/")
        path = try_to_load_from_cache(repository, "open_clip_model.safetensors")
        if not isinstance(path, str):
            raise ValueError(
                f"the CLIP that scores captions is not in the Hugging Face cache; fetch it once with `hf download {repository}`,"
                " or configure 'evaluators: local'"
            )
        clip, _, preprocess = open_clip.create_model_and_transforms(cls.NAME, pretrained=path)
        return cls(clip, preprocess, device)

    @torch.no_grad()
    def images(self, images: UInt8[Tensor, "m 3 h w"]) -> Float[Tensor, "m e"]:
        """The images in the space that they share with captions."""
        pictures = [self.preprocess(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in images]
        return self.clip.encode_image(torch.stack(pictures).to(self.device)).float()

    @torch.no_grad()
    def embeddings(self, captions: list[str]) -> Float[Tensor, "m e"]:
        """The captions in that space."""
        numbers = network.tokenize(captions, self.clip.context_length)
        padded = pad(numbers, (0, self.clip.context_length - numbers.shape[1]))
        return self.clip.encode_text(padded.to(self.device)).float()


def clip_scores(images: Float[Tensor, "m e"], captions: Float[Tensor, "m e"]) -> Float[Tensor, "m"]:
    """The cosine between each image and its caption, in the space that they share.        [Hessel et al. 2021, unscaled]

    From -1 to 1; published tables give it as it is (0.28) or times 100.
    """
    return (normalize(images, dim=1) * normalize(captions, dim=1)).sum(1)
