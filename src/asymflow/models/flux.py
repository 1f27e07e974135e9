"""FLUX.2's transformer as a network of tokens, a noise level and captions; made, lifted into pixels, and adapted.

One class serves every scale: the small one that is trained here, and the published one.

Letters in shapes: b images, n image tokens in raster order, d numbers of each, l text tokens, e channels of each.
"""

from contextlib import nullcontext
from pathlib import Path

import torch
from diffusers import Flux2Transformer2DModel
from jaxtyping import Float
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from asymflow.config.flux import AXES
from asymflow.config.flux import Flux as Config
from asymflow.config.start import Adapter, Head
from asymflow.models.condition import Condition, Shapes
from asymflow.models.ddt import DecoderHead
from asymflow.models.layers import begin_as
from asymflow.models.lift import fuse_input, fuse_output
from asymflow.models.pretrained import part_of


class Flux(nn.Module):
    """Takes noisy tokens, their noise level and a caption; gives o numbers for each token, as many as it takes.

    The tokens of the empty caption stand for a hidden one, as in the training of FLUX.2. The noise level stays float32; LakonLab
    rounds it to bfloat16 first, which leaves 29 different ones of the 32 of a sampling.
    """

    def __init__(self, flux: Flux2Transformer2DModel | PeftModel):
        super().__init__()
        self.flux = flux

    def forward(self, x: Float[Tensor, "b n d"], t: Float[Tensor, "b"], condition: Condition) -> Float[Tensor, "b n o"]:
        text = torch.where(condition.shows("caption")[:, None, None], condition.text, condition.empty)
        words = torch.zeros(text.shape[1], AXES, device=x.device)
        words[:, 3] = torch.arange(text.shape[1], device=x.device)
        # torch's fused attention takes a third of a step of few tokens on CPUs, written out it takes a tenth; but a block whose
        # activations are not kept is computed again outside of this context, and has to be computed alike
        written_out = x.device.type == "cpu" and not self.flux.gradient_checkpointing
        with sdpa_kernel(SDPBackend.MATH) if written_out else nullcontext():
            return self.flux(
                hidden_states=x,
                encoder_hidden_states=text,
                timestep=t,
                img_ids=grid_positions(*condition.grid).to(x.device),
                txt_ids=words,
                return_dict=False,
            )[0]

    @property
    def width(self) -> int:
        """Channels of a token between the blocks."""
        return self.embed.out_features

    @property
    def embed(self) -> nn.Module:
        """The layer that reads tokens."""
        return self.flux.x_embedder

    @property
    def blocks(self) -> list[nn.Module]:
        """All blocks in order; the first ones keep image and text apart, and all give the image tokens last."""
        return [*self.flux.transformer_blocks, *self.flux.single_transformer_blocks]

    @torch.no_grad()
    def start_from(self, directions: Float[Tensor, "d k"]) -> None:
        """Starts the first k channels of the first layer as the k given orthonormal directions; none are frozen."""
        begin_as(self.flux.x_embedder, directions)


class HeadedFlux(Flux):
    """The same with a wide head in place of the last layers: the head reads the patches and what the network made of them."""

    def __init__(self, flux: Flux2Transformer2DModel | PeftModel, head: DecoderHead):
        super().__init__(flux)
        self.head = head

    def forward(self, x: Float[Tensor, "b n d"], t: Float[Tensor, "b"], condition: Condition) -> Float[Tensor, "b n d"]:
        positions = grid_positions(*condition.grid).to(x.device)
        return self.head(x, super().forward(x, t, condition), positions)


class _Unchanged(nn.Module):
    """Stands where a layer was that took the hidden tokens and a condition."""

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        return hidden


