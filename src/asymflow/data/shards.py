"""Writing the splits: WebDataset tar files of lossless images, and an index for each split.

    train.json               {"split", "image_size", "source", "count", "classes", "class_counts", "shards", "table", "rejects",
                              "read", "set"}
    train.samples.npy        where every sample lies, and its class and shape (`table`)
    train/shard-00000.tar    00000000.json, 00000000.png, 00000001.json, ...

`classes` names the labels in order, `shards` lists {"file": path from the index, "count", "size": bytes}, `table` is the checksum
of the table, `rejects` all that the source had and could not be used as {"path", "reason"}, and `read` is how many images were
looked at. These two are the same for every split, as is `set`, which names the data set: what is made from one is not used with
another. A sample's JSON has "label", "class", "caption", "attributes", "named" (those that the caption names) and "source" (its
path in the source).

Where data.shapes gives training images other shapes than the square, all images of a shard have the same one, and the lists of
shards and samples go shape by shape.

The bytes depend on the configuration and on the images alone, not on the number of processes. Tar files are written
here rather than by the webdataset package, which reads them as it reads its own, because importing that imports torch,
which would take longer than shards of small images take to be written.
"""

import io
import json
import shutil
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from itertools import accumulate, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xxhash

from asymflow import documents
from asymflow.config.data import Data
from asymflow.data import table
from asymflow.data.images import Shape, png_shape
from asymflow.data.png import CHUNK, Form, packed
from asymflow.data.records import Listing, Record, Reject
from asymflow.data.sources import listing, split_counts
from asymflow.data.tars import member_sum
from asymflow.files import atomic, locked
from asymflow.paths import SPLITS
from asymflow.progress import Progress

NAMED = 5  # rejects that an error names
SCRATCH = ".fetched-"  # name of the folder for copies of tar files, which is gone in the end


class Images:
    """The usable images of a listing, once over, as (record, PNG file), with count of those opened and rejected."""

    def __init__(self, contents: Listing, data: Data, processes: int):
        self.opened, self.rejects = 0, []
        records = contents.records
        self._threads = CHUNK if contents.remote else 1
        self._records, self._data, self._processes = records, data, processes
        self._looked_at, self._left = 0, []  # how many records `squares` looked at, and those that it had no use for

    def squares(self) -> Iterator[tuple[Record, bytes]]:
        """Images as squares; those that cannot be are left for `shaped`: they may be large enough for another shape."""
        with closing(self._packed(self._records, self._data.training_shapes[:1])) as results:
            for record, result in results:
                self._looked_at += 1
                if isinstance(result, Reject):
                    self._left.append(record)
                else:
                    self.opened += 1
                    yield record, result

    def shaped(self) -> Iterator[tuple[Record, bytes]]:
        """All that are left, each in the nearest of the configured shapes."""
        remaining = self._left + self._records[self._looked_at :]
        with closing(self._packed(remaining, self._data.training_shapes)) as results:
            for record, result in results:
                self.opened += 1
                if isinstance(result, Reject):
                    self.rejects.append(result)
                    if len(self.rejects) > NAMED:  # enough to tell, and maybe more than all the others can make up for
                        check_rejects(self.rejects, len(self._records), self._data)
                else:
                    yield record, result

    def _packed(self, records: list[Record], shapes: tuple[Shape, ...]) -> Iterator[tuple[Record, bytes | Reject]]:
        form = Form(shapes, self._data.compression, self._data.small, self._threads)
        return packed(records, form, processes=self._processes)


def write_splits(data: Data, out_dir: Path, processes: int) -> None:
    """Writes train.json, evaluator.json and heldout.json with their shards into a folder.

    The indexes are written last, together, and those of an earlier call are removed first: while there is an index, its
    shards are whole. Raises ValueError when the source cannot be read, has too few images, or has too many rejects.
    """
    with locked(out_dir / "shards"):
        _clear(out_dir)
        _write(data, out_dir, processes)


def _write(data: Data, out_dir: Path, processes: int) -> None:
    with TemporaryDirectory(dir=out_dir, prefix=SCRATCH) as scratch:
        contents = listing(data, Path(scratch))
        for note in contents.notes:
            print(note, file=sys.stderr)
        check_rejects(contents.rejects, len(contents.records) + len(contents.rejects), data)
        counts = split_counts(data, len(contents.records))
        images, indexes = Images(contents, data, processes), {}
        with (
            closing(images.squares()) as squares,
            closing(images.shaped()) as shaped,
            Progress("shard", sum(counts.values()), "images") as progress,
        ):
            for split, count in counts.items():
                usable = squares if data.shapes and split != "train" else shaped
                indexes[split] = write_split(out_dir, split, islice(usable, count), contents.classes, data, progress)
    check_rejects(images.rejects, images.opened, data)
    rejects = sorted(
        map(asdict, contents.rejects + images.rejects), key=lambda reject: (reject["path"], reject["reason"])
    )
    name = xxhash.xxh3_128_hexdigest(json.dumps([indexes[split] for split in SPLITS]).encode())
    for split, index in indexes.items():
        print(f"{split}: {index['count']} of {counts[split]} images, {len(rejects)} rejects", file=sys.stderr)
        shared = {"rejects": rejects, "read": images.opened + len(contents.rejects), "set": name}
        documents.write(out_dir / f"{split}.json", "split", index | shared)


