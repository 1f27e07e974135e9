"""Scores the samples of one run by a published protocol.

python -m asymflow.stages.protocol --protocol adm --folder models --reference models/VIRTUAL_imagenet256_labeled.npz
    --samples samples.npy --summary samples.json --out adm.json
"""

import argparse
from pathlib import Path
from typing import get_args

from asymflow import documents, machine, parts
from asymflow.command import run
from asymflow.config.protocols import Protocol
from asymflow.data import drawn
from asymflow.files import checksum
from asymflow.protocols import reference as references
from asymflow.protocols.gather import batches, gather


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=get_args(Protocol), required=True)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the published networks")
    parser.add_argument(
        "--reference", type=Path, required=True, help=".npz of published statistics, or of stage protocol_reference"
    )
    parser.add_argument("--samples", type=Path, required=True, help="uint8 array of (n, h, w, 3)")
    parser.add_argument("--summary", type=Path, required=True, help="what stage sample says of them")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    module = parts.load(parts.protocol(arguments.protocol))
    summary, reference = documents.read(arguments.summary, "sampling"), references.load(arguments.reference)
    first, last = summary["distribution"]
    samples = drawn.load(arguments.samples, arguments.summary)[first:last]
    if len(samples) < 2:
        raise ValueError(
            f"{arguments.samples} holds {len(samples)} samples of the distribution; a protocol needs 2 or more"
        )
    network = module.NETWORK(arguments.folder, machine.device())

    real = (
        None if reference.images is None else gather(module, network, batches(reference.images), len(reference.images))
    )
    seen = gather(module, network, batches(samples), len(samples))
    if (given := seen["features"].shape[1]) != len(reference.mu):
        raise ValueError(f"{reference.path} is of features of {len(reference.mu)} numbers, but the network has {given}")
    card = {
        "metrics": module.compare(seen, reference, real),
        "samples": len(samples),
        "reference": reference.path.name,
        "reference_checksum": checksum(reference.path),
        "reference_images": None if reference.images is None else len(reference.images),
        "evaluator": arguments.protocol,
        "file": summary["file"],
        **parts.of_protocol(arguments.protocol).record(),
    }
    documents.write(arguments.out, "score", card)


if __name__ == "__main__":
    run(main)
