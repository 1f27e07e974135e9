"""The captions of a split as tokens: kept in files, or encoded when a batch wants them.

Kept, a caption of FLUX.2 klein is 12.6 MB (512 tokens of 12 288 numbers in bfloat16). Where there are millions of them, the index
names the captions and what reads them instead, and every training encodes those of its batch beside the work on its images.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from asymflow import documents
from asymflow.config.embeddings import Embeddings
from asymflow.data.rows import RowReader, Rows, RowSource, concatenated, floats, stored
from asymflow.files import atomic, checksum
from asymflow.fitting import Fitting
from asymflow.training import readers
from asymflow.training.readers import Reader

KIND = "captions to be encoded"
BATCH = 50  # captions at a time


def opened(index: Path, device: torch.device) -> RowSource:
    """The tokens that an index of stage embed_captions stands for. Raises ValueError when what it names is not there."""
    return CaptionEncoder(index, device) if documents.kind(index) == KIND else RowReader(index)


class CaptionEncoder:
    """Tokens by number, worked out when they are read, in the precision of those that are kept."""

    def __init__(self, index: Path, device: torch.device):
        description = documents.read(index, KIND)
        self.path, self.description = index, description
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(shape) for name, shape in description["shapes"].items()}
        source = description["source"]
        evaluator = index.parent / source["evaluator"] if source["evaluator"] else None
        folder = Path(source["folder"]) if source["folder"] else None
        if evaluator and checksum(evaluator) != source["evaluator_checksum"]:
            raise ValueError(
                f"{index} names another {evaluator} than lies there; delete {index} and give the same command again"
            )
        how = description["reader"]
        embeddings = Embeddings.model_validate(how["embeddings"])
        self._reader = readers.reader(how["name"], embeddings, evaluator, folder, device)
        self._captions: list[str] = description["captions"]
        self._fitting = Fitting("train", BATCH)
        self.shared: dict[str, Tensor] = floats(stored({"empty": empty(self._reader)}))

    def __len__(self) -> int:
        return len(self._captions)

    def read(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """The tokens of the captions with the given numbers, in this order, and which of them are the caption's."""
        return floats(stored(encoded(self._reader, [self._captions[i] for i in numbers], self._fitting)))


def write(
    index: Path,
    captions: list[str],
    reader: Reader,
    description: dict,
    *,
    evaluator: Path | None,
    folder: Path | None,
) -> None:
    """Writes the index of captions that are encoded when they are wanted; `description` says whose and what reads them.

    The evaluator that reads them is kept in the folder of the index, which is empty where a FLUX.2 reads them.
    """
    kept = index.with_suffix("") / "evaluator.safetensors"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if evaluator:
        with atomic(kept) as temporary:
            shutil.copyfile(evaluator, temporary)
    one = encoded(reader, captions[:1], Fitting("embed_captions", 1))
    source = {
        "evaluator": str(kept.relative_to(index.parent)) if evaluator else None,
        "evaluator_checksum": checksum(evaluator) if evaluator else None,
        "folder": str(folder) if folder else None,
    }
    shapes = {name: list(values.shape[1:]) for name, values in one.items()}
    documents.write(index, KIND, description | {"shapes": shapes, "source": source, "captions": captions})


@torch.no_grad()
def encoded(reader: Reader, captions: list[str], fitting: Fitting) -> Rows:
    """The tokens of captions, and which of them are the caption's, on the reader's device."""

    def read(some: list[str]) -> Rows:
        text, mask = reader.text(some)
        return {"text": text, "mask": mask.to(text.device)}

    return concatenated(made for _, made in fitting.of(captions, read))


@torch.no_grad()
def empty(reader: Reader) -> Tensor:
    """The tokens of a caption that says nothing."""
    return reader.text([""])[0][0].cpu()
