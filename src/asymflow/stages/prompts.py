"""Chooses the captions that arms are asked for: held-out ones, or those of a file.

python -m asymflow.stages.prompts --config JSON --heldout results/data/heldout.json --out results/data/prompts.json
"""

import argparse
import json
from pathlib import Path

from asymflow import documents
from asymflow.command import run
from asymflow.config.prompts import Prompts
from asymflow.data.reader import ShardReader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the prompts section as JSON")
    parser.add_argument("--heldout", type=Path, required=True, help="index of the held-out split")
    parser.add_argument("--captions", type=Path, nargs="?", help="captions of that split made by stage caption")
    parser.add_argument("--out", type=Path, required=True, help="captions and the attributes that they name")
    arguments = parser.parse_args()
    config, heldout = Prompts.model_validate_json(arguments.config), ShardReader(arguments.heldout)
    file = config.path or arguments.captions
    prompts = from_file(Path(file)) if file else from_split(heldout)
    if len(prompts) < config.count:
        raise ValueError(
            f"{file or arguments.heldout} has {len(prompts)} captions, but prompts.count asks for {config.count}"
        )
    documents.write(arguments.out, "prompts", {"prompts": prompts[: config.count], "data": heldout.set})


def from_split(reader: ShardReader) -> list[dict]:
    """The caption of each held-out image, with the attributes that it names."""
    records = [reader.record(i) for i in range(len(reader))]
    return [
        {"caption": record["caption"], "named": {name: record["attributes"][name] for name in record["named"]}}
        for record in records
    ]


def from_file(path: Path) -> list[dict]:
    """The captions in a text file, one a line, or in a JSONL file under `prompt`; empty lines are none.

    Raises ValueError for a line that is neither.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the captions in {path} (prompts.path) cannot be read: {error}") from error
    # not splitlines(), which also splits at separators that a caption may hold
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if path.suffix != ".jsonl":
        return [{"caption": line.strip(), "named": {}} for _, line in lines]
    prompts = []
    for number, line in lines:
        try:
            prompts.append({"caption": str(json.loads(line)["prompt"]), "named": {}})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number}: expected a JSON object with a prompt, found {line[:80]!r}"
            ) from error
    return prompts


if __name__ == "__main__":
    run(main)
