"""Images against those that began with the same noise and caption, and against those of their neighbours."""

import json

import numpy as np
import pytest
import torch
from distances import Distance, Given
from workshop import run_stage

from asymflow import documents
from asymflow.files import checksum
from asymflow.metrics import evaluators, perceptual
from asymflow.metrics.evaluators import Evaluator, Look
from asymflow.report import tables
from asymflow.stages import pairs

ONES = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
OTHERS = [(0, 102, 0), (204, 0, 153), (153, 204, 0)]
# of the pairs (0, 2), (1, 0), (2, 1), in steps of 51, each 0.4 of [-1, 1]: sums of squares over three channels, and cosines
APART = {"lpips_local": 0.4**2 * ((2**2 + 4**2) + 3**2 + (4**2 + 2**2)) / 9, "similarity_local": (0.6 + 1 + 0.6) / 3}
# of the pairs (0, 0), (1, 1), (2, 2)
TOGETHER = {
    "lpips_local": 0.4**2 * ((5**2 + 2**2) + (4**2 + 5**2 + 3**2) + (3**2 + 4**2 + 5**2)) / 9,
    "similarity_local": 0,
}


class ByColour(Evaluator):
    """Sees the mean colour."""

    name = "local"

    def look(self, images):
        return Look(images.float().mean((2, 3)), torch.ones(len(images), 1))


def flat(colours):
    return np.array(colours, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(5, 2)


@pytest.mark.parametrize("batch", [50, 2])
@pytest.mark.parametrize(("shift", "expected"), [(0, TOGETHER), (1, APART)])
def test_image_i_goes_with_number_i_less_shift_of_the_others(monkeypatch, batch, shift, expected):
    monkeypatch.setattr(pairs, "BATCH", batch)
    found = pairs.alike(flat(ONES), flat(OTHERS), shift, Distance(), ByColour())
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_lpips_is_given_black_as_minus_one_and_white_as_one():
    black, white = flat([(0, 0, 0)]), flat([(255, 255, 255)])
    assert pairs.alike(black, white, 0, Given(), ByColour())["lpips_local"] == pytest.approx(9, rel=1e-6)
    assert pairs.alike(white, black, 0, Given(), ByColour())["lpips_local"] == pytest.approx(-9, rel=1e-6)
    assert pairs.alike(black, black, 0, Given(), ByColour())["lpips_local"] == pytest.approx(-11, rel=1e-6)


def test_the_table_has_each_run_beside_the_reference_of_its_seed_paired_and_shuffled(tmp_path, monkeypatch):
    monkeypatch.setattr(perceptual, "load", lambda path, backbone, device: Distance())
    monkeypatch.setattr(evaluators, "load", lambda evaluator, device: ByColour())
    for (arm, seed), colours in {("own", 0): ONES, ("own", 1): OTHERS, ("base", 0): OTHERS, ("base", 1): ONES}.items():
        np.save(tmp_path / f"{arm}{seed}.npy", flat(colours))
        documents.write(tmp_path / f"{arm}{seed}.json", "sampling", {"file": checksum(tmp_path / f"{arm}{seed}.npy")})
    study = {
        "name": "lift", "reference": "base", "judges": [], "seeds": [0, 1], "arms": {"own": {}, "base": {}},
        "samplings": {"bare": {}}, "files": {"samples": "{arm}{seed}.npy"}, "configurations": {},
    }  # fmt: skip
    run_stage(pairs, study=json.dumps(study), root=tmp_path, evaluator="none", out=tmp_path / "pairs.csv")
    table = tables.read(tmp_path / "pairs.csv").set_index(["arm", "seed"])
    assert (table["reference"] == "base").all() and (table["pairs"] == 3).all()
    for name in TOGETHER:
        assert table.loc[("own", 0), f"{name}_paired"] == pytest.approx(TOGETHER[name], rel=1e-5, abs=1e-6)
        assert table.loc[("own", 0), f"{name}_shuffled"] == pytest.approx(APART[name], rel=1e-5)
    assert (table.loc["base", "lpips_local_paired"] == 0).all()
    assert table.loc["base", "similarity_local_paired"].tolist() == pytest.approx([1, 1])
    # pure colours differ in two channels by 5 steps, and have nothing in common
    assert table.loc[("base", 1), "lpips_local_shuffled"] == pytest.approx(0.4**2 * 2 * 5**2 / 3, rel=1e-5)
    assert table.loc[("base", 1), "similarity_local_shuffled"] == pytest.approx(0, abs=1e-6)
