"""Every mistake in a configuration is one sentence: file, arm, key, what was found, what was expected."""

import re
from pathlib import Path

import pytest
import yaml
from project import DEFAULT, ROOT

from asymflow.config.conditions import Conditions
from asymflow.config.loading import ConfigurationError, load, merge
from asymflow.config.misspelt import ENDS
from asymflow.studies import Studies

SCALES = sorted((ROOT / "workflow/scales").glob("*.yaml"))


def experiment(tmp_path, changes, given=None, words=()):
    """The default with an overlay that says `changes`."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(yaml.safe_dump(changes))
    return load([*DEFAULT, overlay], given, words)


def mistakes(tmp_path, changes, given=None, words=()):
    with pytest.raises(ConfigurationError) as caught:
        experiment(tmp_path, changes, given, words)
    return str(caught.value)


def test_what_no_target_uses_is_not_checked(tmp_path):
    changes = {
        "prompts": {"count": 4},
        "arms": {"wide_patches": {"base": "scratch", "representation": {"patch_size": 12}}},
    }
    assert "jit_captioned_rank0" in mistakes(tmp_path, changes)
    assert "jit_captioned_rank0" in mistakes(tmp_path, changes, words=["-n", "results/figures/networks_samples.png"])
    assert "wide_patches" in mistakes(tmp_path, changes, words=["results/runs/wide_patches/seed0/model.safetensors"])
    for target in ("results/rank_sweep.csv", "./results/rank_sweep.csv", "results/runs/rank8/seed0/guided/samples.npy"):
        experiment(tmp_path, changes, words=["--cores", "2", target, "--configfile", "mine.yaml"])


def test_what_a_supplement_shows_is_checked_and_nothing_else(tmp_path):
    changes = {"studies": {"colour": {"arms": ["rank8", "rnak0"], "reference": "rank8"}}}
    page = ["results/supplement.html"]
    assert "study 'colour' lists the arm 'rnak0'" in mistakes(tmp_path, changes, words=page)
    experiment(tmp_path, changes | {"supplement": {"studies": ["rank_sweep"]}}, words=page)
    claims = {"claims": {"clamp": {"holds_if": "rank9@fine < rank0@fine"}}}
    assert "claim 'clamp'" in mistakes(tmp_path, claims | {"supplement": {"claims": True}}, words=page)
    experiment(tmp_path, claims, words=page)


def test_costs_are_those_of_every_study_and_of_no_other_arm(tmp_path):
    changes = {"arms": {"wide_patches": {"base": "scratch", "representation": {"patch_size": 12}}}}
    experiment(tmp_path, changes, words=["results/cost.csv"])
    changes["studies"] = {"colour": {"arms": ["rank8", "wide_patches"], "reference": "rank8"}}
    assert "wide_patches" in mistakes(tmp_path, changes, words=["results/cost.csv"])


def test_an_arm_s_start_is_used_with_it(tmp_path):
    changes = {"arms": {"latent_base": {"representation": {"patch_size": 12}}}}
    assert "latent_base" in mistakes(tmp_path, changes, words=["results/runs/asymflow/seed0/model.safetensors"])


def test_the_default_is_valid_and_its_reference_is_the_base():
    loaded = load(DEFAULT)
    assert loaded.arms["rank8"].target.rank == 8 and loaded.results == "results"


@pytest.mark.parametrize("scale", SCALES, ids=lambda path: path.stem)
def test_every_scale_is_valid_and_has_results_of_its_own(scale):
    assert load([*DEFAULT, scale]).results == f"results/{scale.stem}"


def test_arms_of_the_rank_sweep_differ_in_nothing_but_their_target():
    loaded = load(DEFAULT)
    arms = [loaded.arms[name] for name in loaded.studies["rank_sweep"].arms]
    assert len({arm.model_dump_json(exclude={"target"}) for arm in arms}) == 1
    assert len({arm.target for arm in arms}) == len(arms)


def test_arms_of_prx_tg_differ_from_their_reference_in_one_part():
    loaded = load(DEFAULT)
    base = loaded.arms["prx_d"].model_dump()
    parts = {"prx_e": "losses", "prx_g": "target", "prx_g_identity": "target", "prx_u": "target",
             "prx_d_fading": "losses", "prx_d_shared": "network", "prx_d_scan": "network", "prx_c": "losses"}  # fmt: skip
    for name, part in parts.items():
        own = loaded.arms[name].model_dump()
        for values in (own, base):  # how many snapshots are kept changes no weight
            values["training"]["snapshots"] = 0
        assert [key for key in own if own[key] != base[key]] == [part], name


def test_what_an_arm_may_be_told_is_what_some_way_shows_in_one_order():
    modalities = load(DEFAULT).arms["prx_d"].conditions.modalities
    assert modalities == ("caption", "embedding", "patches", "joints")
    assert Conditions(shown=[{"share": 1.0}]).modalities == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"arms": {"rank0": {"target": {"rnak": 4}}}},
            "mine.yaml: arm 'rank0', key target.rnak: unknown key 'rnak'; did you mean 'rank'? "
            "valid here: basis, dead, kind, rank",
        ),
        ({"trainnig": {}}, "mine.yaml: unknown key 'trainnig'"),
        (
            {"arms": {"rank0": {"target": {"rank": -1}}}},
            "rank0', key target.rank: found -1; expected: Input should be greater than or equal to 0, or found",
        ),
        (
            {"arms": {"big": {"base": "scratch", "target": {"rank": 193}}}},
            "mine.yaml: arm 'big', key target.rank: target.rank is 193; expected at most the patch dimension, 8 x 8 x 3 = 192",
        ),
        (
            {"bases": {"scratch": {"representation": {"patch_size": 24}}}},
            "mine.yaml: arm 'rank0', key representation.patch_size: found 24; expected a divisor of the image size, 32",
        ),
        (
            {"arms": {"deep": {"base": "aligned", "losses": {"alignment": {"block": 9}}}}},
            "arm 'deep', key losses.alignment.block: losses.alignment.block is 9; expected at most the network's blocks, 4",
        ),
        (
            {
                "samplings": {"late": {"base": "unguided", "snapshot": 3}},
                "studies": {"convergence": {"samplings": ["late"], "arms": ["rank8"], "reference": "rank8"}},
            },
            "samples arm 'rank8' with setting 'late', which takes snapshot 3, but the arm keeps 0; raise its training.snapshots",
        ),
        ({"search": {"scale_low": 5.0}}, "mine.yaml: key search: scale_low (5.0) exceeds scale_high (4.0)"),
        (
            {"samplings": {"guided": {"guidance": {"interval": [0.8, 0.2]}}}},
            "sampling setting 'guided', key guidance: interval is [0.8, 0.2]; expected [low, high]",
        ),
        (
            {"samplings": {"guided": {"guidance": {"kind": "clasifier"}}}},
            "mine.yaml: sampling setting 'guided', key guidance: found the kind 'clasifier'; expected one of 'none',",
        ),
        (
            {"arms": {"rank0": {"network": {"kind": "jit", "sise": "B"}}}},
            "mine.yaml: arm 'rank0', key network.sise: unknown key 'sise'; did you mean 'size'?",
        ),
        ({"bases": {"scratch": {"training": {"lr": "fast"}}}}, "base 'scratch', key training.lr: found 'fast'; expected: "),
        ({"bases": {"scratch": {"training": {"batch": 10**9}}}}, "one batch (1000000000 images) exceeds the whole training"),
        ({"studies": {"rank_sweep": {"arms": ["rank0", "rank9"]}}}, "study 'rank_sweep'"),
        ({"studies": {"rank_sweep": {"reference": "rank3"}}}, "the reference 'rank3' is not among the study's arms"),
        (
            {"samplings": {"unguided": {"weights": "ema_5"}}},
            "whose weights are ema_5; the arm keeps ema_2000: use one of these",
        ),
        (
            {"samplings": {"unguided": {"weights": "average_0.5"}}},
            "weights is 'average_0.5'; expected average_<length> with a length from 0.03 to 0.2, such as average_0.1",
        ),
        (
            {"samplings": {"unguided": {"weights": "average_0.1"}}},
            "which puts an average of the weights together, but the arm keeps ema_2000 and 0 snapshots until then; expected two",
        ),
        (
            {"samplings": {"searched": {"guidance": {"average": True}}}},
            "which puts an average of the weights together, but the arm keeps",
        ),
        (
            {"bases": {"auxiliary_lpips": {"losses": {"perceptual": {"half": True}}}}},
            "key losses.perceptual: shows 16 x 16 pixels to a network (squeeze) that needs 17 or more: set half to false",
        ),
        ({"arms": {"Rank-8": {"base": "scratch"}}}, "arms has an entry 'Rank-8'; expected a name of lower-case letters"),
        ({"evaluators": "published"}, "key evaluators: found 'published'"),
        ({"data": {"source": "folder"}}, "path must say where they are"),
        (
            {"data": {"source": "folder", "path": "photos", "shapes": [[48, 96], [96, 42]]}},
            "key representation.patch_size: found 8; expected a divisor of both sides of 96 x 42 (data.shapes)",
        ),
        ({"data": {"shapes": [[48, 96]]}}, "key data: portraits are drawn square, so shapes would have no images: leave it out"),
        ({"seeds": 0}, "mine.yaml: key seeds: found 0"),
        (
            {"autoencoder": {"channels": 193}},
            "key autoencoder: channels is 193; a latent position stands for 8 x 8 x 3 = 192 numbers of the image: give at most",
        ),
        (
            {"arms": {"alone": {}}},
            "mine.yaml: arm 'alone' names no base; valid here: aligned, auxiliary, auxiliary_lpips,",
        ),
        (
            {"arms": {"lost": {"base": "scrach"}}},
            "mine.yaml: arm 'lost', key base: found 'scrach', which does not exist; did you mean 'scratch'?",
        ),
        (
            {"bases": {"scratch": {"base": "steady"}}},
            "mine.yaml: base 'scratch', key base: found 'steady', which names itself through its bases",
        ),
        (
            {"bases": {"scratch": {"conditions": {"shown": [{"share": 0.5}, {"share": 0.6}]}}}},
            "mine.yaml: base 'scratch', key conditions: the shares of shown add up to 1.1; expected 1",
        ),
        (
            {"bases": {"scratch": {"training": {"averages": ["average"]}}}},
            "averages lists 'average'; expected ema_<images> such as ema_2000, power_<gamma> such as power_7, stale, last",
        ),
        (
            {"arms": {"asymflow": {"start": {"run": "latent_bass"}}}},
            "mine.yaml: arm 'asymflow', key start.run: found 'latent_bass', which is not an arm; did you mean 'latent_base'?",
        ),
        (
            {"arms": {"asymflow": {"start": {"run": "rank8"}}}},
            "key start.run: found 'rank8', an arm of pixels; expected one of latents, which this arm lifts",
        ),
        (
            {"studies": {"rank_sweep": {"samplings": ["self_guided"]}}},
            "samples arm 'rank8' with setting 'self_guided', whose guidance is by routing, but the arm is trained without TREAD",
        ),
        (
            {"bases": {"scratch": {"conditions": {"shown": [{"share": 1.0, "what": ["class"]}]}}}},
            "samples arm 'rank0' with setting 'guided', whose guidance (classifier_free) leads away from what is drawn under no"
            " condition, but the arm never learns that: give its conditions.shown a share that shows nothing, or take another",
        ),
        (
            {"arms": {"latent_base": {"conditions": {"shown": [{"share": 1.0, "what": ["caption"]}]}}}},
            "samples arm 'asymflow' with setting 'captions', whose guidance (classifier_free) leads away from what is drawn",
        ),
        (
            {"studies": {"rank_sweep": {"samplings": ["captions"]}}},
            "with setting 'captions', which asks for captions, but the arm is conditioned on class; ask for something else",
        ),
        (
            {"studies": {"rank_sweep": {"judges": ["distribution", "suite"]}}},
            "which asks for classes, but the judge 'suite' looks at cases; set its asks to cases",
        ),
        (
            {"studies": {"rank_sweep": {"figure": "suite"}}},
            "the figure 'suite' shows what the judge 'suite' measures, but judges lists distribution: add it, or draw another",
        ),
        (
            {"supplement": {"studies": ["rank_sweep", "rank_swep"]}},
            "key supplement.studies: found 'rank_swep', which is not a study; did you mean 'rank_sweep'?",
        ),
        (
            {"supplement": {"studies": ["colour", "colour"]}},
            "key supplement.studies: found ['colour', 'colour']; expected each study once",
        ),
        (
            {"embeddings": {"text": "google-t5/t5-large"}},
            "key embeddings.image: text and image are published networks both, or neither: give both, or leave both out",
        ),
        (
            {"samplings": {"captions": {"count": 501}}},
            "which draws 501 captions, but prompts.count is 500; raise it, or lower the setting's count",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_explained(tmp_path, changes, sentence):
    assert sentence in mistakes(tmp_path, changes)


@pytest.mark.parametrize("guidance", [{"kind": "none"}, {"kind": "classifier_free", "scale": 1.0}])
def test_an_arm_that_is_always_told_its_class_is_drawn_unguided(tmp_path, guidance):
    always = {"bases": {"scratch": {"conditions": {"shown": [{"share": 1.0, "what": ["class"]}]}}}}
    target = "results/runs/rank8/seed0/guided/distribution.json"
    assert "under no condition" in mistakes(tmp_path, always, words=[target])
    experiment(tmp_path, always | {"samplings": {"guided": {"guidance": guidance}}}, words=[target])


def test_an_unknown_arm_of_a_study_gets_a_suggestion(tmp_path):
    changes = {"studies": {"rank_sweep": {"arms": ["rank8", "rnak0"]}}}
    text = mistakes(tmp_path, changes)
    assert "mine.yaml: study 'rank_sweep' lists the arm 'rnak0', which is not defined; did you mean 'rank0'?" in text


def test_all_mistakes_are_named_at_once(tmp_path):
    text = mistakes(tmp_path, {"seeds": 0, "arms": {"rank0": {"x": 1}, "rank2": {"y": 1}}})
    assert text.count("\n") >= 2 and "'x'" in text and "'y'" in text


def test_the_mistake_of_a_base_is_told_once_and_not_for_each_of_its_arms(tmp_path):
    text = mistakes(tmp_path, {"bases": {"scratch": {"training": {"lr": -1}}}})
    assert "mine.yaml: base 'scratch', key training.lr: found -1" in text
    assert text.count("\n") <= 4, "one line for the base, and one for each base that is made of it"


def test_numbers_in_yaml_s_short_notation_are_numbers(tmp_path):
    """YAML 1.1 reads 1e-4 as text; both ways to write it mean the same here."""
    one, other = (experiment(tmp_path, {"bases": {"scratch": {"training": {"lr": lr}}}}) for lr in ("1e-4", 1.0e-4))
    assert one == other


def test_an_entry_that_an_overlay_sets_to_null_is_taken_away(tmp_path):
    loaded = experiment(tmp_path, {"claims": {"prx_memorisation": None}, "studies": {"data_sweep": None}})
    default = load(DEFAULT)
    assert set(default.claims) - set(loaded.claims) == {"prx_memorisation"}
    assert set(default.studies) - set(loaded.studies) == {"data_sweep"}


def test_null_takes_nothing_away_that_is_not_there(tmp_path):
    assert "claim 'prx_memorization', key says: missing" in mistakes(tmp_path, {"claims": {"prx_memorization": None}})


def test_an_overlay_changes_what_it_names_and_nothing_else(tmp_path):
    plain, changed = experiment(tmp_path, {}), experiment(tmp_path, {"arms": {"rank0": {"training": {"lr": 0.5}}}})
    assert changed.arms["rank0"].training.lr == 0.5
    assert {k: v for k, v in changed.arms.items() if k != "rank0"} == {
        k: v for k, v in plain.arms.items() if k != "rank0"
    }


def test_a_section_of_another_kind_inherits_nothing():
    merged = merge({"network": {"kind": "jit", "width": 64}}, {"network": {"kind": "nanodit", "tread": 0.5}})
    assert merged == {"network": {"kind": "nanodit", "tread": 0.5}}
    assert merge({"network": {"kind": "jit", "width": 64}}, {"network": {"size": "B"}})["network"]["width"] == 64


def test_any_network_takes_any_conditions_and_any_target(tmp_path):
    """What could not be written down before: NanoDiT told classes, started from PCA, in Oklab; JiT told everything."""
    prx = load(DEFAULT).arms["prx_d"].conditions.model_dump()
    loaded = experiment(
        tmp_path,
        {
            "arms": {
                "nano": {
                    "base": "scratch", "network": {"kind": "nanodit"}, "representation": {"colour": "oklab"},
                    "target": {"rank": 32}, "start": {"pca": 192},
                },
                "told": {"base": "aligned", "conditions": prx, "training": {"optimiser": "muon"}},
            }
        },
    )  # fmt: skip
    assert loaded.arms["nano"].network.kind == "nanodit" and loaded.arms["nano"].start.pca == 192
    assert loaded.arms["told"].conditions.modalities == ("caption", "embedding", "patches", "joints")


def test_a_field_that_may_be_left_out_is_left_out_by_default():
    """Arms travel as JSON without what is None; a default that is not None would come back where null was meant."""
    from asymflow.config.arm import Arm
    from asymflow.config.sampling import Sampling
    from asymflow.config.section import Section

    def optional(section, seen):
        for name, field in section.model_fields.items():
            options = getattr(field.annotation, "__args__", ())
            if type(None) in options:
                assert field.default is None, f"{section.__name__}.{name}"
            for option in (field.annotation, *options):
                if isinstance(option, type) and issubclass(option, Section) and option not in seen:
                    optional(option, seen | {option})

    optional(Arm, set())
    optional(Sampling, set())


def test_names_that_rules_give_are_refused_to_studies_and_no_others_are(tmp_path):
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    ends = set(re.findall(r'"<results>/(?:figures/)?\{study\}_(\w+)\.(?:csv|png|svg|html)"', rules))
    shown = [path for files in Studies(load(DEFAULT)).shown("prx_arms").values() for path in files.values()]
    assert ends == set(ENDS) and {Path(path).stem.removeprefix("prx_arms_") for path in shown} - {"prx_arms"} <= ends
    study = {"title": "a", "arms": ["rank8"], "reference": "rank8", "samplings": ["guided"]}
    fixed = re.findall(r'"<results>/(?:figures/)?([a-z{][\w{}]*)\.(?:csv|png|svg)"', rules)
    names = {name.format(colour="rgb", patch_size=8) for name in fixed if "{study}" not in name}
    assert {"cost", "data", "subspace_rgb_p8", "claims"} <= names
    said = mistakes(tmp_path, {"studies": {name: study for name in [*names, *(f"colour_{end}" for end in ends)]}})
    for name in names:
        assert f"study {name!r} would have files that are made of no study" in said
    for end in ends:
        assert f"study 'colour_{end}' would have the files of study 'colour'" in said
    experiment(tmp_path, {"studies": {name: study for name in [*ends, "colours", "spectrum_of_ranks"]}})
