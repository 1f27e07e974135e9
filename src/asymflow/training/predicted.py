"""What losses on images look at: the predicted clean image, where its noise level lets it say something.

At high noise the prediction is the mean of many images, which no network that knows images takes for one: there such a loss only
asks for detail that cannot be known.  [PixelGen, arXiv 2602.02493]

Letters in shapes: b images, n tokens, D numbers of each, H and W pixels.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from asymflow.config.arm import Arm
from asymflow.data.tokens import to_pixels
from asymflow.flow.path import denoised, interpolate
from asymflow.training.example import Example

# distance(images, images) -> how different they are, one number each; both (b, 3, H, W), RGB in [-1, 1]
Distance = Callable[[Tensor, Tensor], Tensor]


def predicted_pixels(example: Example, u_hat: Float[Tensor, "b n D"], arm: Arm) -> Float[Tensor, "b 3 H W"]:
    """x_0 as the predicted velocity has it, in RGB in [-1, 1] or a little beyond, whatever colour space the arm works in."""
    x_hat = denoised(interpolate(example.x_0, example.eps, example.t), u_hat, example.t)
    return to_pixels(x_hat, example.condition.grid, arm)


def gated_mean(
    distance: Distance,
    predicted: Float[Tensor, "b 3 H W"],
    example: Example,
    gate: float,
) -> Float[Tensor, ""]:
    """The mean distance over the images with t <= gate; exactly 0, without gradient, where there are none.

    Of a batch that comes in parts, the mean over the parts, by their sizes, is that over the whole batch: each divides by the
    number of images that would pass in it if they were spread evenly. The other images are not looked at, so that nothing about
    them, not even a gradient that is not finite, reaches the mean.
    """
    passes, levels = example.t <= gate, example.t if example.levels is None else example.levels
    if not passes.any():
        return example.t.new_zeros(())
    expected = (levels <= gate).sum() * (len(passes) / len(levels))
    return distance(predicted[passes], example.pixels[passes]).sum() / expected
