"""Writes a run as a folder that others load: bare weights, configuration, model card; and the names of LakonLab,
where its loaders take the model.

python -m asymflow.stages.publish --name rank8 --config JSON --model results/runs/rank8/seed0/model.safetensors
    --summary results/runs/rank8/seed0/train.json --data results/data/train.json
    --cards results/runs/rank8/seed0/guided/distribution.json --out results/runs/rank8/seed0/published
"""

import argparse
import json
from pathlib import Path
from typing import Any

from asymflow import documents, tensors
from asymflow.command import run
from asymflow.config.arm import Arm
from asymflow.config.publishing import Publishing
from asymflow.files import folder
from asymflow.released import asymflux2, asymjit
from asymflow.released.card import card
from asymflow.released.found import Found
from asymflow.training.checkpoint import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="of the model")
    parser.add_argument("--config", required=True, help="the publishing section as JSON")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True, help="what stage train says of it")
    parser.add_argument("--data", type=Path, nargs="?", help="index of the images that it was trained on")
    parser.add_argument(
        "--cards", type=Path, nargs="*", default=[], help="what judges say, each beside its samples.json"
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    arguments = parser.parse_args()
    model, description = load_model(arguments.model), tensors.describe(arguments.model, "model")
    trained = documents.read(arguments.summary, "training")
    if trained["model"] != description["checksum"]:
        raise ValueError(
            f"{arguments.summary} is of another model than {arguments.model}; delete both and give the same command again"
        )
    average, commit = description["weights"][0], trained["commit"]
    said = {"average": average, "commit": commit, "arm": description["arm"]}
    text = card(
        name=arguments.name,
        description=description,
        trained=trained,
        data=documents.read(arguments.data, "split") if arguments.data else None,
        scores=[_score(path, description["checksum"]) for path in arguments.cards],
        licence=Publishing.model_validate_json(arguments.config).licence,
    )
    config = {key: description[key] for key in ("arm", "shapes", "classes", "image_size")} | {
        "s": model.lift.s if model.lift else 1.0
    }
    with folder(arguments.out) as made:
        lift = {"lift": model.lift.A.clone()} if model.lift else {}
        tensors.save(made / "model.safetensors", "export", model.weights | {"A": model.A} | lift, said)
        (made / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (made / "README.md").write_text(text, encoding="utf-8")
        if is_asymjit(model.arm):
            tensors.save(made / "asymjit.safetensors", "export", asymjit.write(Found(model.weights, model.A)), said)
        if is_asymflux2(model.arm):
            theirs = asymflux2.write(Found(model.weights, model.lift.A, model.lift.s))
            tensors.save(made / "asymflux2.safetensors", "export", theirs, said)


def is_asymjit(arm: Arm) -> bool:
    """Whether LakonLab's AsymJiT can be a model of this arm: a JiT of classes alone, on RGB, with a bottleneck, of the paper's
    target."""
    space = arm.representation
    told, seen = arm.conditions.modalities == ("class",), (space.space, space.colour) == ("pixel", "rgb")
    return (
        arm.network.kind == "jit"
        and arm.network.dimensions.bottleneck > 0
        and arm.target.kind == "asymmetric"
        and told
        and seen
    )


def is_asymflux2(arm: Arm) -> bool:
    """Whether LakonLab's AsymFLUX.2 can be a model of this arm: adapters over a FLUX.2 that was lifted to Oklab pixels, with its
    own last layer and the paper's target."""
    adapted = arm.whole_flux and arm.start.adapter is not None
    return adapted and arm.target.basis == "lift" and arm.representation.colour == "oklab"


def _score(path: Path, model: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Setting, what sampling says, what the judge says. Raises ValueError when they are of another model or other samples."""
    score, sampled = documents.read(path, "score"), documents.read(path.with_name("samples.json"), "sampling")
    if sampled["model"] != model or score["file"] != sampled["file"]:
        raise ValueError(f"{path} judges samples of another model; delete it and give the same command again")
    return path.parent.name, sampled, score


if __name__ == "__main__":
    run(main)
