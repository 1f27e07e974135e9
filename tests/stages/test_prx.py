"""The arms of prx-tg through their stages, on small portraits and a network of two heads."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from asymflow.config import nanodit
from asymflow.config.embeddings import Embeddings
from asymflow.config.prx_arm import PrxArm
from asymflow.config.prx_sampling import PrxSampling
from asymflow.config.scoring import Scoring
from asymflow.config.subspace import Subspace
from asymflow.config.suite import Suite as Config
from asymflow.data.cases import Suite
from asymflow.stages import (
    curves,
    embed,
    fit_perceptual,
    fit_subspace,
    floors,
    neighbours,
    paired,
    progression,
    reference,
    sample_prx,
    score_prx,
    suite,
    train_prx,
)
from asymflow.training import prx_checkpoint

BASE = {
    "network": {"patch_size": 16},
    "tread": {"share": 0.5},
    "alignment": {"weight": 0.5},
    "training": {
        "images": 64, "batch": 16, "warmup_images": 16, "ema_images": 32, "checkpoint_images": 32, "log_images": 16,
        "optimiser": "muon", "precision": "float32", "compile": "off",
    },
}  # fmt: skip
SUITE = Config(texts=12, reconstructions=4, swaps=4, edits=5, memories=4, resamples=50)
KINDS = {"text": 12, "reconstruction": 4, "swap": 4, "original": 5, "edited": 5, "told": 5, "retold": 5, "memory": 4}


class Track:
    """A folder in which the arms are made; each stage runs once for each set of options."""

    def __init__(self, run, portraits, folder):
        self.run, self.portraits, self.folder = run, portraits, folder
        for split in ("train", "heldout"):
            run(
                embed, config=Embeddings().model_dump_json(), patch_size=16, data=portraits / f"{split}.json",
                evaluator=portraits / "local.safetensors", out=folder / f"{split}.json",
            )  # fmt: skip
        run(
            suite, config=SUITE.model_dump_json(), embeddings=Embeddings().model_dump_json(),
            data=portraits / "heldout.json", embedded=folder / "heldout.json", train=portraits / "train.json",
            train_embedded=folder / "train.json", evaluator=portraits / "local.safetensors",
            out=folder / "suite.safetensors",
        )  # fmt: skip
        for basis in ("pca", "identity"):
            run(
                fit_subspace, config=Subspace(images=60).model_dump_json(), basis=basis, patch_size=16, colour="rgb",
                data=portraits / "train.json", out=folder / f"{basis}.safetensors",
            )  # fmt: skip

    def train(self, name, seed=1, **changes):
        arm = PrxArm.model_validate(BASE | changes)
        out = self.folder / name
        if not (out / "train.json").exists():
            self.run(
                train_prx, arm=arm.model_dump_json(), seed=seed, data=self.portraits / "train.json",
                embedded=self.folder / "train.json", subspace=self.folder / f"{arm.target.basis}.safetensors",
                state=out / "state", model=out / "model.safetensors", snapshots=out / "snapshots",
                curve=out / "curve.jsonl", summary=out / "train.json",
            )  # fmt: skip
        return out

    def sample(self, run, name="bare", **settings):
        settings = PrxSampling(**{"steps": 2, "batch": 7, "precision": "float32"} | settings)
        out = run / name
        source = run / ("snapshots" if settings.snapshot else "model.safetensors")
        self.run(
            sample_prx, sampling=settings.model_dump_json(), model=source, suite=self.folder / "suite.safetensors",
            samples=out / "samples.npy", summary=out / "samples.json",
        )  # fmt: skip
        return out

    def score(self, sampled):
        self.run(
            score_prx, config=SUITE.model_dump_json(), samples=sampled / "samples.npy", summary=sampled / "samples.json",
            suite=self.folder / "suite.safetensors", train=self.portraits / "train.json",
            heldout=self.portraits / "heldout.json", reference=self.folder / "reference.safetensors",
            perceptual=self.folder / "perceptual.safetensors", evaluator=self.portraits / "local.safetensors",
            out=sampled / "scores.json", neighbours=sampled / "neighbours.npy",
        )  # fmt: skip
        return json.loads((sampled / "scores.json").read_text())


@pytest.fixture(scope="module")
def track(run, portraits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nanodit.SIZES, "embedded", nanodit.Size(32, 3, 2))
        made = Track(run, portraits, folder)
        run(
            reference, config=Scoring(kernel_blocks=4, splits=2, batch=16).model_dump_json(),
            evaluator=portraits / "local.safetensors", data=portraits / "train.json", heldout=portraits / "heldout.json",
            out=folder / "reference.safetensors", floor=folder / "floor.json",
        )  # fmt: skip
        from asymflow.config.perceptual import Perceptual

        run(
            fit_perceptual, config=Perceptual(images=32, batch=16).model_dump_json(), data=portraits / "evaluator.json",
            out=folder / "perceptual.safetensors",
        )  # fmt: skip
        yield made


def weights(run):
    return prx_checkpoint.load(run / "model.safetensors", "last")[0]


def test_the_suite_asks_what_was_configured(track):
    made = Suite.load(track.folder / "suite.safetensors")
    assert made.counts() == KINDS and made.split == "heldout"
    swap = made.rows("swap")[0]
    assert torch.equal(made.embedded.cls[swap], made.embedded.cls[made.rows("text")[1]])
    assert torch.equal(made.embedded.text[swap], made.embedded.text[made.rows("text")[0]])
    edited, original = made.rows("edited"), made.rows("original")
    assert torch.equal(made.embedded.patches[edited], made.embedded.patches[original])
    assert not torch.equal(made.embedded.text[edited], made.embedded.text[original])
    assert not torch.equal(made.wanted[edited], made.wanted[original])


@pytest.mark.parametrize(
    "changes",
    [
        {"tread": {"share": 0.0}, "alignment": {"weight": 0.0}},
        {"spatial": {"face": 2.0, "elsewhere": 0.5}},
        {"target": {"rank": 8}},
        {"target": {"rank": "full"}},
        {"alignment": {"weight": 0.5, "fades": (0.2, 0.4)}},
        {"network": {"patch_size": 16, "modulation": "shared"}},
        {"network": {"patch_size": 16, "mixer": "scan"}},
        {"network": {"patch_size": 16, "start": "xavier"}},
        {"training": BASE["training"] | {"optimiser": "adamw"}},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_every_remedy_changes_what_is_trained(track, changes):
    base, other = weights(track.train("base")), weights(track.train(str(abs(hash(str(changes)))), **changes))
    assert all(value.isfinite().all() for value in other.values())
    assert set(base) != set(other) or any(not torch.equal(base[name], other[name]) for name in base)


def test_a_dead_target_trains_what_x_0_prediction_does_bit_for_bit(track):
    """prx-tg's published arms D and G: its asymmetric target, a padded identity, is never read."""
    d = track.train("base")
    g = track.train("dead", target={"rank": 8, "basis": "identity"}, dead_target=True)
    alive = track.train("alive", target={"rank": 8, "basis": "identity"})
    for kind in ("average", "last"):
        one, other, third = (prx_checkpoint.load(run / "model.safetensors", kind)[0] for run in (d, g, alive))
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert any(not torch.equal(one[name], third[name]) for name in one)
    assert (track.sample(d) / "samples.npy").read_bytes() == (track.sample(g) / "samples.npy").read_bytes()


