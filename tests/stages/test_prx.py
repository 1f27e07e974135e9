"""The arms of prx-tg through their stages: its remedies, its control, its validation suite."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from workshop import PRX, run_stage

from asymflow.data.suite import Suite
from asymflow.report import tables
from asymflow.stages import curves, floors, nearest_images, paired, progression, suite
from asymflow.training import checkpoint

BASE = {
    "network": {"kind": "nanodit", "tread": 0.5},
    "conditions": PRX,
    "target": {"rank": 0},
    "losses": {"alignment": {"block": 2, "teacher": "embedded"}},
    "training": {"optimiser": "muon", "weight_decay": 0.03},
}
KINDS = {"text": 20, "reconstruction": 4, "swap": 4, "original": 5, "edited": 5, "told": 5, "retold": 5, "memory": 4}
ALIGNED = BASE["losses"]


@pytest.fixture(scope="module")
def prx(workshop):
    workshop.arm("prx", **BASE)
    return workshop


def other(prx, name, **parts):
    return prx.arm(name, **(BASE | parts))


def weights(prx, name, kind="last"):
    return checkpoint.load_model(prx.train(name) / "model.safetensors", kind).weights


def bare(prx, name, setting="bare", **settings):
    return prx.sample(name, setting, **({"asks": "cases", "solver": "euler"} | settings))


def test_the_suite_asks_what_was_configured(prx):
    made = Suite.load(Path(prx.plan.paths.suite(16)))
    assert made.counts() == KINDS and made.split == "heldout"
    swap = made.of_kind("swap")[0]
    assert torch.equal(made.rows["embedding"][swap], made.rows["embedding"][made.of_kind("text")[1]])
    assert torch.equal(made.rows["text"][swap], made.rows["text"][made.of_kind("text")[0]])
    edited, original = made.of_kind("edited"), made.of_kind("original")
    assert torch.equal(made.rows["patches"][edited], made.rows["patches"][original])
    assert not torch.equal(made.rows["text"][edited], made.rows["text"][original])
    assert not torch.equal(made.wanted[edited], made.wanted[original])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("bare_losses", {"network": {"kind": "nanodit"}, "losses": {}}),
        ("faces", {"losses": ALIGNED | {"places": {"face": 2.0, "elsewhere": 0.5}}}),
        ("rank8", {"target": {"rank": 8}}),
        ("velocity", {"target": {"rank": "full"}}),
        ("fading", {"losses": {"alignment": ALIGNED["alignment"] | {"fades": (0.2, 0.4)}}}),
        ("shared", {"network": BASE["network"] | {"modulation": "shared"}}),
        ("scan", {"network": BASE["network"] | {"mixer": "scan"}}),
        ("xavier", {"network": BASE["network"] | {"modulation_start": "xavier"}}),
        ("adamw", {"training": {"optimiser": "adamw"}}),
        ("whole_muon", {"training": BASE["training"] | {"muon_embedding": True}}),
        ("from_pca", {"start": {"pca": 32}}),
        (
            "joints",
            {"conditions": {"shown": [{"share": 0.5}, {"share": 0.5, "what": ["caption", "joints"]}], "joints": 3}},
        ),
    ],
)
def test_every_remedy_changes_what_is_trained(prx, name, parts):
    base, own = weights(prx, "prx"), weights(prx, other(prx, name, **parts))
    assert all(value.isfinite().all() for value in own.values())
    assert set(base) != set(own) or any(not torch.equal(base[key], own[key]) for key in base)


def test_a_dead_target_trains_what_x_0_prediction_does_bit_for_bit(prx):
    """prx-tg's published arms D and G: its asymmetric target, a padded identity, is never read."""
    target = {"rank": 8, "basis": "identity"}
    dead, alive = other(prx, "prx_dead", target=target | {"dead": True}), other(prx, "prx_alive", target=target)
    for kind in ("ema_32", "last"):
        one, same, third = (weights(prx, name, kind) for name in ("prx", dead, alive))
        assert all(torch.equal(one[key], same[key]) for key in one)
        assert any(not torch.equal(one[key], third[key]) for key in one)
    assert np.array_equal(bare(prx, "prx"), bare(prx, dead))


def test_unpaired_edits_begin_with_another_noise_and_paired_ones_do_not(prx):
    together, apart = (bare(prx, "prx", f"paired_{p}", paired=p) for p in (True, False))
    made = Suite.load(Path(prx.plan.paths.suite(16)))
    rows = made.of_kind("edited") + made.of_kind("retold")
    others = [i for i in range(len(together)) if i not in rows]
    assert np.array_equal(together[others], apart[others])
    assert not np.array_equal(together[rows], apart[rows])


def test_averaged_and_last_weights_draw_differently(prx):
    average, last = (bare(prx, "prx", name, weights=name) for name in ("ema_32", "last"))
    assert not np.array_equal(average, last)


def test_guidance_of_every_kind_changes_the_samples(prx):
    drawn = [bare(prx, "prx", kind, guidance={"kind": kind}) for kind in ("none", "dual", "routing")]
    assert not any(np.array_equal(one, other) for one, other in pairwise(drawn))


def test_answers_have_an_interval_each_and_the_true_images_are_the_best(prx):
    bare(prx, "prx")
    scores = prx.score("prx", "bare", "suite")
    metrics = scores["metrics"]
    for name, values in scores["per_case"].items():
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]
        assert np.mean(values) == pytest.approx(metrics[name], abs=1e-5)
    assert scores["samples"] == sum(KINDS.values())
    out = prx.folder / "floors.csv"
    run_stage(floors, suite=prx.plan.paths.suite(16), perceptual=prx.plan.paths.perceptual,
            evaluator=prx.plan.paths.evaluator, out=out)  # fmt: skip
    floor = tables.read(out).set_index("arm")
    assert floor.loc["floor: the image itself", "recon_lpips_local"] == 0 < metrics["recon_lpips_local"]
    assert floor.loc["floor: no edit", "manipulation_lpips_local"] == 0
    assert set(floor.columns) <= set(metrics)


