"""Scores the samples of one run by one judge: distribution, captions, suite, memorisation or second.

python -m asymflow.stages.score --judge distribution --config JSON --samples samples.npy --summary samples.json
    --reference results/evaluator/reference.safetensors --evaluator results/evaluator/local.safetensors --out distribution.json
"""

import argparse
import time
from pathlib import Path
from typing import get_args

from asymflow import documents, parts
from asymflow.command import run
from asymflow.config.study import Judge
from asymflow.config.suite import Suite
from asymflow.judges.evidence import Evidence


def main() -> None:
    arguments = _arguments()
    start = time.perf_counter()
    evidence = Evidence(
        arguments.samples, arguments.summary, arguments.evaluator, arguments.reference,
        Suite.model_validate_json(arguments.config), arguments.prompts, arguments.suite, arguments.train, arguments.heldout,
        arguments.perceptual,
    )  # fmt: skip
    card = parts.load(parts.judge(arguments.judge)).judge(evidence)
    seconds = time.perf_counter() - start
    print(f"{card['samples']} images in {seconds:.1f} s", flush=True)
    card |= evidence.record() | {"seconds": round(seconds, 2)} | parts.of_score(arguments.judge).record()
    documents.write(arguments.out, "score", card)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", choices=get_args(Judge), required=True)
    parser.add_argument("--config", required=True, help="what the judge reads of the suite section, as JSON")
    parser.add_argument("--samples", type=Path, required=True, help="uint8 array of (n, h, w, 3)")
    parser.add_argument("--summary", type=Path, required=True, help="what stage sample says of them")
    parser.add_argument(
        "--evaluator", required=True, help="an evaluator's file, or 'inception' for the published networks"
    )
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="?", help="captions and the attributes that they name")
    parser.add_argument("--suite", type=Path, nargs="?", help="the validation suite")
    parser.add_argument("--train", type=Path, nargs="?", help="index of the training split")
    parser.add_argument("--heldout", type=Path, nargs="?", help="index of the held-out split")
    parser.add_argument("--perceptual", type=Path, nargs="?", help="the perceptual network; none: the published LPIPS")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