def check_rejects(rejects: list[Reject], of: int, data: Data) -> None:
    """Raises ValueError when the rejects are more than the tolerated share."""
    if len(rejects) <= data.rejects_tolerated * of:
        return
    first = "; ".join(f"{reject.path}: {reject.reason}" for reject in rejects[:NAMED])
    more = f"; and {len(rejects) - NAMED} more" if len(rejects) > NAMED else ""
    raise ValueError(
        f"at least {len(rejects)} of {of} images cannot be used, more than the share of {data.rejects_tolerated:g} that"
        f" data.rejects_tolerated allows; repair or remove them, or raise it: {first}{more}"
    )


def _clear(out_dir: Path) -> None:
    """Removes what an earlier call wrote, indexes first, and what a killed one left behind. Every split has a folder, if an empty
    one."""
    for split in SPLITS:
        (out_dir / f"{split}.json").unlink(missing_ok=True)
        table.path_of(out_dir / f"{split}.json").unlink(missing_ok=True)
    for split in SPLITS:
        (out_dir / split).mkdir(parents=True, exist_ok=True)
        for file in [*(out_dir / split).glob("shard-*.tar"), *(out_dir / split).glob(".shard-*")]:
            file.unlink()
    for folder in out_dir.glob(f"{SCRATCH}*"):
        shutil.rmtree(folder)


def write_split(
    out_dir: Path,
    split: str,
    images: Iterator[tuple[Record, bytes]],
    classes: list[str],
    data: Data,
    progress: Progress,
) -> dict:
    """Writes the shards of one split and gives its index, as yet without rejects."""
    labels, class_counts = {name: label for label, name in enumerate(classes)}, Counter()
    entries: dict[Shape, list[dict]] = {shape: [] for shape in data.training_shapes}
    rows = {shape: table.Rows() for shape in data.training_shapes}
    with ExitStack() as stack:
        underway, add = {shape: stack.enter_context(ExitStack()) for shape in entries}, {}  # one shard of each shape
        for record, png in images:
            shape, label = png_shape(png), labels[record.class_name]
            own = entries[shape]
            if not own or own[-1]["count"] == data.shard_size:
                underway[shape].close()
                number = sum(map(len, entries.values()))
                own.append({"file": f"{split}/shard-{number:05d}.tar", "count": 0})
                add[shape] = underway[shape].enter_context(_shard(out_dir, own[-1], number * data.shard_size))
            rows[shape].add(len(own) - 1, *add[shape](_description(record, label), png), label, *shape)
            class_counts[label] += 1
            progress.advance(1)
    before = accumulate(map(len, entries.values()), initial=0)  # shards listed before those of a shape
    placed = [own.behind(shards) for own, shards in zip(rows.values(), before, strict=False)]
    for entry in (entry for own in entries.values() for entry in own):
        entry["size"] = (out_dir / entry["file"]).stat().st_size
    return {
        "split": split,
        "image_size": data.image_size,
        "source": data.source,
        "count": class_counts.total(),
        "classes": classes,
        "class_counts": [class_counts[label] for label in range(len(classes))],
        "shards": [entry for own in entries.values() for entry in own],
        "table": table.save(out_dir / f"{split}.json", np.concatenate(placed)),
    }


@contextmanager
def _shard(out_dir: Path, entry: dict, first: int) -> Iterator[Callable[[bytes, bytes], tuple[int, ...]]]:
    """Adds samples, each a description and an image, to the shard of an index's entry, which is complete in the end.

    Adding gives offset, size and checksum of the image, and of the description.
    """
    with atomic(out_dir / entry["file"]) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:

        def add(description: bytes, png: bytes) -> tuple[int, ...]:
            key = f"{first + entry['count']:08d}"
            entry["count"] += 1
            text, image = _add(tar, f"{key}.json", description), _add(tar, f"{key}.png", png)
            return image, len(png), member_sum(png), text, len(description), member_sum(description)

        yield add


def _description(record: Record, label: int) -> bytes:
    """The JSON member that stands beside an image."""
    description = {
        "label": label,
        "class": record.class_name,
        "caption": record.caption,
        "attributes": record.attributes,
        "source": record.source,
        "named": record.named,
    }
    return json.dumps(description).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Appends a member that says nothing about when and by whom it was written; gives where its bytes begin."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    begins = tar.offset + len(member.tobuf(tar.format))
    tar.addfile(member, io.BytesIO(content))
    return begins