def grid_positions(rows: int, columns: int) -> Float[Tensor, "{rows*columns} 4"]:
    """The rotary positions of image tokens in raster order: (0, row, column, 0)."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    positions = torch.zeros(rows * columns, AXES)
    positions[:, 1], positions[:, 2] = row.flatten(), column.flatten()
    return positions


def build(
    config: Config,
    *,
    dimension: int,
    grid: tuple[int, int],
    shapes: Shapes,
    generator: torch.Generator | None,
    checkpointing: bool,
) -> Flux:
    """A network with random weights for tokens of `dimension` numbers; it takes any grid.

    The last layer and all modulations start at zero, so that every block starts as the identity and the output as zero. Takes
    its random numbers from torch's global generator, as diffusers does, and not from `generator`.
    """
    flux = Flux2Transformer2DModel(
        in_channels=dimension,
        num_layers=config.double_blocks,
        num_single_layers=config.single_blocks,
        attention_head_dim=config.head_width,
        num_attention_heads=config.heads,
        joint_attention_dim=shapes.caption[1],
        mlp_ratio=config.mlp_ratio,
        axes_dims_rope=(config.head_width // AXES,) * AXES,
        guidance_embeds=False,
    )
    for layer in (
        flux.double_stream_modulation_img.linear,
        flux.double_stream_modulation_txt.linear,
        flux.single_stream_modulation.linear,
        flux.norm_out.linear,
        flux.proj_out,
    ):
        nn.init.zeros_(layer.weight)
    if checkpointing:
        flux.enable_gradient_checkpointing()
    return Flux(flux)


def outline(folder: Path, *, dimension: int, shapes: Shapes, checkpointing: bool) -> Flux:
    """The FLUX.2 in a folder in the format of diffusers, without its weights. Raises as `pretrained` does."""
    config = Flux2Transformer2DModel.load_config(folder / "transformer", local_files_only=True)
    return _checked(Flux2Transformer2DModel.from_config(config), folder, dimension, shapes, checkpointing)


def pretrained(folder: Path, *, dimension: int, shapes: Shapes, precision: torch.dtype, checkpointing: bool) -> Flux:
    """The FLUX.2 in a folder in the format of diffusers. Raises ValueError when its tokens are not those of latents and
    captions."""
    flux = part_of(Flux2Transformer2DModel, folder, "transformer", torch_dtype=precision)
    return _checked(flux, folder, dimension, shapes, checkpointing)


def _checked(flux: Flux2Transformer2DModel, folder: Path, dimension: int, shapes: Shapes, checkpointing: bool) -> Flux:
    for what, given, expected in (
        ("image tokens", dimension, flux.config.in_channels),
        ("text tokens", shapes.caption[1], flux.config.joint_attention_dim),
    ):
        if given != expected:
            raise ValueError(
                f"the transformer in {folder} takes {what} of {expected} numbers, but those encoded here have {given}; all parts"
                " of latent.model must come from one model"
            )
    if checkpointing:
        flux.enable_gradient_checkpointing()
    return Flux(flux)


def lift(network: Flux, A: Float[Tensor, "D d"]) -> None:
    """Makes a network of latent tokens one of pixel patches, in place: A and its transpose join the outer layers."""
    flux = network.flux
    flux.x_embedder, flux.proj_out = fuse_input(flux.x_embedder, A), fuse_output(flux.proj_out, A)
    flux.register_to_config(in_channels=A.shape[0], out_channels=A.shape[0])


def behead(network: Flux, A: Float[Tensor, "D d"], head: Head) -> HeadedFlux:
    """A network of latent tokens with its first layer lifted and its last ones replaced by a decoder head for pixel patches."""
    flux = network.flux
    width = flux.x_embedder.out_features
    flux.x_embedder, flux.norm_out, flux.proj_out = fuse_input(flux.x_embedder, A), _Unchanged(), nn.Identity()
    flux.register_to_config(in_channels=A.shape[0], out_channels=width)
    made = DecoderHead(patch=A.shape[0], network=width, width=head.width, heads=head.heads, blocks=head.blocks)
    return HeadedFlux(flux, made)


def adapt(network: Flux, adapter: Adapter) -> None:
    """Freezes the network, in place, but for low-rank adapters and the outer layers; it still gives what it gave.

    The frozen network stays within: `frozen` gives it back, and both share all that is not trained. Raises ValueError when no
    layer has one of the names.
    """
    blocks = range(len(network.flux.single_transformer_blocks))
    single = [f"single_transformer_blocks.{i}.{name}" for i in blocks for name in adapter.single_targets]
    names = [name for name, _ in network.flux.named_modules()]
    for wanted in (*adapter.targets, *adapter.full):
        if not any(name == wanted or name.endswith(f".{wanted}") for name in names):
            raise ValueError(
                f"no layer of the network is called {wanted!r}; see the names in diffusers' Flux2Transformer2DModel"
            )
    network.flux = get_peft_model(
        network.flux,
        LoraConfig(
            r=adapter.rank,
            lora_alpha=adapter.alpha,
            lora_dropout=adapter.dropout,
            init_lora_weights="gaussian",
            target_modules=[*adapter.targets, *single],
            modules_to_save=list(adapter.full),
        ),
    )


def frozen(network: Flux):
    """Within this context an adapted network is the one that it was before: neither adapters nor trained layers."""
    return network.flux.disable_adapter()
