"""What a network begins as, and what of it is trained."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from asymflow.config.place import Place
from asymflow.config.section import Section


class Adapter(Section):
    """What finetuning trains: low-rank adapters inside the network, and some layers in full. All else is frozen."""

    rank: PositiveInt = 256
    """Rank of the adapters."""

    alpha: PositiveFloat = 256.0
    """The adapters' output is multiplied by alpha / rank."""

    dropout: NonNegativeFloat = Field(0.05, lt=1)
    """Share of an adapter's inputs dropped in training."""

    targets: tuple[str, ...] = (
        "ff.linear_in",
        "ff.linear_out",
        "ff_context.linear_in",
        "ff_context.linear_out",
        "timestep_embedder.linear_1",
        "timestep_embedder.linear_2",
    )
    """Layers with an adapter, by the end of their names; those of AsymFLUX.2."""

    single_targets: tuple[str, ...] = ("attn.to_out",)
    """Layers with an adapter within the blocks that image and text share."""

    full: tuple[str, ...] = ("x_embedder", "proj_out", "norm_out")
    """Layers at the ends of the network that are trained in full."""


class Head(Section):
    """A wide decoder head that predicts the velocity of pixels, the baseline of the paper's appendix B.2."""

    blocks: PositiveInt = 2
    """Transformer blocks; the paper's 2."""

    width: PositiveInt = 6144
    """Channels of a token in the head; the paper's 6144, at heads of 192."""

    heads: PositiveInt = 32
    """Attention heads of each block."""

    @model_validator(mode="after")
    def _consistent(self) -> "Head":
        if self.width % (4 * self.heads):
            raise ValueError(
                f"width is {self.width}; the channels of each of {self.heads} heads must be a multiple of 4, which two"
                " axes of positions share in pairs"
            )
        return self


class Released(Section):
    """Weights that others trained and published, in a file of theirs."""

    layout: Literal["asymjit", "jit", "asymflux2", "nanodit"]
    """Whose names the file has: asymjit (AsymFlow's, LakonLab), jit (LTH14's and LakonLab's copy), asymflux2 (the adapter of
    AsymFLUX.2, LakonLab), nanodit (prx-tg)."""

    file: Place = Field(min_length=1)
    """The file: .safetensors, or .pth of torch.save."""

    source: str = ""
    """Where it is to be had, which is said when it is not there."""


class Start(Section):
    """What the network begins as: random weights, unless one of these says otherwise."""

    pca: NonNegativeInt = 0
    """Channels of the patch embedding that begin as the first PCA directions, the others at random.

    It sets the beginning of training alone; the rank of the target is set elsewhere and is independent of it. The official code
    ties both.
    """

    run: str | None = None
    """The arm whose weights of the same seed it begins with. A FLUX.2 without one begins as that of `latent.model`, where one is
    given."""

    adapter: Adapter | None = None
    """What is trained of a FLUX.2; null trains the whole network."""

    head: Head | None = None
    """A decoder head in place of a FLUX.2's last layers; it predicts the full velocity of pixels."""

    released: Released | None = None
    """Weights that others trained: nothing is trained here, and `training` says what its makers did."""
