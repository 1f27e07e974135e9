"""Published judges of text-to-image models: each is asked through its own package where that is installed with its weights.

None of them can live in this project's environment (their pins exclude each other), and none has a stand-in that is trained here:
where one is missing its column says so. Prompts of GenEval and DPG-Bench belong to these benchmarks, so any others are refused.
"""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

HPSV2, HPSV3, VQA = PACKAGES = ("hpsv2", "hpsv3", "t2v_metrics")


class NotRunError(Exception):
    """Why a judge has nothing to say."""


def hpsv2(images: list[Path], captions: list[str]) -> float:
    """HPSv2.1: the mean preference score, about 0.29 for good models. Package hpsv2."""
    package = _package(HPSV2)
    scores = [
        package.score([str(image)], caption, hps_version="v2.1")
        for image, caption in zip(images, captions, strict=True)
    ]
    return _mean(score[0] for score in scores)


def hpsv3(images: list[Path], captions: list[str]) -> float:
    """HPSv3: the mean preference score, about 10 for good models. Package hpsv3, which needs a GPU."""
    judge = _package(HPSV3).HPSv3RewardInferencer(device="cuda")
    rewards = judge.reward([str(image) for image in images], captions)
    return _mean(reward[0].item() for reward in rewards)


def vqa(images: list[Path], captions: list[str]) -> float:
    """VQAScore by CLIP-FlanT5-XXL: the mean probability that the image shows its caption. Package t2v_metrics."""
    judge = _package(VQA).VQAScore(model="clip-flant5-xxl")
    scores = [judge(images=[str(i)], texts=[c]) for i, c in zip(images, captions, strict=True)]
    return _mean(score.item() for score in scores)


def geneval(images: list[Path], captions: list[str]) -> float:
    """GenEval: scripts with 553 prompts and a detector of their own."""
    raise NotRunError(
        "GenEval is not a package: draw its 553 prompts (prompts.path) and give the images to its scripts"
    )


def dpg(images: list[Path], captions: list[str]) -> float:
    """DPG-Bench: scripts with 1065 prompts and a question answering model of their own."""
    raise NotRunError(
        "DPG-Bench is not a package: draw its 1065 prompts (prompts.path) and give the images to its scripts"
    )


JUDGES: dict[str, Callable[[list[Path], list[str]], float]] = {
    "hpsv3": hpsv3,
    "hpsv2": hpsv2,
    "vqa": vqa,
    "geneval": geneval,
    "dpg": dpg,
}


def installed() -> bool:
    """Whether there is the package of any judge, so that images are opened."""
    return any(importlib.util.find_spec(name) for name in PACKAGES)


def ask(images: list[Path], captions: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    """The scores of all judges that could be asked, and for each other one the reason in a few words."""
    scores, reasons = {}, {}
    for name, judge in JUDGES.items():
        try:
            scores[name] = judge(images, captions)
        except NotRunError as reason:
            reasons[name] = str(reason)
        except Exception as error:  # whatever a foreign package meets: missing weights, no GPU, no network
            reasons[name] = (
                f"its package failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            )
    return scores, reasons


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise NotRunError(f"package {name} is not installed") from None


def _mean(values: Any) -> float:
    scores = list(values)
    return sum(scores) / len(scores)
