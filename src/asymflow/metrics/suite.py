"""What the answers of prx-tg's validation suite are worth, case by case.

Letters in shapes: m cases, a images of a set, h and w their sides, d features.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor
from torch.nn.functional import cosine_similarity

from asymflow.metrics.evaluators import Evaluator, LocalEvaluator
from asymflow.metrics.memorisation import nearest
from asymflow.metrics.perceptual import Lpips

CANDIDATES = 8  # images most like a sample by features, among which LPIPS picks the nearest

Images = UInt8[Tensor, "m 3 h w"]
ByKind = dict[str, UInt8[Tensor, "_m 3 h w"]]  # the images of each kind of case
PerCase = dict[str, np.ndarray]  # metric to one number for each case


@dataclass(frozen=True)
class Judge:
    """The two networks that judge, and how many images they look at together."""

    evaluator: Evaluator
    distance: Lpips
    batch: int

    def features(self, images: Images) -> Float[Tensor, "m d"]:
        """What the evaluator sees in images."""
        return torch.cat([self.evaluator.look(part).features.cpu() for part in images.split(self.batch)])

    @torch.no_grad()
    def lpips(self, one: Images, other: Images) -> Float64[np.ndarray, " m"]:
        """How different each pair of images looks."""
        device = next(self.distance.buffers()).device
        pairs = zip(one.split(self.batch), other.split(self.batch), strict=True)
        parts = [self.distance(*(x.to(device).float() / 127.5 - 1 for x in pair)).mean((1, 2)).cpu() for pair in pairs]
        return torch.cat(parts).double().numpy()

    def similarity(self, one: Images, other: Images) -> Float64[np.ndarray, " m"]:
        """The cosine of the features of each pair of images."""
        return cosine_similarity(self.features(one), self.features(other), dim=1).double().numpy()

    @property
    def reads_attributes(self) -> bool:
        """Whether the evaluator has probes of attributes; the published one has none."""
        return isinstance(self.evaluator, LocalEvaluator)

    def attributes(self, images: Images) -> list[dict[str, str]]:
        """What the probes read in each image."""
        return [seen for part in images.split(self.batch) for seen in self.evaluator.attributes(part)]


def answers(
    drawn: ByKind, wanted: ByKind, content: UInt8[Tensor, "_s 3 h w"], edits: list[dict[str, Any]], judge: Judge
) -> PerCase:
    """Every metric of the suite for each of its cases; `drawn` and `wanted` by kind, `content`: whose captions swaps show.

    recon, text               LPIPS between the image drawn from all conditions, or from the caption alone, and the image itself
    manipulation              LPIPS between an image and its edit, both drawn: how much an edit changes
    counterfactual            LPIPS between the edit drawn and the same person with that attribute changed
    edited_accuracy           whether the probe reads the new value in the edit
    kept_accuracy             the share of other attributes that it reads as before
    told_*                    the same of captions alone; what is kept is what was drawn from the caption before the edit
    swap_embedding, _caption  similarity of a swap to the image whose embeddings, or whose caption, it was shown
    """
    name = judge.distance.name
    scores = {
        f"recon_{name}": judge.lpips(drawn["reconstruction"], wanted["reconstruction"]),
        f"text_{name}": judge.lpips(drawn["text"], wanted["text"]),
        f"manipulation_{name}": judge.lpips(drawn["original"], drawn["edited"]),
        f"counterfactual_{name}": judge.lpips(drawn["edited"], wanted["edited"]),
        f"told_manipulation_{name}": judge.lpips(drawn["told"], drawn["retold"]),
        f"swap_embedding_similarity_{judge.evaluator.name}": judge.similarity(drawn["swap"], wanted["swap"]),
        f"swap_caption_similarity_{judge.evaluator.name}": judge.similarity(drawn["swap"], content),
    }
    if judge.reads_attributes and all(edit["attribute"] for edit in edits):
        read = judge.attributes(drawn["edited"])
        scores |= {
            f"edited_accuracy_{judge.evaluator.name}": edited_accuracy(read, edits),
            f"kept_accuracy_{judge.evaluator.name}": kept_accuracy(read, edits),
        }
        unedited, edited = judge.attributes(drawn["told"]), judge.attributes(drawn["retold"])
        before = [
            edit | {"kept": _without(seen, edit["attribute"])} for edit, seen in zip(edits, unedited, strict=True)
        ]
        scores |= {
            f"told_edited_accuracy_{judge.evaluator.name}": edited_accuracy(edited, edits),
            f"told_kept_accuracy_{judge.evaluator.name}": kept_accuracy(edited, before),
        }
    return scores


def edited_accuracy(read: list[dict[str, str]], edits: list[dict[str, Any]]) -> Float64[np.ndarray, " m"]:
    """1 where the edited attribute is read with its new value, else 0."""
    return np.array([float(seen[edit["attribute"]] == edit["after"]) for seen, edit in zip(read, edits, strict=True)])


def kept_accuracy(read: list[dict[str, str]], edits: list[dict[str, Any]]) -> Float64[np.ndarray, " m"]:
    """The share of the attributes that were not edited which are read with their old values."""
    return np.array(
        [
            np.mean([seen[name] == value for name, value in edit["kept"].items()])
            for seen, edit in zip(read, edits, strict=True)
        ]
    )


def _without(read: dict[str, str], attribute: str) -> dict[str, str]:
    return {name: value for name, value in read.items() if name != attribute}


def memories(
    drawn: Images, train: UInt8[Tensor, "a 3 h w"], heldout: UInt8[Tensor, "a 3 h w"], judge: Judge
) -> tuple[PerCase, dict[str, list[int]]]:
    """How near samples are to training images and to as many held-out ones; and the number of the nearest of either.

    Similarity by the evaluator's features, and LPIPS to the nearest among the most similar. A model that has learned the
    distribution is as near to images that it never saw; one that copies is nearer to its training images.
    """
    features, scores, numbers = judge.features(drawn), {}, {}
    for name, images in (("train", train), ("heldout", heldout)):
        values, candidates = nearest(features, judge.features(images), CANDIDATES)
        distances = np.stack([judge.lpips(drawn, images[column]) for column in candidates.T], axis=1)
        scores[f"nearest_{name}_similarity_{judge.evaluator.name}"] = values[:, 0].double().numpy()
        scores[f"nearest_{name}_{judge.distance.name}"] = distances.min(1)
        numbers[name] = candidates[:, 0].tolist()
    similarity, lpips = f"similarity_{judge.evaluator.name}", judge.distance.name
    scores[f"memorised_{similarity}"] = scores[f"nearest_train_{similarity}"] - scores[f"nearest_heldout_{similarity}"]
    scores[f"memorised_{lpips}"] = scores[f"nearest_heldout_{lpips}"] - scores[f"nearest_train_{lpips}"]
    return scores, numbers
