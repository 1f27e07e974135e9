"""Arms of every make through their stages: the same rules train, sample, search and score them all."""

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from itertools import pairwise
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from board import grids
from PIL import Image
from workshop import CAPTIONS, PRX, run_stage

from asymflow import parts, provenance, tensors
from asymflow import sample as by_hand
from asymflow.config.arm import Arm
from asymflow.config.publishing import Publishing
from asymflow.judges import captions, evidence
from asymflow.released import card
from asymflow.sampling import pieces
from asymflow.stages import publish, sample, search_guidance
from asymflow.training import checkpoint

ARMS = {
    "plain": {"start": {"pca": 8}},
    "nano_class": {"network": {"kind": "nanodit", "tread": 0.5}, "start": {"pca": 8}, "representation": {"colour": "oklab"}},
    "jit_caption": {
        "conditions": CAPTIONS, "target": {"rank": 0}, "training": {"snapshots": 2},
        "losses": {"alignment": {"block": 2, "projector": 16, "teacher": "local"}},
    },
    "jit_everything": {
        "conditions": PRX, "training": {"optimiser": "muon"},
        "losses": {"alignment": {"block": 3, "teacher": "embedded"}, "places": {"face": 2.0, "elsewhere": 0.5}},
    },
    "nano_everything": {
        "network": {"kind": "nanodit", "tread": 0.5}, "conditions": PRX, "target": {"rank": 8},
        "losses": {"alignment": {"block": 2, "projector": 16, "teacher": "local"}},
    },
    "nano_caption": {"network": {"kind": "nanodit"}, "conditions": CAPTIONS, "target": {"rank": "full"}},
    "dit_class": {"network": {"kind": "dit", "width": 64, "heads": 2}, "start": {"pca": 8}, "losses": {"frequency": {}}},
    "continued": {"start": {"run": "plain"}, "target": {"rank": 0}},
    "averaged": {"training": {"averages": ["last", "power_16.97", "power_6.94"], "snapshots": 4, "batch": 8}},
    "nano_learnt": {
        "network": {"kind": "nanodit"}, "target": {"kind": "isotropic", "share": 1.0, "learnt": True},
        "training": {"optimiser": "muon"},
    },
    "uvit_spectral": {"network": {"kind": "uvit"}, "target": {"kind": "spectral", "shuffled": True}, "conditions": CAPTIONS},
    "decoupled_preconditioned": {"network": {"kind": "decoupled", "bottleneck": 0}, "target": {"kind": "preconditioned"}},
    "opening": {"target": {"kind": "opening", "rank": 8}, "training": {"snapshots": 2}},
    "forced": {"target": {"kind": "forced"}, "representation": {"colour": "oklab"}},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def arms(workshop):
    for name, own in ARMS.items():
        workshop.arm(name, **own)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_trains_and_draws_what_it_is_asked(workshop, name):
    images = workshop.sample(name, "own")
    assert images.shape == (20, 32, 32, 3) and images.std() > 0
    summary = json.loads((workshop.run_folder(name) / "own/samples.json").read_text())
    expected = "captions" if "conditions" in ARMS[name] else "classes"
    assert summary["asks"] == expected and summary["distribution"] == [0, 20] and summary["images_seen"] == 64
    assert json.loads((workshop.run_folder(name) / "train.json").read_text())["gflops_per_image"] > 0


@pytest.mark.parametrize("name", ARMS)
def test_every_training_shows_grids_of_samples_and_is_the_same_without(workshop, tmp_path, name):
    seen, unseen = workshop.train(name), workshop.train(name, out=tmp_path, previews=0)
    (half, first), (end, last) = grids(seen)
    rows = ARMS[name].get("training", {}).get("batch", 16) // 8  # sixteen images, or as many as the first batch has
    assert (half, end) == (32, 64) and first.shape == last.shape == (rows * 34, 8 * 34, 3)
    assert (first != last).any()
    assert (seen / "model.safetensors").read_bytes() == (unseen / "model.safetensors").read_bytes()
    assert grids(unseen) == []


def test_a_learnt_share_moves_and_stands_in_the_curve(workshop):
    curve = [json.loads(line) for line in (workshop.train("nano_learnt") / "curve.jsonl").read_text().splitlines()]
    assert len({point["k"] for point in curve}) == len(curve) and all(0 < point["k"] < 1 for point in curve)


def test_a_sampling_that_was_killed_with_all_pieces_drawn_still_says_what_they_took(workshop, monkeypatch):
    def die(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pieces, "join", die)
        workshop.sample("plain", "killed")
    assert len(workshop.sample("plain", "killed")) == 20
    summary = json.loads((workshop.run_folder("plain") / "killed/samples.json").read_text())
    assert summary["seconds"] > 0 and summary["seconds_per_image"] == pytest.approx(summary["seconds"] / 20, abs=1e-3)


@pytest.mark.parametrize("solver", ["heun", "euler", "unipc"])
@pytest.mark.parametrize("name", ["plain", "nano_caption"])
def test_every_solver_is_open_to_every_arm(workshop, name, solver):
    drawn = workshop.sample(
        name, f"by_{solver}", solver=solver, steps=3, guidance={"kind": "classifier_free", "scale": 2}
    )
    other = workshop.sample(name, f"by_{solver}_orthogonal", solver=solver, steps=3, gamut_clamp=True,
                            guidance={"kind": "classifier_free", "scale": 2, "orthogonal": True})  # fmt: skip
    assert not np.array_equal(drawn, other)


def test_arms_with_routing_and_image_conditions_take_every_guidance(workshop):
    kinds = [{"kind": "none"}, {"kind": "classifier_free"}, {"kind": "dual"}, {"kind": "routing"}]
    drawn = [
        workshop.sample("nano_everything", kind["kind"], asks="cases", solver="euler", guidance=kind) for kind in kinds
    ]
    assert len(drawn[0]) == sum({"text": 20, "reconstruction": 4, "swap": 4, "edit": 4 * 5, "memory": 4}.values())
    assert not any(np.array_equal(one, other) for one, other in pairwise(drawn))


@pytest.mark.parametrize("name", ["plain", "nano_class", "jit_caption", "nano_everything", "dit_class"])
def test_the_guidance_of_every_arm_can_be_searched_and_is_what_it_is_sampled_with(workshop, name):
    result = workshop.search(name, "searched", solver="euler", steps=4)
    optimum = result["optimum"]
    assert result["evaluations"] > 0 and optimum["scale"] >= 1 and np.isfinite(optimum["value"])
    drawn = workshop.sample(name, "searched", solver="euler", steps=4, guidance={"kind": "searched"})
    by_value = {"kind": "classifier_free", "scale": optimum["scale"], "interval": [0, optimum["end"]]}
    assert np.array_equal(drawn, workshop.sample(name, "fixed", solver="euler", steps=4, guidance=by_value))


@pytest.mark.parametrize(
    ("name", "asks"), [("plain", "classes"), ("jit_caption", "captions"), ("nano_everything", "cases")]
)
def test_no_sample_that_is_scored_begins_with_noise_that_its_guidance_was_chosen_on(workshop, monkeypatch, name, asks):
    begun = {search_guidance: set(), sample: set()}
    for stage, numbers in begun.items():
        drawn = stage.noise
        monkeypatch.setattr(
            stage, "noise", lambda seed, given, shape, n=numbers, f=drawn: n.update(given) or f(seed, given, shape)
        )
    workshop.search(name, f"apart_{asks}", asks=asks, solver="euler", steps=4)
    workshop.sample(name, f"apart_{asks}", asks=asks, solver="euler", steps=4, guidance={"kind": "searched"})
    assert len(begun[search_guidance]) == 20 and len(begun[sample]) >= 20
    assert not begun[search_guidance] & begun[sample]


@pytest.mark.slow
def test_an_average_that_is_put_together_is_searched_with_the_guidance_and_is_what_is_sampled(workshop):
    result = workshop.search("averaged", "best", average=True, solver="euler", steps=4)
    optimum = result["optimum"]
    assert {c["average"] for c in result["candidates"]} >= {0.03, 0.2} and optimum["average"] is not None
    searched = {"kind": "searched", "average": True}
    drawn = workshop.sample("averaged", "best", solver="euler", steps=4, guidance=searched)
    summary = json.loads((workshop.run_folder("averaged") / "best/samples.json").read_text())
    assert summary["weights"] == f"average_{optimum['average']}" and summary["images_seen"] == 64
    by_value = {"kind": "classifier_free", "scale": optimum["scale"], "interval": [0, optimum["end"]]}
    fixed = {"solver": "euler", "steps": 4, "guidance": by_value}
    again = workshop.sample("averaged", "by_value", weights=summary["weights"], **fixed)
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, workshop.sample("averaged", "as_they_are", **fixed))
    assert not np.array_equal(again, workshop.sample("averaged", "longer", weights="average_0.19", **fixed))


