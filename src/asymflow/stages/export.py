"""Writes a finetuned text-to-image run in the format of diffusers.

python -m asymflow.stages.export --model results/runs/asymflow/seed0/model.safetensors
    --start results/runs/latent_base/seed0/model.safetensors --out results/runs/asymflow/seed0/diffusers
"""

import argparse
import shutil
from pathlib import Path

import torch

from asymflow.config.text_arm import TextArm
from asymflow.models.export import export
from asymflow.models.text_model import assemble, restore
from asymflow.training import text_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--start", type=Path, nargs="?", help="the model whose weights it was trained from")
    parser.add_argument(
        "--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers that it started from"
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    arguments = parser.parse_args()
    weights, lift, told = text_checkpoint.load(arguments.model)
    arm = TextArm.model_validate(told["arm"])
    start = text_checkpoint.load_weights(arguments.start) if arguments.start else None
    model = assemble(arm, lift, text=told["text"], folder=arguments.folder, start=start, precision=torch.float32)
    restore(model, weights)
    partial = arguments.out.with_name(f".{arguments.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    export(model, arm, lift, partial)
    shutil.rmtree(arguments.out, ignore_errors=True)
    partial.rename(arguments.out)


if __name__ == "__main__":
    main()
