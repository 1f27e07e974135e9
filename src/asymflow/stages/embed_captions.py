"""Embeds captions as tokens, for networks that are conditioned on them: those of a split, or the prompts.

python -m asymflow.stages.embed_captions --config JSON --reader local --data results/data/train.json
    --evaluator results/evaluator/local.safetensors --out results/conditions/captions_local/train.json
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from asymflow import documents, lineage, machine, provenance
from asymflow.command import run
from asymflow.config.embeddings import Embeddings
from asymflow.data import rows
from asymflow.data.reader import ShardReader
from asymflow.data.records import default_caption
from asymflow.data.rows import Rows
from asymflow.fitting import Fitting
from asymflow.progress import Progress
from asymflow.training import readers
from asymflow.training.captions import BATCH, empty, encoded, write
from asymflow.training.readers import Reader

SHARD = 1_000  # captions in one file
NEEDED = "arms conditioned on captions need one for each image: put a .txt file beside each, or let `captions.model` write them"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="what it reads of the embeddings section, as JSON")
    parser.add_argument("--reader", choices=("local", "t5", "flux2"), required=True, help="what reads them")
    parser.add_argument("--data", type=Path, required=True, help="index of a split, or the prompts")
    parser.add_argument(
        "--captions", type=Path, nargs="?", help="captions made by stage caption, in place of the set's own"
    )
    parser.add_argument("--evaluator", type=Path, nargs="?", help="the local evaluator, where it reads")
    parser.add_argument("--folder", type=Path, nargs="?", help="the folder of a FLUX.2 klein, where it reads")
    parser.add_argument("--out", type=Path, required=True, help="the index to write, its shards beside it")
    arguments = parser.parse_args()
    captions, data_set = _captions(arguments.data, arguments.captions)
    if arguments.evaluator:
        lineage.check_file(arguments.evaluator, "evaluator", arguments.data, data_set)
    device = machine.device()
    config = Embeddings.model_validate_json(arguments.config)
    reader = readers.reader(arguments.reader, config, arguments.evaluator, arguments.folder, device)
    print(_cut(captions, reader), flush=True)
    description = {"data": data_set, "code": provenance.digest("asymflow.stages.embed_captions")}
    description["reader"] = {
        "name": arguments.reader,
        "embeddings": config.model_dump(mode="json", exclude={"keep_captions"}),
    }
    if not config.keep_captions and arguments.data.stem == "train":
        places = {"evaluator": arguments.evaluator, "folder": arguments.folder}
        return write(arguments.out, captions, reader, description, **places)
    rows.write(arguments.out, _parts(captions, reader), description, shared={"empty": empty(reader)})


def _cut(captions: list[str], reader: Reader) -> str:
    """How many captions are longer than they are read."""
    batches = (captions[first : first + BATCH] for first in range(0, len(captions), BATCH))
    longer = sum(length > reader.length for some in batches for length in reader.lengths(some))
    return f"{longer} of {len(captions)} captions have more than {reader.length} tokens, and lose what is beyond"


def _captions(data: Path, made: Path | None) -> tuple[list[str], str]:
    """The captions of a split, its own or made ones, or of the prompts, and their data set.

    Raises ValueError when a training split lacks some.
    """
    if data.name == "prompts.json":
        listed = documents.read(data, "prompts")
        return [prompt["caption"] for prompt in listed["prompts"]], listed["data"]
    reader = ShardReader(data)
    captions = made.read_text(encoding="utf-8").splitlines() if made else reader.captions
    if len(captions) != len(reader):
        raise ValueError(f"{made} has {len(captions)} lines for the {len(reader)} images of {data}")
    if reader.split == "train":
        if not made:
            check_own(captions, reader)
        check(captions, made or data)
    return captions, reader.set


def check_own(captions: list[str], data: ShardReader) -> None:
    """Raises ValueError when some images came without a caption: they were named by their class."""
    names = [data.classes[label] for label in data.labels.tolist()]
    without = [i for i, name in enumerate(names) if captions[i] == default_caption(name)]
    if without:
        first = data.record(without[0])
        raise ValueError(
            f"{data.path}: {len(without)} of {len(data)} images have no caption of their own, the first is {first['source']}"
            f" ({first['caption']!r}); {NEEDED}"
        )


def check(captions: list[str], where: Path) -> None:
    """Raises ValueError when captions are missing or nearly all alike: a model would learn classes, not text."""
    missing = sum(not caption.strip() for caption in captions)
    if missing or len(set(captions)) < len(captions) / 10:
        alike = f"{len(captions)} images have {len(set(captions))} captions"
        problem = f"{missing} images have no caption" if missing else alike
        raise ValueError(f"{where}: {problem}; {NEEDED}")


def _parts(captions: list[str], reader: Reader) -> Iterator[Rows]:
    fitting = Fitting("embed_captions", BATCH)
    with Progress("embed_captions", len(captions), "captions") as progress:
        for first in range(0, len(captions), SHARD):
            batches = []
            for start in range(first, min(first + SHARD, len(captions)), BATCH):
                some = captions[start : min(start + BATCH, first + SHARD)]
                made = encoded(reader, some, fitting)
                batches.append({name: values.cpu() for name, values in made.items()})
                progress.advance(len(some))
            yield rows.concatenated(batches)


if __name__ == "__main__":
    run(main)
