"""Scores the samples of one run against the reference.

python -m asymflow.stages.score --samples samples.npy --reference results/evaluator/reference.safetensors
    --evaluator results/evaluator/local.safetensors --out scores.json
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asymflow import provenance
from asymflow.config.scoring import Scoring
from asymflow.files import atomic
from asymflow.metrics import evaluators, statistics
from asymflow.metrics.report_card import report_card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, required=True, help="uint8 array of (n, h, w, 3)")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--evaluator", required=True, help="an evaluator's file, or 'inception'")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    start = time.perf_counter()
    reference, told = statistics.load(arguments.reference)
    settings = Scoring.model_validate(told["scoring"])
    samples = _load(arguments.samples, told["image_size"], settings)
    evaluator = evaluators.load(arguments.evaluator, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    if evaluator.digest != told["evaluator_digest"]:
        raise ValueError(
            f"{arguments.reference} was made with evaluator {told['evaluator']} {told['evaluator_digest']}, but"
            f" {arguments.evaluator} is {evaluator.name} {evaluator.digest}; make the reference again (stage reference)"
        )
    count, batches = len(samples), _batches(samples, settings.batch)
    found = statistics.gather(evaluator, batches, torch.arange(count), count=count, seed=settings.seed, what="score")
    seen = time.perf_counter() - start
    card = report_card(reference, found, evaluator.names, settings)
    print(f"{count / seen:.0f} images/s; metrics took {time.perf_counter() - start - seen:.1f} s", flush=True)

    card |= {"evaluator": evaluator.name, "evaluator_digest": evaluator.digest, "reference": told["source"]}
    card |= {"seconds": round(time.perf_counter() - start, 2), **provenance.record("asymflow.stages.score")}
    with atomic(arguments.out) as temporary:
        temporary.write_text(json.dumps(card, indent=1))


def _load(path: Path, size: int, settings: Scoring) -> np.ndarray:
    """The samples, not read yet. Raises ValueError for anything but enough uint8 images of the reference's size."""
    samples = np.load(path, mmap_mode="r", allow_pickle=False)
    if samples.dtype != np.uint8 or samples.shape[1:] != (size, size, 3):
        raise ValueError(f"{path} holds {samples.dtype} {samples.shape}; expected uint8 (n, {size}, {size}, 3)")
    if len(samples) < settings.smallest:
        raise ValueError(f"{path} holds {len(samples)} samples; the metrics need {settings.smallest} or more")
    return samples


def _batches(samples: np.ndarray, batch: int) -> Iterator[Tensor]:
    for first in range(0, len(samples), batch):
        yield torch.from_numpy(np.array(samples[first : first + batch])).permute(0, 3, 1, 2)


if __name__ == "__main__":
    main()
