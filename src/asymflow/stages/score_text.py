"""Scores the images of one text-to-image run by their captions.

python -m asymflow.stages.score_text --samples samples.npy --prompts results/latent/prompts.json
    --evaluator results/evaluator/local.safetensors --out text_scores.json
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from asymflow import provenance
from asymflow.files import atomic
from asymflow.metrics import preference
from asymflow.metrics.attributes import attribute_accuracy
from asymflow.metrics.evaluators import LocalEvaluator
from asymflow.metrics.text import OpenClip, TextTower, clip_scores
from asymflow.metrics.tower import to_pixels

BATCH = 100  # images looked at together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, required=True, help="uint8 array of (n, h, w, 3), one for each caption")
    parser.add_argument("--prompts", type=Path, required=True, help="captions and the attributes that they name")
    parser.add_argument(
        "--evaluator", required=True, help="an evaluator's file, or 'inception' for the published networks"
    )
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    samples = np.load(arguments.samples, allow_pickle=False)
    prompts = json.loads(arguments.prompts.read_text())
    if len(samples) != len(prompts):
        raise ValueError(
            f"{arguments.samples} has {len(samples)} images for the {len(prompts)} captions of {arguments.prompts}"
        )
    captions = [prompt["caption"] for prompt in prompts]
    images = torch.from_numpy(samples).permute(0, 3, 1, 2)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if Path(arguments.evaluator).is_file():
        metrics = local(images, captions, [prompt["named"] for prompt in prompts], Path(arguments.evaluator), device)
    else:
        judge = OpenClip.load(device)
        embedded = torch.cat([judge.images(batch) for batch in images.split(BATCH)])
        metrics = {"clip": clip_scores(embedded, judge.embeddings(captions)).mean().item()}
    asked, reasons = _preference(samples, captions)
    found = {"metrics": metrics | asked, "not_run": reasons, **provenance.record("asymflow.stages.score_text")}
    with atomic(arguments.out) as temporary:
        temporary.write_text(json.dumps(found, indent=1))


def local(
    images: torch.Tensor, captions: list[str], named: list[dict[str, str]], path: Path, device: torch.device
) -> dict[str, float]:
    """CLIP score by the evaluator that is trained here, and how many named attributes its probes read right."""
    evaluator, tower = LocalEvaluator.load(path, device), TextTower.load(path, device)
    with torch.no_grad():
        views = [
            evaluator.tower.view(to_pixels(batch.to(device), evaluator.config.image_size)).embedding
            for batch in images.split(BATCH)
        ]
    metrics = {"clip_local": clip_scores(torch.cat(views), tower.embeddings(captions)).mean().item()}
    if any(named):
        read = [seen for batch in images.split(BATCH) for seen in evaluator.attributes(batch)]
        metrics["attribute_accuracy_local"] = attribute_accuracy(named, read)
    return metrics


def _preference(samples: np.ndarray, captions: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    """The published judges, which read files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i:05d}.png") for i in range(len(samples))]
        for path, image in zip(paths, samples, strict=True):
            Image.fromarray(image).save(path, compress_level=1)
        return preference.ask(paths, captions)


if __name__ == "__main__":
    main()
