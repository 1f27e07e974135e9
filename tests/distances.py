"""Distances that a test can work out by hand, in the place of LPIPS."""

import torch

from asymflow.metrics.perceptual import Lpips


class Distance(Lpips):
    """The mean square difference of the colours of each pixel."""

    name = "lpips_local"

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.register_buffer("zero", torch.zeros(()))

    def forward(self, one, other):
        return (one - other).square().mean(1) + self.zero


class Given(Distance):
    """No distance: the mean colour of each pixel that it is given, of the other image ten times."""

    def forward(self, one, other):
        return (one + 10 * other).mean(1) + self.zero