def test_floors_are_the_image_itself_its_original_blurred_another_and_noise():
    squares = torch.randint(0, 256, (5, 3, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = squares.repeat_interleave(8, -2).repeat_interleave(8, -1)
    wanted = dict(zip(("text", "original", "edited", "told", "retold"), images, strict=True))
    drawn = floors.drawings(wanted)
    assert all(drawings.keys() == wanted.keys() for drawings in drawn.values())
    for kind, own in wanted.items():
        assert torch.equal(drawn["the image itself"][kind], own)
        edited = {"edited": "original", "retold": "told"}
        assert torch.equal(drawn["no edit"][kind], wanted[edited.get(kind, kind)])
        assert torch.equal(drawn["another image"][kind], own[[2, 0, 1]])
        # by 2 of 32 pixels, cut off at 6: what is farther from the border than that does not see it
        blurred = gaussian_filter(own.double().numpy(), (0, 0, 2, 2), truncate=3)[..., 6:26, 6:26]
        found = drawn["the image, blurred"][kind][..., 6:26, 6:26].double().numpy()
        np.testing.assert_allclose(found, blurred, rtol=0, atol=0.51)  # rounded to 8 bits
        noise = drawn["noise"][kind]
        assert noise.shape == own.shape and noise.dtype == torch.uint8
        mean, deviation = noise.double().mean().item(), noise.double().std().item()
        assert mean == pytest.approx(127.5, abs=3) and deviation == pytest.approx(256 / 12**0.5, abs=3)
    assert not any(torch.equal(one, other) for one, other in pairwise(drawn["noise"].values()))


def study(prx, *arms, files=()):
    fields = dict.fromkeys(("name", "title", "figure"), "q") | {
        "reference": arms[0],
        "judges": ["suite"],
        "bases": {},
        "configurations": {},
    }
    lying = {file: prx.plan.paths.run(file) for file in files}
    return json.dumps(
        fields | {"seeds": [1], "arms": {arm: {} for arm in arms}, "samplings": {"bare": {}}, "files": lying}
    )


def test_an_arm_does_not_differ_from_itself_case_by_case(prx):
    rank8 = other(prx, "rank8", target={"rank": 8})
    for name in ("prx", rank8):
        bare(prx, name)
        for judge in ("suite", "memorisation"):
            prx.score(name, "bare", judge)
    given = study(prx, "prx", rank8, files=("suite", "memorisation"))
    run_stage(paired, study=given, out=prx.folder / "paired.csv")
    table = pd.read_csv(prx.folder / "paired.csv")
    own, its = (table[table["arm"] == arm] for arm in ("prx", "rank8"))
    assert (own[["difference", "low", "high"]] == 0).all(axis=None)
    assert ((its["low"] <= its["difference"]) & (its["difference"] <= its["high"])).all()
    assert (its["difference"] != 0).any() and {"recon_lpips_local", "memorised_lpips_local"} <= set(table["metric"])


def test_pictures_are_drawn(prx):
    bare(prx, "prx")
    prx.score("prx", "bare", "memorisation")
    splits = {name: prx.plan.paths.split(name) for name in ("train", "heldout")}
    for stage, option, files, more in (
        (curves, "figure", ("curve",), {}),
        (progression, "picture", ("samples",), {}),
        (nearest_images, "picture", ("samples", "memorisation"), splits),
    ):
        out = prx.folder / f"{stage.__name__}.png"
        run_stage(stage, study=study(prx, "prx", files=files), **more, **{option: out})
        assert out.stat().st_size > 2_000


def test_a_suite_that_asks_for_more_than_there_is_is_an_error(prx):
    config = prx.suite.model_copy(update={"texts": 31})
    with pytest.raises(ValueError, match=r"heldout.json has 30 images, but the suite asks for 31; raise data.heldout"):
        run_stage(
            suite, config=config.model_dump_json(), embeddings=prx.plan.section("embeddings"), reader="local",
            out=prx.folder / "none.safetensors", **prx.plan_inputs("suite", patch_size=16),
        )  # fmt: skip


def test_another_kind_of_file_is_not_a_model_and_not_a_suite(prx, tmp_path):
    shutil.copy(prx.plan.paths.suite(16), tmp_path / "wrong.safetensors")
    with pytest.raises(ValueError, match="holds 'validation suite'; expected 'model': delete it"):
        checkpoint.load_model(tmp_path / "wrong.safetensors")
    with pytest.raises(ValueError, match="holds 'model'; expected 'validation suite'"):
        Suite.load(prx.train("prx") / "model.safetensors")


def test_a_training_on_fewer_images_than_it_has_says_how_many(prx):
    few = other(prx, "few", training=BASE["training"] | {"set_images": 16})
    assert json.loads((prx.train(few) / "train.json").read_text())["set_images"] == 16
    many = other(prx, "many", training=BASE["training"] | {"set_images": 61})
    with pytest.raises(
        ValueError, match=r"training.set_images is 61, but .*train.json has 60 images; lower it, or raise"
    ):
        prx.train(many)


def test_no_image_of_training_is_a_network_as_it_begins_and_not_an_error(prx):
    """prx-tg's arms used to accept this and then divide by zero."""
    begun = other(prx, "begun", training=BASE["training"] | {"images": 0, "warmup_images": 0})
    summary = json.loads((prx.train(begun) / "train.json").read_text())
    assert summary["images"] == 0 and summary["images_per_second"] is None
    assert bare(prx, begun).shape[0] == sum(KINDS.values())