def test_snapshots_of_a_captioned_arm_are_kept_and_sampled(workshop):
    """Text-to-image arms used to accept training.snapshots and keep none."""
    run = workshop.train("jit_caption")
    assert [path.name for path in sorted((run / "snapshots").iterdir())] == ["0001.safetensors", "0002.safetensors"]
    half = workshop.sample("jit_caption", "half", snapshot=1)
    assert json.loads((run / "half/samples.json").read_text())["images_seen"] == 32
    assert not np.array_equal(half, workshop.sample("jit_caption", "own"))


def test_a_run_that_begins_as_another_differs_from_it_only_by_its_training(workshop):
    plain = workshop.train("plain")
    begun = workshop.train(workshop.arm("kept", start={"run": "plain"}, training={"images": 0, "warmup_images": 0}))
    one, other = (checkpoint.load_model(run / "model.safetensors", "last").weights for run in (plain, begun))
    averaged = checkpoint.load_model(plain / "model.safetensors").weights
    assert all((other[name] == averaged[name]).all() for name in other), "it begins as the average that is sampled"
    assert any((one[name] != averaged[name]).any() for name in one)


@pytest.mark.parametrize("name", ["plain", "jit_everything"])
def test_a_training_that_is_run_again_gives_the_same_bytes(workshop, tmp_path, name):
    first, again = workshop.train(name), workshop.train(name, out=tmp_path)
    for file in ("model.safetensors",):
        assert (first / file).read_bytes() == (again / file).read_bytes()


