"""Scores what one arm of prx-tg drew for the validation suite.

python -m asymflow.stages.score_prx --config JSON --samples samples.npy --summary samples.json
    --suite results/embedded/p16/suite.safetensors
    --train results/data/train.json --heldout results/data/heldout.json --reference results/evaluator/reference.safetensors
    --perceptual results/evaluator/perceptual.safetensors --evaluator results/evaluator/local.safetensors
    --out scores.json --neighbours neighbours.npy
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asymflow import provenance
from asymflow.config.scoring import Scoring
from asymflow.config.suite import Suite as Config
from asymflow.data.cases import Suite
from asymflow.data.reader import ShardReader
from asymflow.files import atomic
from asymflow.metrics import evaluators, perceptual, statistics
from asymflow.metrics.bootstrap import interval
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.metrics.suite import Judge, answers, memories

SEARCHED = 2_000  # most images of either set in which nearest ones are looked for
BACKBONE = "alex"  # of the published LPIPS; prx-tg's


def main() -> None:
    arguments = _arguments()
    config, suite = Config.model_validate_json(arguments.config), Suite.load(arguments.suite)
    samples = _load(arguments.samples, suite)
    summary = json.loads(arguments.summary.read_text())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reference, told = statistics.load(arguments.reference)
    judge = Judge(
        evaluators.load(arguments.evaluator, device),
        perceptual.load(arguments.perceptual, BACKBONE, device),
        Scoring.model_validate(told["scoring"]).batch,
    )
    by_kind = {kind: samples[suite.rows(kind)] for kind in suite.counts()}
    per_case = answers(by_kind, suite.wanted_by_kind(), suite.content, suite.edits, judge)
    drawn = Moments.of(judge.features(by_kind["text"]))
    frechet = {judge.evaluator.names.frechet: frechet_distance(reference.images, drawn)}

    train, heldout = ShardReader(arguments.train), ShardReader(arguments.heldout)
    equal = min(summary["set_images"] or len(train), len(heldout), SEARCHED)
    sets = (reader.images(range(equal)) for reader in (train, heldout))
    found, neighbours = memories(by_kind["memory"], *sets, judge)
    per_case |= found

    card = {
        "metrics": frechet | intervals(per_case, config),
        "per_case": {name: [round(float(v), 6) for v in values] for name, values in per_case.items()},
        "samples": drawn.count,
        "searched_images": equal,
        "evaluator": judge.evaluator.name,
        "evaluator_digest": judge.evaluator.digest,
        **provenance.record("asymflow.stages.score_prx"),
    }
    with atomic(arguments.neighbours) as temporary:
        np.save(temporary, neighbours.permute(0, 1, 3, 4, 2).numpy())
    with atomic(arguments.out) as temporary:
        temporary.write_text(json.dumps(card, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the suite section as JSON")
    parser.add_argument("--samples", type=Path, required=True, help="uint8 array of (m, h, w, 3), one for each case")
    parser.add_argument("--summary", type=Path, required=True, help="what stage sample_prx says of them")
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--heldout", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--perceptual", type=Path, nargs="?", help="the perceptual network; none: the published LPIPS")
    parser.add_argument("--evaluator", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--neighbours", type=Path, required=True, help="each memory with its nearest images")
    return parser.parse_args()


def _load(path: Path, suite: Suite) -> Tensor:
    samples = np.load(path, allow_pickle=False)
    size, count = suite.image_size, len(suite.cases)
    if samples.dtype != np.uint8 or samples.shape != (count, size, size, 3):
        raise ValueError(f"{path} holds {samples.dtype} {samples.shape}; expected uint8 ({count}, {size}, {size}, 3)")
    return torch.from_numpy(samples).permute(0, 3, 1, 2)


def intervals(per_case: dict[str, np.ndarray], config: Config) -> dict[str, float]:
    """The mean of each metric and the ends of its bootstrap interval."""
    found = {}
    for name, values in per_case.items():
        low, high = interval(values, config.resamples, config.seed)
        found |= {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}
    return found


if __name__ == "__main__":
    main()
