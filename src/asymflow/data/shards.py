"""Writing the splits: WebDataset tar files of lossless images, and an index for each split.

    train.json               {"split", "image_size", "source", "count", "classes", "class_counts", "shards", "rejects",
                              "read"}
    train/shard-00000.tar    00000000.json, 00000000.png, 00000001.json, ...

`classes` names the labels in order, `shards` lists {"file": path from the index, "count", "sha256"}, `rejects` all that
the source had and could not be used as {"path", "reason"}, and `read` is how many images were looked at. These two are
the same for every split. A sample's JSON has "label", "class", "caption", "attributes", "named" (those that the caption names)
and "source" (its path in the source).

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
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from asymflow.config.data import Data
from asymflow.data.encode import encoded
from asymflow.data.records import Record, Reject
from asymflow.data.sources import listing, split_counts
from asymflow.files import atomic, sha256
from asymflow.progress import Progress

SPLITS = ("train", "evaluator", "heldout")
NAMED = 5  # rejects that an error names
SCRATCH = ".fetched-"  # name of the folder for remote tar files, which is gone in the end


class Images:
    """The usable images of a listing, once over, as (record, PNG file), with count of those opened and rejected."""

    def __init__(self, records: list[Record], data: Data, processes: int):
        self.opened, self.rejects = 0, []
        self._records, self._data, self._processes = records, data, processes

    def __iter__(self) -> Iterator[tuple[Record, bytes]]:
        size, compression = self._data.image_size, self._data.compression
        results = encoded(self._records, size=size, compression=compression, processes=self._processes)
        with closing(results):
            for record, result in results:
                self.opened += 1
                if isinstance(result, Reject):
                    self.rejects.append(result)
                    if len(self.rejects) > NAMED:  # enough to tell, and maybe more than all the others can make up for
                        check_rejects(self.rejects, len(self._records), self._data)
                else:
                    yield record, result


def write_splits(data: Data, out_dir: Path, processes: int) -> None:
    """Writes train.json, evaluator.json and heldout.json with their shards into a folder.

    The indexes are written last, together, and those of an earlier call are removed first: while there is an index, its
    shards are whole. Raises ValueError when the source cannot be read, has too few images, or has too many rejects.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    _clear(out_dir)
    with TemporaryDirectory(dir=out_dir, prefix=SCRATCH) as scratch:
        found = listing(data, Path(scratch))
        check_rejects(found.rejects, len(found.records) + len(found.rejects), data)
        counts = split_counts(data, len(found.records))
        images, indexes = Images(found.records, data, processes), {}
        with closing(iter(images)) as usable, Progress("shard", sum(counts.values()), "images") as progress:
            for split, count in counts.items():
                indexes[split] = _write_split(out_dir, split, islice(usable, count), found.classes, data, progress)
    check_rejects(images.rejects, images.opened, data)
    rejects = sorted(map(asdict, found.rejects + images.rejects), key=lambda reject: (reject["path"], reject["reason"]))
    for split, index in indexes.items():
        print(f"{split}: {index['count']} of {counts[split]} images, {len(rejects)} rejects", file=sys.stderr)
        _write_json(out_dir / f"{split}.json", index | {"rejects": rejects, "read": images.opened + len(found.rejects)})


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
    """Removes what an earlier call wrote, indexes first, and what a killed one left behind."""
    for split in SPLITS:
        (out_dir / f"{split}.json").unlink(missing_ok=True)
    for split in SPLITS:
        for file in [*(out_dir / split).glob("shard-*.tar"), *(out_dir / split).glob(".shard-*.tar")]:
            file.unlink()
    for folder in out_dir.glob(f"{SCRATCH}*"):
        shutil.rmtree(folder)


def _write_split(
    out_dir: Path,
    split: str,
    images: Iterator[tuple[Record, bytes]],
    classes: list[str],
    data: Data,
    progress: Progress,
) -> dict:
    """Writes the shards of one split and gives its index, as yet without rejects."""
    labels, shards, class_counts = {name: label for label, name in enumerate(classes)}, [], Counter()
    while first := next(images, None):
        shard = chain([first], islice(images, data.shard_size - 1))
        file = f"{split}/shard-{len(shards):05d}.tar"
        with atomic(out_dir / file) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, (record, png) in enumerate(shard):
                key, label = f"{len(shards) * data.shard_size + number:08d}", labels[record.class_name]
                _add(tar, f"{key}.json", _description(record, label))
                _add(tar, f"{key}.png", png)
                class_counts[label] += 1
                progress.advance(1)
        shards.append({"file": file, "count": number + 1, "sha256": sha256(out_dir / file)})
    return {
        "split": split,
        "image_size": data.image_size,
        "source": data.source,
        "count": class_counts.total(),
        "classes": classes,
        "class_counts": [class_counts[label] for label in range(len(classes))],
        "shards": shards,
    }


def _description(record: Record, label: int) -> bytes:
    """The JSON member that stands beside an image."""
    told = {
        "label": label,
        "class": record.class_name,
        "caption": record.caption,
        "attributes": record.attributes,
        "source": record.source,
        "named": record.named,
    }
    return json.dumps(told).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Appends a member that says nothing about when and by whom it was written."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _write_json(path: Path, value: dict) -> None:
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")