@pytest.mark.parametrize("name", ["plain", "jit_everything", "nano_everything"])
def test_a_killed_training_ends_with_the_same_bytes(workshop, tmp_path, monkeypatch, name):
    whole, save = workshop.train(name), checkpoint.save

    def save_and_die(*given):
        save(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        workshop.train(name, out=tmp_path)
    monkeypatch.setattr(checkpoint, "save", save)
    assert (tmp_path / "state/checkpoint.safetensors").exists()
    again = workshop.train(name, out=tmp_path)
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("name", "asks"), [("plain", "classes"), ("nano_everything", "cases"), ("jit_caption", "captions")]
)
def test_every_arm_is_judged_for_its_distribution_and_for_what_it_memorised(workshop, name, asks):
    """Kernel distance, precision and recall used to be class arms' alone."""
    workshop.sample(name, "judged", asks=asks)
    card = workshop.score(name, "judged", "distribution")
    assert set(card["metrics"]) == {
        "fid_local", "kid_local", "is_local", "precision_local", "recall_local", "patch_fid_local", "seams",
    }  # fmt: skip
    assert card["samples"] == 20, "of the cases those that are asked by caption alone"
    apart = workshop.velocity(name, "judged")
    assert apart["metrics"].keys() == {"velocity_error", "velocity_error_principal", "velocity_error_detail"}
    assert [(row["t"], row["first"]) for row in apart["rows"][:4]] == [(0.95, 1), (0.95, 9), (0.95, 33), (0.95, 129)]
    memorised = workshop.score(name, "judged", "memorisation")
    samples = 8 if asks == "cases" else 4  # of captions of held-out images as many as of training images
    assert memorised["samples"] == samples == len(memorised["nearest"]["train"]) and memorised["searched_images"] == 30
    low, high = (memorised["metrics"][f"memorised_similarity_local_{end}"] for end in ("low", "high"))
    assert low <= memorised["metrics"]["memorised_similarity_local"] <= high


