"""Measures what a split of any size costs to open, in every process anew, and how fast it is read when nothing of it is cached.

python benchmarks/reader.py                      # 20 000, 320 000 and 1 280 000 images of 16 pixels, 4 GB of files
python benchmarks/reader.py 20000 --folder DIR   # of one size; DIR keeps what was made for it
python benchmarks/reader.py 10000 --size 256     # large images; reading is compared with reading the same files in order
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from asymflow import documents
from asymflow.config.data import Data
from asymflow.data import batches
from asymflow.data.batches import Batches
from asymflow.data.reader import ShardReader
from asymflow.data.records import Record
from asymflow.data.shards import write_split
from asymflow.progress import Progress

WINDOW = 8  # shards
BATCH, MOST = 64, 20_000  # images of a batch, and in all that are read
CLASSES = [f"class {number}" for number in range(1000)]
OPENING = """
import json, resource, sys, time
from asymflow.data.reader import ShardReader
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before, start = resident(), time.perf_counter()
reader = ShardReader(sys.argv[1])
opened = time.perf_counter()
labels = reader.labels
print(json.dumps([opened - start, time.perf_counter() - opened, resident() - before, len(labels)]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="*", default=[20_000, 320_000, 1_280_000])
    parser.add_argument("--folder", type=Path, help="where the images are made, and stay; none: a temporary folder")
    parser.add_argument("--size", type=int, default=16, help="side of the images in pixels")
    arguments = parser.parse_args()
    head = "| images | index, table, MB | opening, s | labels, s | memory, MB | files in order, MB/s | in windows | all mixed |"
    print(f"{head}\n|---|---|---|---|---|---|---|---|")
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as temporary:
            index = (arguments.folder or Path(temporary)) / str(count) / "train.json"
            if not index.is_file():
                make(index, count, arguments.size)
            size = sum(file.stat().st_size for file in (index, index.with_suffix(".samples.npy")))
            said = subprocess.run([sys.executable, "-c", OPENING, index], capture_output=True, text=True, check=True)
            opening, labels, memory, found = json.loads(said.stdout)
            assert found == count
            plain, mixed, windows = in_order(index), read(index, None), read(index, WINDOW)
            print(
                f"| {count:,} | {size / 1e6:.1f} | {opening:.3f} | {labels:.3f} | {memory / 1e6:.0f} | {plain / 1e6:.0f} |"
                f" {windows / plain:.0%} | {mixed / plain:.0%} |",
                flush=True,
            )


def in_order(index: Path) -> float:
    """Bytes a second of reading the shards one after another in large blocks, as dd does."""
    files, start, size = forget(index), time.perf_counter(), 0
    for file in files:
        with open(file, "rb", buffering=0) as opened:
            while block := opened.read(1 << 20):
                size += len(block)
    return size / (time.perf_counter() - start)


def read(index: Path, window: int | None) -> float:
    """Bytes of files a second of reading and decoding all images, or the first, in the order of a training."""
    files, reader = forget(index), ShardReader(index)
    images = min(len(reader), MOST)
    share = images / len(reader)
    batches.MEMORY_BYTES = 0
    supply = Batches(reader, images=images - images % BATCH, batch=BATCH, seed=0, window=window)
    start = time.perf_counter()
    for _ in supply.starting_at(0, workers=os.cpu_count() or 1):
        pass
    return share * sum(file.stat().st_size for file in files) / (time.perf_counter() - start)


def forget(index: Path) -> list[Path]:
    """The shards, none of whose bytes is cached any more."""
    files = sorted((index.parent / index.stem).glob("*.tar"))
    for file in files:
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return files


def make(index: Path, count: int, size: int) -> None:
    """A split of so many images, the same few again and again: what is measured does not look at them."""
    index.parent.mkdir(parents=True, exist_ok=True)
    data = Data(source="folder", path="nowhere", image_size=size, train=count)
    with Progress("making", count, "images") as progress:
        written = write_split(index.parent, "train", samples(count, size), CLASSES, data, progress)
    documents.write(index, "split", written | {"rejects": [], "read": count, "set": "made for a benchmark"})


def samples(count: int, size: int) -> Iterator[tuple[Record, bytes]]:
    """Records with their PNG files."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, size, size, 3), dtype=np.uint8)
    files = []
    for image in pixels:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG", compress_level=0)
        files.append(buffer.getvalue())
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        yield (
            Record(str(number), None, name, f"a photo of a {name}", {}, f"{name}/{number:08d}.png"),
            files[number % 50],
        )


if __name__ == "__main__":
    main()
