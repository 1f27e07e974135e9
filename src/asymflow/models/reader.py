"""What of a condition becomes tokens: captions, image embeddings, patch tokens and joints at the width of a network.

Learned null tokens stand for what is hidden. A network has only the parts that it is conditioned on.

Letters in shapes: b images, w channels, l text tokens, m patch tokens, k joints.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from asymflow.models.condition import Condition, Shapes

DETECTED = 0.05  # joints with less confidence count as undetected


class Joints(nn.Module):
    """Body joints as tokens: place and confidence through a small MLP plus what joint it is; undetected ones are null tokens."""

    def __init__(self, joints: int, width: int):
        super().__init__()
        self.place = nn.Sequential(nn.Linear(3, width), nn.GELU(), nn.Linear(width, width))
        self.kind = nn.Parameter(torch.empty(joints, width))
        self.null = nn.Parameter(torch.zeros(1, joints, width))

    def forward(self, joints: Float[Tensor, "b k 3"], present: Bool[Tensor, " b"]) -> Float[Tensor, "b k w"]:
        seen = (joints[..., 2:] >= DETECTED) & present[:, None, None]
        return torch.where(seen, self.place(joints) + self.kind, self.null)

    def initialise(self, generator: torch.Generator | None) -> None:
        """What joint it is, from N(0, 1), as in prx-tg."""
        nn.init.normal_(self.kind, generator=generator)


class Reader(nn.Module):
    """One matrix for each part; the null tokens, which begin at zero, are of the part's own channels."""

    def __init__(self, shapes: Shapes, width: int):
        super().__init__()
        self.shapes = shapes
        if channels := shapes.caption[1]:
            self.read_caption = nn.Linear(channels, width)
            self.no_caption = nn.Parameter(torch.zeros(1, 1, channels))
        if shapes.embedding:
            self.read_embedding = nn.Linear(shapes.embedding, width)
            self.no_embedding = nn.Parameter(torch.zeros(1, shapes.embedding))
        if channels := shapes.patches[1]:
            self.read_patches = nn.Linear(channels, width)
            self.no_patches = nn.Parameter(torch.zeros(1, 1, channels))
        if shapes.joints:
            self.joints = Joints(shapes.joints, width)

    def embedding(self, condition: Condition) -> Float[Tensor, "b w"]:
        """The image embedding as one vector."""
        shown = condition.shows("embedding")[:, None]
        return self.read_embedding(torch.where(shown, condition.embedding, self.no_embedding))

    def caption(self, condition: Condition) -> Float[Tensor, "b l w"]:
        """The caption's tokens, padding included."""
        shown = condition.shows("caption")[:, None, None]
        return self.read_caption(torch.where(shown, condition.text, self.no_caption))

    def unpadded_caption(self, condition: Condition) -> Float[Tensor, "b l w"]:
        """The same with null tokens for padding, for networks whose attention has no mask."""
        shown = (condition.shows("caption")[:, None] & condition.mask)[..., None]
        return self.read_caption(torch.where(shown, condition.text, self.no_caption))

    def patches(self, condition: Condition) -> Float[Tensor, "b m w"]:
        """The image's patch tokens."""
        shown = condition.shows("patches")[:, None, None]
        return self.read_patches(torch.where(shown, condition.patches, self.no_patches))

    def tokens(self, condition: Condition) -> list[Float[Tensor, "b _ w"]]:
        """Caption, patch tokens and joints, as far as the network is conditioned on them."""
        sequences = []
        if self.shapes.caption[1]:
            sequences.append(self.unpadded_caption(condition))
        if self.shapes.patches[1]:
            sequences.append(self.patches(condition))
        if self.shapes.joints:
            sequences.append(self.joints(condition.joints, condition.shows("joints")))
        return sequences

    @property
    def count(self) -> int:
        """How many tokens these are."""
        return self.shapes.caption[0] + self.shapes.patches[0] + self.shapes.joints

    def initialise(self, generator: torch.Generator | None) -> None:
        """What is not drawn with the matrices of the whole network."""
        if self.shapes.joints:
            self.joints.initialise(generator)


class Label(nn.Module):
    """A class as a vector; the last row of the table stands for none."""

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.table = nn.Embedding(classes + 1, width)

    def forward(self, condition: Condition) -> Float[Tensor, "b w"]:
        nobody = self.table.num_embeddings - 1
        return self.table(torch.where(condition.shows("class"), condition.label, nobody))

    def initialise(self, generator: torch.Generator | None) -> None:
        """From N(0, 0.02^2)."""
        nn.init.normal_(self.table.weight, std=0.02, generator=generator)