@pytest.mark.parametrize(("judge", "most"), [("distribution", 16), ("captions", 8)])
def test_a_judge_of_a_whole_run_has_no_more_samples_in_memory_than_it_looks_at_together(
    workshop, monkeypatch, judge, most
):
    taken, images = [], evidence.images
    monkeypatch.setattr(evidence, "images", lambda samples: taken.append(len(samples)) or images(samples))
    monkeypatch.setattr(captions, "BATCH", 8)  # those of the distribution come as many as scoring.batch says
    workshop.sample("jit_caption", "own")
    workshop.score("jit_caption", "own", judge)
    assert max(taken) == most


def test_samples_are_written_as_files_only_for_a_judge_that_is_installed(workshop, monkeypatch):
    workshop.sample("jit_caption", "own")
    written, save = [], Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *given, **how: written.append(given[1]) or save(*given, **how))
    assert "not installed" in workshop.score("jit_caption", "own", "captions")["not_run"]["hpsv2"] and not written
    package = SimpleNamespace(
        __spec__=ModuleSpec("hpsv2", None),
        score=lambda paths, caption, hps_version: [Image.open(paths[0]).size[0]],
    )
    monkeypatch.setitem(sys.modules, "hpsv2", package)  # an import from a path would stay for the tests after this one
    assert workshop.score("jit_caption", "own", "captions")["metrics"]["hpsv2"] == 32 and len(written) == 20


@pytest.mark.parametrize("judge", ["distribution", "suite", "memorisation"])
def test_a_reference_of_another_evaluator_is_refused_by_every_judge(workshop, tmp_path, judge):
    from asymflow import tensors
    from asymflow.stages import score

    workshop.sample("nano_everything", "judged", asks="cases")
    inputs = workshop.plan_inputs("score", arm="nano_everything", seed=1, sampling="judged", judge=judge)
    description = tensors.describe(inputs["reference"], "statistics")
    other = tmp_path / "reference.safetensors"
    tensors.save(
        other,
        "statistics",
        tensors.load(inputs["reference"], "statistics"),
        description | {"evaluator_digest": "0" * 12},
    )
    given = inputs | {
        "reference": other,
        "judge": judge,
        "config": workshop.plan.section("suite"),
        "out": tmp_path / "x.json",
    }
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="make the reference again"):
        patch.setattr("sys.argv", ["score", *words])
        score.main()


@pytest.mark.parametrize(
    ("name", "asked", "says"),
    [
        ("plain", [], "of "),
        ("plain", ["--classes", "0"], "of "),
        ("jit_caption", ["--captions", "a woman with glasses", "a man"], "of a woman with glasses; a man"),
        ("nano_everything", ["--cases", "reconstruction", "--solver", "euler"], "of the kind reconstruction"),
        ("nano_everything", ["--captions", "a man", "--guidance", "2", "--orthogonal"], "of a man"),
    ],
)
def test_a_picture_can_be_drawn_by_hand_from_every_run(workshop, tmp_path, monkeypatch, capsys, name, asked, says):
    out = tmp_path / "picture.png"
    words = [str(workshop.train(name)), "--count", "4", "--steps", "2", "--out", str(out), *asked]
    monkeypatch.setattr("sys.argv", ["sample", *words])
    by_hand.main()
    assert out.stat().st_size > 200 and says in capsys.readouterr().out


def test_many_pictures_go_through_the_network_in_batches(workshop, tmp_path, monkeypatch):
    asked, drawn, sizes = by_hand.asked_settings, by_hand.sample, []
    monkeypatch.setattr(by_hand, "asked_settings", lambda words: asked(words).model_copy(update={"batch": 3}))
    monkeypatch.setattr(
        by_hand, "sample", lambda run, start, *rest: sizes.append(len(start)) or drawn(run, start, *rest)
    )
    words = [str(workshop.train("plain")), "--count", "7", "--steps", "2", "--out", str(tmp_path / "x.png")]
    monkeypatch.setattr("sys.argv", ["sample", *words])
    by_hand.main()
    assert sizes == [3, 3, 1]


