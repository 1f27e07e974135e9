"""Prepares prx-tg's validation suite: what is asked of every arm, and what the answer should look like.

python -m asymflow.stages.suite --config JSON --embeddings JSON --reader local --data results/data/heldout.json
    --captions results/conditions/captions_local/heldout.json --images results/conditions/images_p16/heldout.json
    --train results/data/train.json --train-captions results/conditions/captions_local/train.json
    --train-images results/conditions/images_p16/train.json --evaluator results/evaluator/local.safetensors
    --out OUT.safetensors
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from asymflow import lineage, machine
from asymflow.command import run
from asymflow.config.embeddings import Embeddings
from asymflow.config.suite import Suite as Config
from asymflow.data import cases
from asymflow.data.cases import Edit
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader
from asymflow.data.suite import Case, Suite
from asymflow.training import readers
from asymflow.training.captions import opened


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the suite section as JSON")
    parser.add_argument("--embeddings", required=True, help="what it reads of the embeddings section, as JSON")
    parser.add_argument("--data", type=Path, required=True, help="index of the split that cases come from")
    parser.add_argument("--reader", choices=("local", "t5"), required=True, help="what reads captions")
    parser.add_argument("--captions", type=Path, required=True, help="the captions of that split as tokens")
    parser.add_argument("--images", type=Path, required=True, help="the images of that split as embeddings")
    parser.add_argument("--train", type=Path, required=True, help="index of the training split, for memories")
    parser.add_argument("--train-captions", type=Path, required=True, help="the same of the training split")
    parser.add_argument("--train-images", type=Path, required=True, help="the same of the training split")
    parser.add_argument("--evaluator", type=Path, nargs="?", help="the local evaluator, where it embeds")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config = Config.model_validate_json(arguments.config)
    data, train = ShardReader(arguments.data), ShardReader(arguments.train)
    _check(config, data, train)
    device = machine.device()
    images, train_images = map(RowReader, (arguments.images, arguments.train_images))
    captions, train_captions = (opened(path, device) for path in (arguments.captions, arguments.train_captions))
    for made in (captions, images, train_captions, train_images):
        lineage.check(made.path, made.description["data"], data.path, data.set)
    lineage.check(train.path, train.set, data.path, data.set)
    if arguments.evaluator:
        lineage.check_file(arguments.evaluator, "evaluator", data.path, data.set)
    edits = cases.edits(data, config.edits, config.seed)
    listed = cases.listed(config, edits)

    embeddings = Embeddings.model_validate_json(arguments.embeddings)
    reader = readers.reader(arguments.reader, embeddings, arguments.evaluator, None, device)
    text, mask = reader.text([edit.caption for edit in edits])
    sources = {"": (captions, images), "train": (train_captions, train_images)}
    pictures = {"": data, "train": train}
    suite = Suite(
        cases=listed,
        edits=[asdict(edit) for edit in edits],
        rows=cases.conditions(listed, sources, {"text": text.cpu(), "mask": mask.cpu()}),
        empty=captions.shared["empty"],
        wanted=torch.stack([_wanted(case, edits, pictures) for case in listed]),
        content=data.images([case.caption for case in listed if case.kind == "swap"]),
        image_size=data.image_size,
        split=data.split,
        data=data.set,
    )
    suite.save(arguments.out)
    print(f"{len(listed)} cases, {len(edits)} of them edits", flush=True)


def _check(config: Config, data: ShardReader, train: ShardReader) -> None:
    most = max(config.reconstructions, config.texts, config.swaps + 1, config.edits)
    for wanted, reader, key in ((most, data, f"data.{data.split}"), (config.memories, train, "data.train")):
        if len(reader) < wanted:
            raise ValueError(f"{reader.path} has {len(reader)} images, but the suite asks for {wanted}; raise {key}")


def _wanted(case: Case, edits: list[Edit], pictures: dict[str, ShardReader]) -> torch.Tensor:
    """What the case's image should look like: its own image, or the true counterfactual of an edit."""
    if case.edit >= 0:
        return edits[case.edit].counterfactual(pictures[""])
    return pictures[case.source][case.image][0]


if __name__ == "__main__":
    run(main)
