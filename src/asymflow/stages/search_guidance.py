"""Searches the guidance scale and interval, and the average of the weights, that give the smallest Frechet distance.

python -m asymflow.stages.search_guidance --config JSON --sampling JSON --asks classes
    --model results/runs/rank8/seed0/model.safetensors --reference results/evaluator/reference.safetensors
    --evaluator results/evaluator/local.safetensors --out OUT.json
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from asymflow import documents, lineage, parts
from asymflow.command import run
from asymflow.config.sampling import Asks, Sampling
from asymflow.config.search import BLOCKS, Search
from asymflow.metrics import evaluators, statistics
from asymflow.metrics.evaluators import Evaluator
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.progress import Progress
from asymflow.sampling.asks.request import Request
from asymflow.sampling.run import Files, Run, load, take, weight_files
from asymflow.sampling.sampler import noise, sample_each, times
from asymflow.sampling.search import Candidate, Grid, Measured, Outcome, evaluations, lengths, search_guidance
from asymflow.training.posthoc import reconstruct

# added to the numbers of noises: the samples that are scored later must not be those that were searched
UNSCORED = 1 << 21


def main() -> None:
    arguments = _arguments()
    start = time.perf_counter()
    search = Search.model_validate_json(arguments.config)
    settings = Sampling.model_validate_json(arguments.sampling)
    run = load(arguments.model, settings, Files(arguments.start, arguments.folder, arguments.latents))
    request = parts.load(parts.request(arguments.asks)).build(run, settings, arguments.asked)
    if len(request.distribution) < search.count:
        raise ValueError(
            f"the search judges by {search.count} samples, but {arguments.asks} ask for {len(request.distribution)}; lower"
            " search.count"
        )
    reference, description = statistics.load(arguments.reference)
    lineage.check(arguments.reference, description["data"], arguments.model, run.data)
    evaluator = evaluators.load(arguments.evaluator, run.machine.device)
    evaluators.check(evaluator, arguments.reference, description)
    print(f"searching on {run.machine}", flush=True)

    levels = times(run, settings)
    grid = Grid(search, levels, lengths(search) if settings.searches_average else (None,))
    judge = Judge(run, request, settings, evaluator, reference.images, weight_files(arguments.model, settings))
    outcome = search_guidance(grid, judge.measure, search, lambda text: print(text, flush=True))
    visits = parts.load(parts.solver(settings.solver)).visits(settings.steps)
    result = _describe(outcome, grid, search, levels, visits) | {
        "metric": evaluator.names.frechet,
        "model": run.checksum,
        "evaluations": judge.evaluations,
        "seconds": round(time.perf_counter() - start, 2),
        **parts.of_search(run.arm, settings.solver, arguments.asks).record(),
    }
    documents.write(arguments.out, "guidance", result)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the search section as JSON")
    parser.add_argument("--sampling", required=True, help="the sampling setting whose guidance is searched, as JSON")
    parser.add_argument("--asks", choices=get_args(Asks), required=True, help="what is asked for")
    parser.add_argument("--asked", type=Path, nargs="?", help="the prompts as tokens, or the validation suite")
    parser.add_argument("--model", type=Path, required=True, help="a model, or the folder of a run's snapshots")
    parser.add_argument("--start", type=Path, nargs="?", help="the model whose weights an adapted one began with")
    parser.add_argument("--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers that it began with")
    parser.add_argument("--latents", type=Path, nargs="?", help="what decodes latents: an autoencoder, or that folder")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--evaluator", required=True, help="an evaluator's file, or 'inception'")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


class Judge:
    """Draws what each candidate still lacks, keeps the features, and takes distances of them."""

    def __init__(
        self,
        run: Run,
        request: Request,
        settings: Sampling,
        evaluator: Evaluator,
        reference: Moments,
        weights: list[Path],
    ):
        self.run, self.request, self.settings, self.weights = run, request, settings, weights
        self.evaluator, self.reference = evaluator, reference
        self.features: dict[Candidate, list[Tensor]] = {}
        self.evaluations = 0  # of the network, for one image each
        run.model.register_forward_pre_hook(self._count)

    def _count(self, model: torch.nn.Module, inputs: tuple) -> None:
        self.evaluations += len(inputs[0])

    def measure(self, candidates: list[Candidate], count: int) -> dict[Candidate, Measured]:
        """The distances on the first `count` samples."""
        have = {c: sum(map(len, self.features.setdefault(c, []))) for c in candidates}
        points = sorted({count, *(n for n in have.values() if n < count)})
        with Progress("search_guidance", sum(count - n for n in have.values()), "images") as progress:
            for average in sorted({c.average for c in candidates}, key=lambda length: length or 0):
                if average:
                    take(self.run, reconstruct(self.weights, average).weights)
                for first, last in pairwise(points):
                    lacking = [c for c in candidates if c.average == average and have[c] <= first]
                    for begin in range(first, last, self.settings.batch) if lacking else ():
                        numbers = self.request.distribution[begin : min(begin + self.settings.batch, last)]
                        self._draw(lacking, numbers)
                        progress.advance(len(numbers) * len(lacking))
        return {c: self._measured(torch.cat(self.features[c])[:count]) for c in candidates}

    def _draw(self, candidates: list[Candidate], numbers: range) -> None:
        device = self.run.machine.device
        others = [number + UNSCORED for number in self.request.noises(numbers)]
        start = noise(self.run.seed, others, self.run.shape).to(device)
        settings = [self.settings.guided(c.scale, (0.0, c.end)) for c in candidates]
        images = sample_each(self.run, start, self.request.condition(numbers).to(device), settings)
        for candidate, drawn in zip(candidates, images, strict=True):
            self.features[candidate].append(self.evaluator.look(drawn).features.cpu())

    def _measured(self, features: Tensor) -> Measured:
        blocks = [Moments.of(block) for block in features.tensor_split(BLOCKS)]
        everything = [_merged(blocks)] + [_merged(blocks[:i] + blocks[i + 1 :]) for i in range(BLOCKS)]
        value, *left_out = (frechet_distance(self.reference, moments) for moments in everything)
        return Measured(value, np.array(left_out))


def _merged(blocks: list[Moments]) -> Moments:
    first, *others = blocks
    for block in others:
        first = first.merge(block)
    return first


def _describe(outcome: Outcome, grid: Grid, search: Search, times: list[float], visits: list[int]) -> dict:
    """The result as it is written down. The grids' costs are what their points would take, each with all samples."""
    full, distinct = (
        search.count * sum(evaluations(c, times, visits) for c in points) for points in (grid.nominal, grid.all())
    )
    return {
        "optimum": {
            **outcome.optimum._asdict(),
            "value": outcome.measured[outcome.optimum].value,
            "samples": search.count,
        },
        "candidates": [
            {**c._asdict(), "value": m.value, "samples": outcome.samples[c], "dropped": outcome.dropped.get(c)}
            for c, m in outcome.measured.items()
        ],
        "confidence": search.confidence,
        "grid_points": len(grid.nominal),
        "distinct_points": len(grid.all()),
        "grid_evaluations": full,
        "distinct_evaluations": distinct,
    }


if __name__ == "__main__":
    run(main)