@pytest.mark.parametrize(
    ("name", "asked", "sentence"),
    [
        ("plain", ["--captions", "a man"], "is not conditioned on any caption; its conditions: class"),
        ("jit_caption", ["--classes", "0"], "is not conditioned on any class; its conditions: caption"),
        ("jit_caption", [], "is conditioned on caption: give --captions or --cases"),
        ("plain", ["--classes", "zebra"], "unknown class 'zebra'; this run knows"),
        ("nano_everything", ["--cases", "edit"], "has no cases of the kind 'edit'; it has text, reconstruction"),
        ("plain", ["--weights", "ema_5"], "holds no weights 'ema_5'; it has ema_32, last"),
    ],
)
def test_what_a_run_cannot_draw_is_one_sentence(workshop, tmp_path, monkeypatch, name, asked, sentence):
    monkeypatch.setattr("sys.argv", ["sample", str(workshop.train(name)), "--out", str(tmp_path / "x.png"), *asked])
    with pytest.raises((SystemExit, ValueError), match=sentence):
        by_hand.main()


def test_classes_with_numbers_for_names_are_taken_by_name():
    assert by_hand._classes("1, 10", ("1", "2", "3", "10")) == [0, 3]
    assert by_hand._classes("0", ("1", "2", "3", "10")) == [0]


LOADED = """
import json, runpy, sys
sys.argv = json.load(sys.stdin)
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
print("LOADED", *(name for name in sys.modules if name.startswith("asymflow.")))
"""


def loaded(stage, **options):
    """The project's modules that a stage has loaded when it is done, in a process of its own."""
    words = [
        f"asymflow.stages.{stage}",
        *(str(w) for name, v in options.items() for w in (f"--{name.replace('_', '-')}", v)),
    ]
    done = subprocess.run(
        [sys.executable, "-c", LOADED], input=json.dumps(words), capture_output=True, text=True, check=True
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("LOADED "))
    return set(line.split()[1:])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "jit_everything"])
def test_a_run_loads_nothing_that_its_code_digest_does_not_cover(workshop, tmp_path, name):
    """Parts are loaded by name: a digest that forgot one would call a run fresh whose code has changed."""
    where = SimpleNamespace(arm=name, seed=1, sampling="own")
    arm = workshop.plan.experiment.arms[name]
    out = {key: tmp_path / key for key in ("state", "model", "snapshots", "curve", "summary")}
    given = {"arm": workshop.plan.arm(where), "seed": 1} | workshop.plan_inputs("train", arm=name, seed=1)
    covered = parts.of_training(arm).closure()
    covered |= provenance.closure(*parts.undeciding(arm))
    assert loaded("train", **given, **out) - covered == set()
    workshop.sample(name, "own")
    sampling, asks = workshop.plan.experiment.samplings["own"], workshop.plan.asks(where)
    drawn = {"samples": tmp_path / "samples.npy", "summary": tmp_path / "samples.json"}
    given = {"sampling": workshop.plan.sampling(where), "asks": asks} | workshop.plan_inputs("sample", **vars(where))
    covered = parts.of_sampling(arm, sampling.solver, asks).closure()
    assert loaded("sample", **given, **drawn) - covered - set(parts.undeciding(arm)) == set()


def test_a_published_folder_draws_the_picture_that_its_run_draws(workshop, tmp_path, monkeypatch):
    out = workshop.train("plain")
    run_stage(
        publish, name="plain", config=Publishing().model_dump_json(), model=out / "model.safetensors",
        summary=out / "train.json", out=tmp_path / "published",
    )  # fmt: skip
    for folder, picture in ((out, "run.png"), (tmp_path / "published", "published.png")):
        words = [str(folder), "--count", "4", "--steps", "2", "--guidance", "2", "--out", str(tmp_path / picture)]
        monkeypatch.setattr("sys.argv", ["sample", *words])
        by_hand.main()
    assert (tmp_path / "run.png").read_bytes() == (tmp_path / "published.png").read_bytes()
    monkeypatch.setattr("sys.argv", ["sample", str(tmp_path / "published"), "--weights", "last"])
    with pytest.raises(ValueError, match="holds one set of weights"):
        by_hand.main()


