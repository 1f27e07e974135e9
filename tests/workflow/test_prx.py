"""prx-tg's studies: their graphs at every scale, and the smallest ones run from end to end."""

import json

import pandas as pd
import pytest
import torch

from asymflow.config.loading import load
from asymflow.models.condition import Shapes
from asymflow.models.cost import parameters
from asymflow.models.nanodit import build

pytestmark = pytest.mark.slow  # a study of its own, made by the fixture

RESULTS = "results/smoke/"
STUDIES = {
    "prx_arms": {"arms": ["prx_d", "prx_g"]},
    "prx_snapshots": {"samplings": ["prx_part2", "prx_part4"]},
    "data_sweep": {"arms": ["data250_rank8", "prx_d"]},
}
TABLES = [f"{RESULTS}{name}.csv" for name in STUDIES] + [f"{RESULTS}prx_arms_paired.csv"]
FIGURES = [
    *(f"{RESULTS}figures/{name}.png" for name in STUDIES),
    *(f"{RESULTS}figures/data_sweep_{shows}.png" for shows in ("curves", "progression", "nearest_images", "samples")),
]


def jobs(project, scale, target):
    """How many jobs of each rule a target needs at a scale."""
    project.overlays = (f"workflow/scales/{scale}.yaml",)
    return project.stale(target)


def experiment(folder, scale):
    return load(
        [
            folder / name
            for name in (
                "workflow/config.yaml",
                "workflow/studies.yaml",
                "workflow/claims.yaml",
                f"workflow/scales/{scale}.yaml",
            )
        ]
    )


@pytest.fixture(scope="module")
def studied(copied, tmp_path_factory):
    """The finished project with these studies done too."""
    made = copied(tmp_path_factory.mktemp("prx") / "copy")
    made.overlay({"studies": STUDIES})
    result = made.run(*TABLES, *FIGURES)
    assert result.returncode == 0, result.stdout + result.stderr
    return made


def test_configuration_alone_moves_the_study_to_the_published_scale(fresh):
    """Nothing is trained for judges there, and every arm has the published code's number of parameters."""
    counts = jobs(fresh, "prx_ffhq1024", "results/prx_ffhq1024/prx_arms.csv")
    once = dict.fromkeys(("shard", "reference", "suite", "floors", "table"), 1)
    twice = dict.fromkeys(("embed_captions", "embed_images", "fit_subspace"), 2)
    assert counts == once | twice | {"train": 10, "sample": 10, "score": 30}
    chosen = experiment(fresh.folder, "prx_ffhq1024")
    assert chosen.data.image_size == 1024 and chosen.embeddings.text == "google-t5/t5-large"
    with torch.device("meta"):
        network = build(
            chosen.arms["prx_d"].network, dimension=768, grid=(64, 64), generator=None, checkpointing=False,
            shapes=Shapes(caption=(512, 1024), embedding=1024, patches=(4096, 1024), joints=133),
        )  # fmt: skip
        projector = torch.nn.Linear(network.width, 1024, bias=False)
    assert parameters(network) + parameters(projector) == 239_571_540


def test_the_published_protocol_is_an_overlay(fresh):
    chosen = experiment(fresh.folder, "prx_published")
    d, g = (chosen.arms[name] for name in ("prx_d", "prx_g"))
    assert g.target.dead and not d.target.dead and g.target.basis == "identity"
    assert all(arm.training.averages[0] == "stale" and arm.network.modulation_start == "xavier" for arm in (d, g))
    assert chosen.suite.split == "train" and not chosen.samplings["self_guided"].paired
    counts = jobs(fresh, "prx_published", "results/prx_published/prx_arms.csv")
    assert counts["train"] == len(chosen.studies["prx_arms"].arms) == 4


def test_each_arm_has_a_row_with_intervals_beside_the_published_numbers_and_the_floors(studied):
    table = pd.read_csv(studied.folder / RESULTS / "prx_arms.csv").set_index("arm")
    measured = table[table["seed"].notna()]
    assert list(measured.index) == ["prx_d", "prx_g"]
    for name in ("recon_lpips_local", "text_lpips_local", "edited_accuracy_local", "memorised_similarity_local"):
        assert (measured[f"{name}_low"] <= measured[name]).all() and (measured[name] <= measured[f"{name}_high"]).all()
    assert measured.loc["prx_d", "published_recon_lpips"] == 0.9267
    assert table.loc["floor: the image itself", "recon_lpips_local"] == 0
    paired = pd.read_csv(studied.folder / RESULTS / "prx_arms_paired.csv")
    assert set(paired["arm"]) == {"prx_d", "prx_g"} and (paired.query("arm == 'prx_d'")["difference"] == 0).all()


def test_the_data_sweep_knows_how_many_images_each_arm_had(studied):
    table = pd.read_csv(studied.folder / RESULTS / "data_sweep.csv").set_index("arm")
    assert table.loc["data250_rank8", "set_images"] == 16 and table.loc["prx_d", "set_images"] == 96
    run = studied.folder / RESULTS / "runs/data250_rank8/seed0/bare"
    nearest = json.loads((run / "memorisation.json").read_text())["nearest"]
    assert len(nearest["train"]) == 2 * 8 and max(nearest["train"]) < 16


def test_nothing_is_left_to_do_and_another_sampling_trains_nothing(studied):
    assert studied.stale(*TABLES, *FIGURES) == {}
    with studied.restoring("changes.yaml"):
        studied.overlay({"studies": STUDIES, "samplings": {"bare": {"steps": 3}}})
        stale = studied.stale(*TABLES, *FIGURES)
    assert "train" not in stale
    assert stale["sample"] == 7, "three arms, and two snapshots of two of them, whose settings differ from that one"
