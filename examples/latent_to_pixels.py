"""A latent model of diffusers, lifted into pixels and finetuned there: a FLUX.2 transformer and its autoencoder, tiny and random.

python examples/latent_to_pixels.py --updates 500

It shows the steps: a random model of 32 channels draws no pictures, however long. Put yours into `latent_model`.

Any latent model whose first and last layers are linear is lifted in the same way: `af.fit_lift` from images and their tokens,
`af.fuse_input` and `af.fuse_output` for these two layers, `af.AsymFlow` around the result.
"""

import argparse
from copy import deepcopy
from pathlib import Path

import pictures
import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from torch import Tensor, nn

import asymflow as af

PACKED = 2  # latent positions on a side of a token
ORDER = "channel row column"  # in which FLUX.2 packs them


class Network(nn.Module):
    """FLUX.2 as network(x_t, t, text): it is called by names, and wants to know where tokens stand."""

    def __init__(self, flux: Flux2Transformer2DModel, grid: tuple[int, int]):
        super().__init__()
        self.flux = flux
        places = torch.cartesian_prod(*map(torch.arange, (1, *grid, 1)))
        self.register_buffer("places", places.float())

    def forward(self, x: Tensor, t: Tensor, text: Tensor) -> Tensor:
        words = torch.zeros(text.shape[1], 4, device=x.device)
        words[:, 3] = torch.arange(text.shape[1])
        return self.flux(
            x, encoder_hidden_states=text, timestep=t, img_ids=self.places, txt_ids=words, return_dict=False
        )[0]


def latent_model() -> tuple[AutoencoderKLFlux2, Flux2Transformer2DModel]:
    """The autoencoder and the transformer: put yours here, `from_pretrained(folder)`."""
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=32
    )
    flux = Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=24, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )  # fmt: skip
    return vae.eval(), flux


@torch.no_grad()
def encode(vae: AutoencoderKLFlux2, images: Tensor) -> Tensor:
    """The latent tokens of images, of about unit variance: FLUX.2 normalises by running statistics, this one by its own."""
    tokens = af.patchify(vae.encode(images).latent_dist.mode(), PACKED, ORDER)
    return (tokens - tokens.mean((0, 1))) / tokens.std((0, 1))


@torch.no_grad()
def coupling(
    latent: nn.Module, lifted: af.AsymFlow, lift: af.Subspace, text: Tensor, shape: tuple, steps: int
) -> float:
    """How far what the lifted model draws is, within the subspace, from s A z of what the latent one draws: 0 before finetuning.

    Both begin with the same noise, and step through noise levels t and tau = k t that mean the same.    [AsymFlow, theorem 1]
    """
    A, s, times = lift.basis.float(), lift.scale, torch.tensor(af.time_grid(steps))
    noise = torch.randn(len(text), *shape)
    taus = (af.calibration(times, s) * times).tolist()
    z = af.euler(lambda x, t: latent(x, torch.full((len(x),), t), text), noise @ A, taus)
    x = af.draw(lifted, noise, {"text": text}, solver="euler", steps=steps, sigma_min=0.0)
    return ((x @ A - s * z).norm() / (s * z).norm()).item()


def main() -> None:
    options = arguments()
    torch.manual_seed(0)
    images, labels = pictures.load(options.folder, options.size, count=600)
    vae, flux = latent_model()
    patch = PACKED * 2 ** (len(vae.config.block_out_channels) - 1)  # pixels that a token spans
    grid = options.size // patch, options.size // patch
    texts = torch.randn(int(labels.max()) + 1, 5, 24)  # in the place of an encoder's tokens: one text for each class

    batches = images.split(100)
    lift = af.fit_lift(((x, encode(vae, x)) for x in batches), patch_size=patch)
    print(f"lift of {lift.basis.shape[1]} numbers into {lift.basis.shape[0]}, scale {lift.scale:.3f}")
    latent = Network(deepcopy(flux), grid)
    flux.x_embedder = af.fuse_input(flux.x_embedder, lift.basis)
    flux.proj_out = af.fuse_output(flux.proj_out, lift.basis)
    model = af.AsymFlow(Network(flux, grid), lift)
    tokens = af.patchify(images, patch, ORDER)
    error = coupling(latent, model, lift, texts, tokens.shape[1:], options.steps)
    print(f"lifted: coupling error {error:.1e}", flush=True)

    optimiser = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.0)
    seen = []  # losses since they were last printed
    for update in range(1, options.updates + 1):
        chosen = torch.randint(len(tokens), (options.batch,))
        loss = af.loss(model, tokens[chosen], {"text": texts[labels[chosen]]})
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(loss.item())
        if update % max(1, options.updates // 10) == 0:
            print(f"update {update}: loss {sum(seen) / len(seen):.4f}", flush=True)
            seen = []

    wanted = texts[torch.arange(64) % len(texts)]
    drawn = af.draw(model.eval(), torch.randn(64, *tokens.shape[1:]), {"text": wanted}, steps=options.steps)
    pictures.save(af.unpatchify(drawn, grid, patch, ORDER), options.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="images, one subfolder for each class; drawn here if left out")
    for name, default in {"size": 32, "updates": 200, "batch": 32, "steps": 12}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--out", type=Path, default=Path("samples.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
