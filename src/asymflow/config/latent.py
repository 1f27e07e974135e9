"""Configuration of the latent model that text-to-image arms begin with, and the check of its folder."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from asymflow.config.arm import Arm
from asymflow.config.place import Place
from asymflow.config.representation import CHANNELS
from asymflow.config.section import Section

PARTS = ("vae", "text_encoder", "transformer")  # with weights
FILES = ("model_index.json", *(f"{part}/config.json" for part in PARTS), "tokenizer/tokenizer_config.json")
SIDE = 2  # positions of the latents that a token has in each direction


class Latent(Section):
    """Where autoencoder, text encoder and transformer come from."""

    model: Place | None = None
    """A folder with a FLUX.2 klein in the format of diffusers (vae, text_encoder, tokenizer, transformer). None: they are trained
    here, and the evaluator's text tower reads captions."""


def check(latent: Latent, arms: Mapping[str, Arm]) -> None:
    """Raises ValueError when `latent.model` is not a folder with a whole FLUX.2 klein, or its tokens are not patches of the arms,
    which are those that are asked for.

    Looks at names and configurations alone, so that a mistake costs no job.
    """
    if latent.model is None:
        return
    folder = Path(latent.model)
    missing = [file for file in FILES if not (folder / file).is_file()] or list(_missing_weights(folder))
    if missing:
        problem = f"lacks {', '.join(missing)}" if folder.is_dir() else f"is not a folder (looked in {Path.cwd()})"
        raise ValueError(
            f"latent.model is {latent.model!r}, which {problem}; expected a folder with a whole FLUX.2 klein: get it once with"
            " `hf download black-forest-labs/FLUX.2-klein-base-9B --local-dir FOLDER` (it is gated: accept its licence on its"
            " page and log in with `hf auth login` first), or leave latent.model out to train a small latent model here"
        )
    vae = json.loads((folder / "vae/config.json").read_text(encoding="utf-8"))
    try:
        spanned, token = SIDE * 2 ** (len(vae["block_out_channels"]) - 1), SIDE**2 * vae["latent_channels"]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / 'vae/config.json'} does not describe an autoencoder of FLUX.2 ({error}); expected block_out_channels and"
            " latent_channels: fetch the folder again"
        ) from error
    for name, arm in arms.items():
        size = arm.representation.patch_size
        if size != spanned and (arm.lifted or arm.needs_latents):
            raise ValueError(
                f"arm {name!r} has patches of {size} x {size} pixels, but a latent token of {folder} spans {spanned} x {spanned}:"
                f" the grids of tokens do not match; set its representation.patch_size to {spanned}"
            )
    if token > CHANNELS * spanned**2:
        raise ValueError(
            f"a latent token of {folder} has {token} numbers, but the pixel patch that it spans only {CHANNELS * spanned**2}"
            f" ({spanned} x {spanned} x {CHANNELS}): nothing lifts it; set latent.model to one with fewer latent_channels"
        )


def _missing_weights(folder: Path) -> Iterator[str]:
    """Weights that a download has not brought: those in an index, or any at all."""
    for part in PARTS:
        listed = [
            json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            for index in (folder / part).glob("*.safetensors.index.json")
        ]
        wanted = {file for files in listed for file in files.values()}
        if wanted:
            yield from (f"{part}/{file}" for file in sorted(wanted) if not (folder / part / file).is_file())
        elif not list((folder / part).glob("*.safetensors")):
            yield f"{part}/*.safetensors"
