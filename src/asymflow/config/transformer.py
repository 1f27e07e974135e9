"""Configuration of the text-to-image transformer and of the way it is finetuned."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section

AXES = 4  # of FLUX.2's rotary positions: time, row, column, place in the text


class Transformer(Section):
    """Dimensions of a FLUX.2 transformer, where it is trained here; the defaults train in minutes on two cores."""

    heads: PositiveInt = 4
    """Attention heads."""

    head_width: PositiveInt = 48
    """Channels of a head; a multiple of 8, because four axes of positions share them in pairs."""

    double_blocks: PositiveInt = 1
    """Blocks in which image and text have weights of their own."""

    single_blocks: PositiveInt = 4
    """Blocks that both share."""

    mlp_ratio: PositiveFloat = 3.0
    """Hidden channels of an MLP for each channel of a token."""

    @model_validator(mode="after")
    def _consistent(self) -> "Transformer":
        if self.head_width % (2 * AXES):
            raise ValueError(f"head_width is {self.head_width}; expected a multiple of {2 * AXES}")
        return self


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
