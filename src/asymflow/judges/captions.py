"""Asks of each image whether it shows its caption: CLIP score, named attributes, and preference where its networks are."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from asymflow.judges.evidence import Evidence, batches
from asymflow.metrics import preference
from asymflow.metrics.attributes import attribute_accuracy
from asymflow.metrics.evaluators import LocalEvaluator
from asymflow.metrics.text import OpenClip, TextTower, clip_scores
from asymflow.metrics.tower import to_pixels

BATCH = 100  # images looked at together


def judge(evidence: Evidence) -> dict[str, Any]:
    """The card of images that were drawn for captions. Raises ValueError when there are more images than captions."""
    samples, prompts = evidence.samples, evidence.prompts
    if len(samples) > len(prompts):
        raise ValueError(
            f"{evidence.samples_path} has {len(samples)} images, but {evidence.prompts_path} has {len(prompts)} captions"
        )
    asked = prompts[: len(samples)]
    captions, named = [prompt["caption"] for prompt in asked], [prompt["named"] for prompt in asked]
    evaluator = evidence.evaluator
    if isinstance(evaluator, LocalEvaluator):
        tower = TextTower.load(Path(evidence.evaluator_name), evidence.device)
        metrics = local(samples, captions, named, evaluator, tower)
    else:
        clip = OpenClip.load(evidence.device)
        embedded = torch.cat([clip.images(batch) for batch in batches(samples, BATCH)])
        metrics = {"clip": clip_scores(embedded, clip.embeddings(captions)).mean().item()}
    preferred, reasons = _preference(samples, captions)
    return {"metrics": metrics | preferred, "not_run": reasons, "samples": len(samples)}


@torch.no_grad()
def local(
    samples: UInt8[np.ndarray, "n h w 3"],
    captions: list[str],
    named: list[dict[str, str]],
    evaluator: LocalEvaluator,
    tower: TextTower,
) -> dict[str, float]:
    """CLIP score by the evaluator that is trained here, and how many named attributes its probes read right."""
    size, device = evaluator.config.image_size, evaluator.offset.device
    views, read = [], []
    for pictures in batches(samples, BATCH):
        views.append(evaluator.tower.view(to_pixels(pictures.to(device), size)).embedding)
        read += evaluator.attributes(pictures) if any(named) else []
    metrics = {"clip_local": clip_scores(torch.cat(views), tower.embeddings(captions)).mean().item()}
    if any(named):
        metrics["attribute_accuracy_local"] = attribute_accuracy(named, read)
    return metrics


def _preference(samples: np.ndarray, captions: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    """The published judges, which read files: written only where a judge is there to open them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i:05d}.png") for i in range(len(samples))]
        for path, image in zip(paths, samples, strict=True) if preference.installed() else ():
            Image.fromarray(image).save(path, compress_level=1)
        return preference.ask(paths, captions)
