import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from pictures import contents

from asymflow.config.data import Data
from asymflow.data import portraits
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits

SMALL = {"image_size": 32, "train": 12, "evaluator": 5, "heldout": 3, "shard_size": 5}


def command(config: dict, out: Path, processes: int) -> list[str]:
    stage = [sys.executable, "-m", "asymflow.stages.shard", "--config", Data(**config).model_dump_json()]
    return [*stage, "--out-dir", str(out), "--processes", str(processes)]


def test_the_embedded_set_is_written_with_the_same_bytes_by_one_process_and_by_two(tmp_path):
    write_splits(Data(**SMALL), tmp_path / "1", 1)
    subprocess.run(command(SMALL, tmp_path / "2", 2), check=True, capture_output=True)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    persons = []
    for split, count in {"heldout": 3, "evaluator": 5, "train": 12}.items():
        reader = ShardReader(tmp_path / "1" / f"{split}.json")
        assert len(reader) == count
        persons += [(reader[i][0].permute(1, 2, 0).numpy(), reader.record(i)) for i in range(count)]
    for i, (pixels, record) in enumerate(persons):
        person = portraits.portrait(0, i)
        assert np.array_equal(pixels, portraits.render(person, 32))
        assert (record["label"], record["caption"]) == (portraits.label(person), portraits.caption(person))
        assert record["attributes"] == portraits.attributes(person)


def test_a_killed_run_leaves_no_index_and_the_next_one_is_whole(tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(command(SMALL | {"train": 5000}, out, 1), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (out / "train" / "shard-00000.tar").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / "train" / "shard-00000.tar").exists()
    assert not list(out.glob("*.json"))
    for folder in (out, tmp_path / "fresh"):
        write_splits(Data(**SMALL), folder, 1)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_log_file_gets_plain_lines_with_progress(tmp_path):
    done = subprocess.run(command(SMALL, tmp_path, 1), check=True, capture_output=True, text=True)
    assert "shard: 20/20 images (100 %)" in done.stderr
    assert "\r" not in done.stderr


def test_what_cannot_be_read_ends_the_stage_with_the_reason_and_no_index(tmp_path):
    (tmp_path / "photos").mkdir()
    config = {"source": "folder", "path": str(tmp_path / "photos"), "train": None}
    done = subprocess.run(command(config, tmp_path / "out", 1), capture_output=True, text=True)
    assert done.returncode
    assert "has no images: it is empty" in done.stderr
    assert not list((tmp_path / "out").glob("*.json"))


def test_the_stage_imports_no_torch():
    code = "import json, sys, asymflow.stages.shard; print(json.dumps('torch' in sys.modules))"
    assert not json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
