"""Parts of published models in the format of diffusers, from a folder. Nothing is downloaded."""

from pathlib import Path


def part_of(kind: type, folder: Path, part: str, **options):
    """A part of a model in the format of diffusers, from the folder alone, safetensors only, frozen.

    Raises ValueError when it is missing there.
    """
    if not (folder / part / "config.json").is_file():
        raise ValueError(
            f"{folder / part} has no config.json; latent.model must be a folder with a whole FLUX.2 klein: get it once with"
            " `hf download black-forest-labs/FLUX.2-klein-base-9B --local-dir FOLDER` (a gated model: accept its licence"
            " and log in with `hf auth login` first)"
        )
    try:
        loaded = kind.from_pretrained(folder / part, local_files_only=True, use_safetensors=True, **options)
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder / part} cannot be loaded as a {kind.__name__}: {error}") from error
    return loaded.eval().requires_grad_(False)
