"""Measures what drawing an image costs with trained text-to-image arms: the latent model with its decoder, and pixel models.

    python benchmarks/draw.py results latent_base asymflow_lpips

The arms draw in turn, the same captions, and the table has the median over rounds.
"""

import argparse
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import torch

from asymflow import machine, tensors
from asymflow.config.text_sampling import TextSampling
from asymflow.sampling.sampler import noise
from asymflow.sampling.text import TextRun, sample
from asymflow.stages.sample_text import load

SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("arms", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--steps", type=int, default=16)
    arguments = parser.parse_args()
    here = machine.choose("auto", "off")
    settings = TextSampling(steps=arguments.steps, guidance=2.0)
    runs = {arm: _run(arguments.results, arm, here) for arm in arguments.arms}
    prompts = tensors.load(arguments.results / "latent/prompts.safetensors")
    text = prompts["text"][: arguments.batch].float().to(here.device)
    empty = prompts["empty"].float().to(here.device)
    size = next(iter(runs.values()))[1]["image_size"]
    eps = noise(SEED, range(len(text)), (3, size, size)).to(here.device)

    times: dict[str, list[float]] = {arm: [] for arm in runs}
    for _ in range(arguments.rounds + 1):  # the first warms up
        for arm, (run, _) in runs.items():
            times[arm].append(_seconds(lambda run=run: sample(run, eps, text, empty, settings)))
    print(f"{here}, {arguments.steps} steps with guidance, batch {len(text)}, median of {arguments.rounds} rounds")
    for arm, seconds in times.items():
        each = 1000 * statistics.median(seconds[1:]) / len(text)
        low, high = (1000 * end / len(text) for end in (min(seconds[1:]), max(seconds[1:])))
        print(f"{arm:<16} {each:8.2f} ms an image ({low:.2f} to {high:.2f}){_decoding(runs[arm][0], text, size)}")


def _run(results: Path, arm: str, here: machine.Machine) -> tuple[TextRun, dict]:
    """An arm with its starting weights, where it has others than its own."""
    model = results / f"runs/{arm}/seed{SEED}/model.safetensors"
    start = tensors.describe(model)[0]["arm"]["start"]
    files = SimpleNamespace(
        model=model,
        start=start and results / f"runs/{start}/seed{SEED}/model.safetensors",
        folder=None,
        latents=results / "latent/autoencoder.safetensors",
    )
    return load(files, here)


def _decoding(run: TextRun, text: torch.Tensor, size: int) -> str:
    """How much of it is the decoder, for an arm of latents."""
    if run.arm.space == "pixel":
        return ""
    side = size // run.arm.patch_size
    tokens = torch.randn(len(text), side**2, run.lift.A.shape[1], device=text.device)
    seconds = min(_seconds(lambda: run.latents.decode(tokens, (side, side))) for _ in range(3))
    return f", of it {1000 * seconds / len(text):.2f} the decoder"


def _seconds(call) -> float:
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
