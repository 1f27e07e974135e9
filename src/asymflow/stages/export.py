"""Writes a finetuned FLUX.2 run in the format of diffusers.

python -m asymflow.stages.export --model results/runs/asymflow/seed0/model.safetensors
    --start results/runs/latent_base/seed0/model.safetensors --out results/runs/asymflow/seed0/diffusers
"""

import argparse
from pathlib import Path

from asymflow.command import run
from asymflow.config.sampling import Sampling
from asymflow.files import folder
from asymflow.models.export import export
from asymflow.sampling.run import Files, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--start", type=Path, nargs="?", help="the model whose weights it began with")
    parser.add_argument("--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers that it began with")
    parser.add_argument("--latents", type=Path, nargs="?", help="what decodes latents, for an arm of these")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    arguments = parser.parse_args()
    settings = Sampling(precision="float32", compile="off")
    run = load(arguments.model, settings, Files(arguments.start, arguments.folder, arguments.latents))
    with folder(arguments.out) as temporary:
        export(run.model, run.arm, run.lift, temporary)


if __name__ == "__main__":
    run(main)
