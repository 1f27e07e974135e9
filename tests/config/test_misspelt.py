"""A file that nobody makes is found out before anything runs, and the one that was meant is named."""

import pytest
from project import DEFAULT, ROOT

from asymflow.config.loading import ConfigurationError, load
from asymflow.config.misspelt import misspelt

OVERNIGHT = "workflow/scales/overnight.yaml"


@pytest.fixture(scope="module")
def default():
    return load(DEFAULT)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("results/rank_swep.csv", "found no study 'rank_swep'; did you mean 'rank_sweep'?"),
        ("./results//figures/lenght.png", "found no study 'lenght'; did you mean 'length'?"),
        ("results/figures/rank_sweep_sample.png", "found no study 'rank_sweep_sample'; did you mean 'rank_sweep'?"),
        ("results/runs/rnk8/seed0/train.json", "found no arm 'rnk8'; did you mean 'rank8'?"),
        ("results/overnight/rank_sweep.csv", "or give the --configfile that has pathvars.results: results/overnight"),
        ("results/overnight/figures/rank_sweep.png", "lie in results; ask for results/figures/rank_sweep.png"),
    ],
)
def test_a_file_that_nobody_makes_is_named_with_what_may_have_been_meant(default, word, found):
    (said,) = misspelt(default, [word])
    assert said.startswith(f"{word}: ") and found in said


@pytest.mark.parametrize(
    "word",
    [
        "results/rank_sweep.csv",
        "results/rank_sweep_summary.csv",
        "results/figures/rank_sweep_samples.png",
        "results/claims.csv",
        "results/cost.csv",
        "results/figures/subspace_rgb_p8.png",
        "results/claims/low_rank.json",
        "results/conditions/images_p8/floors.csv",
        "results/runs/rank8/seed3/unguided/distribution.json",
        "results/runs",
        "--configfile",
        OVERNIGHT,
        "all",
        "photos/captions.csv",
    ],
)
def test_what_is_made_and_what_is_no_file_of_a_study_is_left_alone(default, word):
    assert not list(misspelt(default, [word]))


def test_the_folder_of_another_scale_is_found_out():
    (said,) = misspelt(load([*DEFAULT, ROOT / OVERNIGHT]), ["results/rank_sweep.csv"])
    assert "ask for results/overnight/rank_sweep.csv" in said


def test_nothing_is_run_for_a_misspelt_target():
    with pytest.raises(
        ConfigurationError, match=r"nothing was run\n  the command line: results/rank_swep\.csv: found no"
    ):
        load(DEFAULT, words=["-n", "results/rank_swep.csv"])
