"""Measures stage shard on a folder of many JPEG files of mixed sizes, some of them too small, against decoding them alone.

python benchmarks/sharding.py                    # 100 000 files, 2 % of them with a side below 64 pixels
python benchmarks/sharding.py --count 5000 --folder DIR
"""

import argparse
import json
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from asymflow.config.data import Data
from asymflow.data.shards import write_splits

TARGET, SMALL = 64, 0.02  # pixels, share of images with a smaller side
LARGEST = 320


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the files are made, and stay; none: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        source = (arguments.folder or Path(temporary)) / f"jpeg{arguments.count}"
        if not source.is_dir():
            with ProcessPoolExecutor() as pool:
                list(pool.map(partial(make, source), range(100), [arguments.count // 100] * 100))
        files = sorted(source.rglob("*.jpg"))
        start = time.perf_counter()
        with ProcessPoolExecutor() as pool:
            pixels = sum(pool.map(decode, files, chunksize=200))
        decoding = len(files) / (time.perf_counter() - start)
        data = Data(
            source="folder",
            path=str(source),
            image_size=TARGET,
            small="enlarge",
            train=None,
            evaluator=1000,
            heldout=1000,
        )
        start = time.perf_counter()
        out = Path(temporary) / "shards"
        out.mkdir()
        write_splits(data, out, os.cpu_count() or 1)
        sharding = len(files) / (time.perf_counter() - start)
        index = json.loads((out / "train.json").read_text(encoding="utf-8"))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print("| files | megapixels | decoding, images/s | stage shard, images/s | share | rejects | memory, MB |")
        print("|---|---|---|---|---|---|---|")
        print(
            f"| {len(files):,} | {pixels / 1e6:.0f} | {decoding:.0f} | {sharding:.0f} | {sharding / decoding:.0%} |"
            f" {len(index['rejects'])} | {memory:.0f} |"
        )


def make(source: Path, part: int, count: int) -> None:
    """Writes the files of one class."""
    draws = np.random.default_rng(part)
    folder = source / f"class{part:03d}"
    folder.mkdir(parents=True)
    noise = Image.fromarray(draws.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    for number in range(count):
        low, high = (16, TARGET) if draws.random() < SMALL else (TARGET, LARGEST)
        width, height = int(draws.integers(low, high)), int(draws.integers(max(low, TARGET), LARGEST))
        noise.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number:05d}.jpg", quality=85)


def decode(file: Path) -> int:
    """Pixels of a file."""
    with Image.open(file) as image:
        image.load()
        return image.width * image.height


if __name__ == "__main__":
    main()
