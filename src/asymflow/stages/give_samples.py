"""Writes samples as others read them: one .npz for ADM's evaluator, or PNG files in folders of a thousand.

python -m asymflow.stages.give_samples --samples samples.npy --summary samples.json --out samples.npz
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from asymflow import documents
from asymflow.command import run
from asymflow.data import drawn
from asymflow.files import folder, writing
from asymflow.progress import Progress

PART = 1000  # files in one folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a file that ends in .npz, or a folder")
    arguments = parser.parse_args()
    first, last = documents.read(arguments.summary, "sampling")["distribution"]
    samples = drawn.load(arguments.samples, arguments.summary)[first:last]
    if arguments.out.suffix == ".npz":
        with writing(arguments.out) as file:
            np.savez(file, arr_0=samples)
        return
    with folder(arguments.out) as made, Progress("png", len(samples), "images") as progress:
        for number, image in enumerate(samples):
            part = made / f"{number // PART:04d}"
            part.mkdir(exist_ok=True)
            Image.fromarray(image).save(part / f"{number:06d}.png")
            progress.advance(1)


if __name__ == "__main__":
    run(main)
