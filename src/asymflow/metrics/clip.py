"""The local evaluator's CLIP: our image tower beside the text tower, tokenizer and loss of open_clip.

Letters in shapes: m captions.
"""

from jaxtyping import Int
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, channels_last

from asymflow.config.evaluator import Evaluator
from asymflow.metrics.tower import ImageTower


def build(config: Evaluator, context_length: int) -> CLIP:
    """The untrained CLIP, with room for captions of so many tokens."""
    vision = CLIPVisionCfg(layers=1, width=64, patch_size=config.image_size, image_size=config.image_size)  # replaced
    text = CLIPTextCfg(
        context_length=context_length, width=config.text_width, heads=config.text_heads, layers=config.text_depth
    )
    clip = CLIP(config.embedding, vision, text)
    clip.visual = ImageTower(config).to(memory_format=channels_last)
    return clip


def tokenize(captions: list[str], longest: int) -> Int[Tensor, "m length"]:
    """Token numbers of the captions, as wide as the longest of them and at most `longest`."""
    tokens = SimpleTokenizer(context_length=longest)(captions)
    return tokens[:, : int((tokens != 0).sum(1).max())]