def test_an_average_that_is_put_together_afterwards_is_drawn_by_hand_too(workshop, tmp_path, monkeypatch):
    run, pictures = workshop.train("averaged"), []
    for length in ("0.05", "0.19"):
        pictures.append(tmp_path / f"{length}.png")
        words = [str(run), "--count", "2", "--steps", "2", "--weights", f"average_{length}", "--out", str(pictures[-1])]
        monkeypatch.setattr("sys.argv", ["sample", *words])
        by_hand.main()
    assert pictures[0].read_bytes() != pictures[1].read_bytes()


@pytest.mark.parametrize(
    ("reader", "says"),
    [(None, "does not say what reads their captions"), ({"name": "flux2"}, "read by a FLUX.2: give its folder")],
)
def test_captions_that_nothing_here_can_read_are_refused_by_hand(workshop, tmp_path, monkeypatch, reader, says):
    """Weights that others trained say nothing of what read their captions."""
    model = workshop.train("jit_caption") / "model.safetensors"
    description = tensors.describe(model, "model") | {"reader": reader}
    tensors.save(tmp_path / "model.safetensors", "model", tensors.load(model, "model"), description)
    monkeypatch.setattr("sys.argv", ["sample", str(tmp_path), "--captions", "a man", "--out", str(tmp_path / "a.png")])
    with pytest.raises(SystemExit, match=says):
        by_hand.main()


@pytest.mark.parametrize(
    ("name", "own", "says"),
    [
        ("plain", {}, "is u_A = P eps - x_0 with P of rank 8 (pca directions)."),
        ("velocity", {"target": {"rank": "full"}}, "is the velocity u = eps - x_0."),
        ("dead", {"target": {"dead": True}}, "is -x_0, the data; the target of rank 8 in `config.json` stayed unread."),
        ("no_bottleneck", {"network": {"kind": "jit", "bottleneck": 0}}, "is u_A = P eps - x_0 with P of rank 8"),
        ("opening", ARMS["opening"], "is min(1, (1 - t) / t) P eps - x_0 with P of rank 8 (pca directions)."),
        ("nano_learnt", ARMS["nano_learnt"], "is s eps - x_0 with the share s = 1 of the noise, which was learnt"),
        ("jit_spectral", {"target": {"kind": "spectral"}}, "is S eps - x_0 with a share of the noise for each direction (pca)"),
        ("jit_preconditioned", {"target": {"kind": "preconditioned"}}, "is that of EDM's preconditioning"),
        ("forced", ARMS["forced"], "is -x_0, the data, from an input behind a low-pass"),
    ],
)  # fmt: skip
def test_a_model_of_every_target_is_published_for_what_it_is(workshop, tmp_path, name, own, says):
    """The paper's target alone is an AsymJiT: under these names its loader would read any other as one."""
    out = workshop.train(name if name in ARMS else workshop.arm(name, **own))
    run_stage(
        publish, name=name, config=Publishing().model_dump_json(), model=out / "model.safetensors",
        summary=out / "train.json", out=tmp_path / "published",
    )  # fmt: skip
    assert f"; its output {says}" in (tmp_path / "published/README.md").read_text()
    asymmetric = name in ("plain", "velocity", "dead")
    assert (tmp_path / "published/asymjit.safetensors").exists() == asymmetric


def test_every_target_has_words_in_the_card_of_a_model():
    options = get_args(Arm.model_fields["target"].annotation)
    said = {card._target(option().model_dump(mode="json")) for option in options}
    assert len(said) == len(parts.TARGETS) == len(options)


def test_a_published_folder_that_needs_more_than_itself_is_refused(workshop, tmp_path, monkeypatch):
    out = workshop.train("jit_caption")
    run_stage(
        publish, name="captions", config=Publishing().model_dump_json(), model=out / "model.safetensors",
        summary=out / "train.json", out=tmp_path / "published",
    )  # fmt: skip
    monkeypatch.setattr("sys.argv", ["sample", str(tmp_path / "published"), "--out", str(tmp_path / "a.png")])
    with pytest.raises(ValueError, match="sample the run that it was made of"):
        by_hand.main()
