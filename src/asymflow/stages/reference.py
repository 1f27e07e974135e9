"""Gathers the statistics of the training images that all samples are compared with, and scores the held-out images:
the floor, what perfect samples would score.

python -m asymflow.stages.reference --config JSON --evaluator results/evaluator/local.safetensors
    --data results/data/train.json --heldout results/data/heldout.json --out OUT.safetensors --floor OUT.json
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from asymflow import documents, lineage, machine, provenance
from asymflow.command import run
from asymflow.config.scoring import Scoring
from asymflow.data.reader import ShardReader
from asymflow.metrics import evaluators, statistics
from asymflow.metrics.evaluators import Evaluator
from asymflow.metrics.report_card import report_card
from asymflow.metrics.statistics import Statistics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the scoring section as JSON")
    parser.add_argument("--evaluator", required=True, help="an evaluator's file, or 'inception'")
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--heldout", type=Path, required=True, help="index of the held-out split")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--floor", type=Path, required=True, help="the held-out images' scores")
    arguments = parser.parse_args()
    settings = Scoring.model_validate_json(arguments.config)
    train, heldout = ShardReader(arguments.data), ShardReader(arguments.heldout)
    lineage.check(heldout.path, heldout.set, train.path, train.set)
    for path, reader in ((arguments.data, train), (arguments.heldout, heldout)):
        if len(reader) < settings.smallest:
            raise ValueError(f"{path} has {len(reader)} images; the metrics need {settings.smallest} or more (scoring)")
    lineage.check_file(arguments.evaluator, "evaluator", train.path, train.set)
    evaluator = evaluators.load(arguments.evaluator, machine.device())

    reference, floor = (gather(evaluator, reader, settings) for reader in (train, heldout))
    for path, gathered in ((arguments.data, reference), (arguments.heldout, floor)):
        if not gathered.images.scatter.trace() > 0:
            raise ValueError(
                f"{path}: all its images look the same to the evaluator, so nothing can be measured; are they of one colour, or"
                " one image many times? look at results/figures/data.png"
            )
    card = report_card(reference, floor, evaluator.names, settings)
    card["class_accuracy"] = _accuracy(floor, heldout) if evaluator.name == "local" else None
    described = {"evaluator": evaluator.name, "evaluator_digest": evaluator.digest, "scoring": settings.model_dump()}
    described |= {"split": train.split, "source": train.source, "image_size": train.image_size, "data": train.set}
    statistics.save(reference, arguments.out, described | {"floor": card})
    card |= {**described, "split": heldout.split, **provenance.record("asymflow.stages.reference")}
    documents.write(arguments.floor, "score", card)


def gather(evaluator: Evaluator, reader: ShardReader, settings: Scoring) -> Statistics:
    """The statistics of a split."""
    start = time.perf_counter()
    kept = statistics.choose(len(reader), settings.kept, settings.seed)
    gathered = statistics.gather(
        evaluator,
        _batches(reader, settings.batch),
        kept,
        count=len(reader),
        seed=settings.seed,
        what=f"reference, {reader.split}",
    )
    print(f"{reader.split}: {len(reader) / (time.perf_counter() - start):.0f} images/s", flush=True)
    return gathered


def _batches(reader: ShardReader, batch: int) -> Iterator[Tensor]:
    for indices in torch.arange(len(reader)).split(batch):
        yield reader.images(indices.tolist())


def _accuracy(gathered: Statistics, reader: ShardReader) -> float:
    """The share of kept images whose class the evaluator knows: the trust that its score deserves."""
    return (gathered.probabilities.argmax(1) == reader.labels[gathered.kept]).double().mean().item()


if __name__ == "__main__":
    run(main)