def test_a_training_that_is_run_again_gives_the_same_bytes(track):
    first = track.train("base")
    again = track.train("again")
    assert (first / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()


def test_a_killed_training_ends_with_the_same_bytes(track, monkeypatch):
    from asymflow.training import checkpoint

    whole = track.train("base")
    save = checkpoint.save

    def save_and_die(*given):
        save(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        track.train("killed")
    monkeypatch.setattr(checkpoint, "save", save)
    assert (track.folder / "killed/state/checkpoint.safetensors").exists()
    assert (track.train("killed") / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_snapshots_are_kept_and_sampled(track):
    run = track.train("kept", training=BASE["training"] | {"snapshots": 2})
    assert len(list((run / "snapshots").iterdir())) == 2
    half = track.sample(run, "half", snapshot=1)
    assert json.loads((half / "samples.json").read_text())["images_seen"] == 32


def test_unpaired_edits_begin_with_another_noise_and_paired_ones_do_not(track):
    run = track.train("base")
    paired, unpaired = (np.load(track.sample(run, f"p{p}", paired=p) / "samples.npy") for p in (True, False))
    made = Suite.load(track.folder / "suite.safetensors")
    rows = made.rows("edited") + made.rows("retold")
    others = [i for i in range(len(paired)) if i not in rows]
    assert np.array_equal(paired[others], unpaired[others])
    assert not np.array_equal(paired[rows], unpaired[rows])


def test_averaged_and_last_weights_draw_differently(track):
    run = track.train("base")
    average, last = (np.load(track.sample(run, w, weights=w) / "samples.npy") for w in ("average", "last"))
    assert not np.array_equal(average, last)


def test_guidance_of_every_kind_changes_the_samples_and_self_guidance_needs_tread(track):
    run = track.train("base")
    drawn = [np.load(track.sample(run, kind, guidance=kind) / "samples.npy") for kind in ("none", "dual", "self")]
    assert not any(np.array_equal(one, other) for one, other in pairwise(drawn))
    dense = track.train("dense", tread={"share": 0.0})
    with pytest.raises(ValueError, match="was trained without TREAD, so it cannot guide itself"):
        track.sample(dense, "self", guidance="self")


def test_scores_have_an_interval_each_and_the_true_images_are_the_best(track):
    run = track.train("base")
    scores = track.score(track.sample(run))
    metrics = scores["metrics"]
    for name, values in scores["per_case"].items():
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]
        assert np.mean(values) == pytest.approx(metrics[name], abs=1e-5)
    assert scores["samples"] == KINDS["text"] and scores["searched_images"] == 30
    assert np.load(run / "bare/neighbours.npy").shape == (KINDS["memory"], 3, 32, 32, 3)
    track.run(
        floors, suite=track.folder / "suite.safetensors", perceptual=track.folder / "perceptual.safetensors",
        evaluator=track.portraits / "local.safetensors", out=track.folder / "floors.csv",
    )  # fmt: skip
    floor = pd.read_csv(track.folder / "floors.csv").set_index("arm")
    assert floor.loc["floor: the image itself", "recon_lpips_local"] == 0 < metrics["recon_lpips_local"]
    assert floor.loc["floor: no edit", "manipulation_lpips_local"] == 0
    assert set(floor.columns) <= set(metrics)


def study(*arms):
    return json.dumps(
        {
            "arms": {arm: {} for arm in arms},
            "samplings": {"bare": {}},
            "seeds": [0],
            "reference": arms[0],
            "title": "Q?",
        }
    )


def test_an_arm_does_not_differ_from_itself_case_by_case(track):
    scores = track.folder / "base/bare/scores.json"
    track.score(track.sample(track.train("base")))
    other = track.sample(track.train("rank8", target={"rank": 8}))
    track.score(other)
    track.run(paired, study=study("base", "rank8"), scores=[scores, other / "scores.json"], out=track.folder / "p.csv")
    table = pd.read_csv(track.folder / "p.csv")
    own, its = (table[table["arm"] == arm] for arm in ("base", "rank8"))
    assert (own[["difference", "low", "high"]] == 0).all(axis=None)
    assert ((its["low"] <= its["difference"]) & (its["difference"] <= its["high"])).all()
    assert (its["difference"] != 0).any()


def test_pictures_are_drawn(track):
    run = track.train("base")
    track.score(track.sample(run))
    for stage, name, given in (
        (curves, "figure", {"curves": run / "curve.jsonl"}),
        (progression, "picture", {"samples": run / "bare/samples.npy"}),
        (neighbours, "picture", {"neighbours": run / "bare/neighbours.npy"}),
    ):
        out = track.folder / f"{stage.__name__}.png"
        track.run(stage, study=study("base"), **given, **{name: out})
        assert out.stat().st_size > 2_000


def test_a_suite_that_asks_for_more_than_there_is_is_an_error(track):
    config = SUITE.model_copy(update={"texts": 31})
    with pytest.raises(ValueError, match=r"heldout.json has 30 images, but the suite asks for 31; raise data.heldout"):
        track.run(
            suite, config=config.model_dump_json(), embeddings=Embeddings().model_dump_json(),
            data=track.portraits / "heldout.json", embedded=track.folder / "heldout.json",
            train=track.portraits / "train.json", train_embedded=track.folder / "train.json",
            evaluator=track.portraits / "local.safetensors", out=track.folder / "none.safetensors",
        )  # fmt: skip


def test_another_kind_of_file_is_no_model_and_no_suite(track):
    shutil.copy(track.folder / "suite.safetensors", track.folder / "wrong.safetensors")
    with pytest.raises(ValueError, match="is no model of an arm of prx-tg; stage train_prx writes one"):
        prx_checkpoint.load(track.folder / "wrong.safetensors", "last")
    with pytest.raises(ValueError, match="holds a 'prx model', not a validation suite"):
        Suite.load(track.train("base") / "model.safetensors")
