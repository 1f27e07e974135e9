"""Every mistake in a configuration is one sentence: file, arm, key, what was found, what was expected."""

from pathlib import Path

import pytest
import yaml

from asymflow.config.experiment import ConfigurationError, load, merge

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "workflow/config.yaml"
SCALES = sorted((ROOT / "workflow/scales").glob("*.yaml"))


def experiment(tmp_path, changes):
    """The default with an overlay that says `changes`."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(yaml.safe_dump(changes))
    return load(merge(yaml.safe_load(DEFAULT.read_text()), changes), [DEFAULT, overlay])


def mistakes(tmp_path, changes):
    with pytest.raises(ConfigurationError) as caught:
        experiment(tmp_path, changes)
    return str(caught.value)


def test_the_default_is_valid_and_its_reference_is_the_base():
    loaded = load(yaml.safe_load(DEFAULT.read_text()), [DEFAULT])
    assert loaded.arms["rank8"].target.rank == 8 and loaded.results == "results"


@pytest.mark.parametrize("scale", SCALES, ids=lambda path: path.stem)
def test_every_scale_is_valid_and_has_results_of_its_own(scale):
    merged = merge(yaml.safe_load(DEFAULT.read_text()), yaml.safe_load(scale.read_text()))
    assert load(merged, [DEFAULT, scale]).results == f"results/{scale.stem}"


def test_arms_of_the_rank_sweep_differ_in_nothing_but_their_target():
    loaded = load(yaml.safe_load(DEFAULT.read_text()), [DEFAULT])
    arms = [loaded.arms[name] for name in loaded.studies["rank_sweep"].arms]
    assert len({arm.model_copy(update={"target": None}).model_dump_json() for arm in arms}) == 1
    assert len({arm.target for arm in arms}) == len(arms)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"arms": {"rank0": {"target": {"rnak": 4}}}},
            "mine.yaml: arm 'rank0', key target.rnak: unknown key 'rnak'; did you mean 'rank'? valid here: basis, rank",
        ),
        ({"trainnig": {}}, "mine.yaml: unknown key 'trainnig'"),
        ({"arms": {"rank0": {"target": {"rank": -1}}}}, "arm 'rank0', key target.rank"),
        ({"arms": {"big": {"target": {"rank": 769}}}}, "arm 'big', key target.rank: found 769; expected at most the patch"),
        ({"base": {"model": {"patch_size": 24}}}, "key model.patch_size: found 24; expected a divisor of the image size, 64"),
        (
            {"arms": {"deep": {"repa": {"weight": 0.5, "block": 9}}}},
            "arm 'deep', key repa.block: found 9; expected at most the network's blocks, 4 at size tiny",
        ),
        (
            {
                "samplings": {"late": {"snapshot": 3}},
                "studies": {"convergence": {"samplings": ["late"], "arms": ["rank8"], "reference": "rank8"}},
            },
            "samples arm 'rank8' with setting 'late', which takes snapshot 3, but the arm keeps 0; raise its training.snapshots",
        ),
        ({"search": {"scale_low": 5.0}}, "key search: scale_low (5.0) exceeds scale_high (4.0)"),
        (
            {"samplings": {"guided": {"interval": [0.8, 0.2]}}},
            "sampling setting 'guided', key (whole): interval is [0.8, 0.2]; expected [low, high]",
        ),
        ({"base": {"training": {"lr": "fast"}}}, "key training.lr (from base): found 'fast'; expected: "),
        ({"base": {"training": {"batch": 10**9}}}, "one batch (1000000000 images) exceeds the whole training"),
        ({"studies": {"rank_sweep": {"arms": ["rank0", "rank9"]}}}, "study 'rank_sweep'"),
        ({"studies": {"rank_sweep": {"reference": "rank3"}}}, "the reference 'rank3' is not among the study's arms"),
        ({"sampling": {"ema_images": 5}}, "whose ema_images is 5; the arm is trained with the horizons"),
        ({"arms": {"Rank-8": {}}}, "arms has an entry 'Rank-8'; expected a name of lower-case letters"),
        ({"evaluators": "published"}, "key evaluators"),
        ({"data": {"source": "folder"}}, "path must say where they are"),
        (
            {"data": {"source": "folder", "path": "photos", "shapes": [[48, 96], [96, 40]]}},
            "key patch_size: found 16; expected a divisor of both sides of 96 x 40 (data.shapes)",
        ),
        ({"data": {"shapes": [[48, 96]]}}, "key data: portraits are drawn square, so shapes would have no images: leave it out"),
        ({"seeds": 0}, "key seeds"),
        (
            {"autoencoder": {"channels": 193}},
            "key autoencoder: channels is 193; a latent position stands for 8 x 8 x 3 = 192 numbers of the image: give at most",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_explained(tmp_path, changes, sentence):
    assert sentence in mistakes(tmp_path, changes)


def test_an_unknown_arm_of_a_study_gets_a_suggestion(tmp_path):
    changes = {"studies": {"rank_sweep": {"arms": ["rank8", "rnak0"]}}}
    text = mistakes(tmp_path, changes)
    assert "mine.yaml: study 'rank_sweep' lists the arm 'rnak0', which is not defined; did you mean 'rank0'?" in text


def test_all_mistakes_are_named_at_once(tmp_path):
    text = mistakes(tmp_path, {"seeds": 0, "arms": {"rank0": {"x": 1}, "rank2": {"y": 1}}})
    assert text.count("\n") >= 2 and "'x'" in text and "'y'" in text


def test_the_file_is_the_last_one_that_says_the_key(tmp_path):
    assert "mine.yaml: arm 'rank8'" in mistakes(tmp_path, {"base": {"training": {"lr": -1}}})


def test_numbers_in_yaml_s_short_notation_are_numbers(tmp_path):
    """YAML 1.1 reads 1e-4 as text; both ways to write it mean the same here."""
    one, other = (experiment(tmp_path, {"base": {"training": {"lr": lr}}}) for lr in ("1e-4", 1.0e-4))
    assert one == other


def test_an_overlay_changes_what_it_names_and_nothing_else(tmp_path):
    plain, changed = experiment(tmp_path, {}), experiment(tmp_path, {"arms": {"rank0": {"training": {"lr": 0.5}}}})
    assert changed.arms["rank0"].training.lr == 0.5
    assert {k: v for k, v in changed.arms.items() if k != "rank0"} == {
        k: v for k, v in plain.arms.items() if k != "rank0"
    }
