"""Measures how long it takes, and how much memory, to open a split of any size, in every process anew.

python benchmarks/reader.py                      # 20 000, 320 000 and 1 280 000 images of 16 pixels, 4 GB of files
python benchmarks/reader.py 20000 --folder DIR   # of one size; DIR keeps what was made for it
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from asymflow import documents
from asymflow.config.data import Data
from asymflow.data.records import Record
from asymflow.data.shards import write_split
from asymflow.progress import Progress

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
    arguments = parser.parse_args()
    print("| images | index and table, MB | opening, s | labels, s | memory, MB |\n|---|---|---|---|---|")
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as temporary:
            index = (arguments.folder or Path(temporary)) / str(count) / "train.json"
            if not index.is_file():
                make(index, count)
            size = sum(file.stat().st_size for file in (index, index.with_suffix(".samples.npy")))
            said = subprocess.run([sys.executable, "-c", OPENING, index], capture_output=True, text=True, check=True)
            opening, labels, memory, found = json.loads(said.stdout)
            assert found == count
            print(f"| {count:,} | {size / 1e6:.1f} | {opening:.3f} | {labels:.3f} | {memory / 1e6:.0f} |", flush=True)


def make(index: Path, count: int) -> None:
    """A split of so many images, the same few again and again: what is measured does not look at them."""
    index.parent.mkdir(parents=True, exist_ok=True)
    data = Data(source="folder", path="nowhere", image_size=16, train=count)
    with Progress("making", count, "images") as progress:
        written = write_split(index.parent, "train", samples(count), CLASSES, data, progress)
    documents.write(index, "split", written | {"rejects": [], "read": count, "set": "made for a benchmark"})


def samples(count: int) -> Iterator[tuple[Record, bytes]]:
    """Records with their PNG files."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
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
