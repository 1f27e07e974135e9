"""The declared metrics are those that judges give, and which way is better is what they do."""

import pandas as pd
import pytest
import torch
from torch import nn

from asymflow.config.evaluator import Evaluator
from asymflow.config.scoring import Scoring
from asymflow.judges import captions
from asymflow.measured import METRICS
from asymflow.metrics import clip, perceptual, preference
from asymflow.metrics.evaluators import InceptionEvaluator, LocalEvaluator
from asymflow.metrics.frechet import Moments
from asymflow.metrics.perceptual import Lpips
from asymflow.metrics.probe import Probe
from asymflow.metrics.report_card import report_card
from asymflow.metrics.statistics import Statistics
from asymflow.metrics.suite import Judge, answers, memories
from asymflow.metrics.text import TextTower
from asymflow.metrics.tower import ImageTower
from asymflow.report import metrics
from asymflow.stages import velocity

CPU = torch.device("cpu")
CONFIG = Evaluator(image_size=16, patch_size=4, stem_width=6, width=12, depth=1, heads=2, embedding=5)
VALUES = {LocalEvaluator.CLASS: ["a", "b", "c"], "glasses": ["none", "sunglasses"], "skin": ["fair", "dark"]}
KINDS = ("reconstruction", "text", "swap", "original", "edited", "told", "retold")
EDITS = [{"attribute": "glasses", "after": "sunglasses", "kept": {"skin": "fair"}}] * 3


class ChannelMeans(nn.Module):
    """Stands where the published Inception's weights would be needed."""

    def forward(self, images):
        means = images.double().mean((2, 3)).float() - 127.5
        return means, means


def local():
    torch.manual_seed(0)
    probes = {name: Probe(torch.randn(len(values), 12), torch.zeros(len(values))) for name, values in VALUES.items()}
    return LocalEvaluator(ImageTower(CONFIG).eval(), CONFIG, torch.zeros(12), torch.ones(12), probes, VALUES)


def inception():
    return InceptionEvaluator(ChannelMeans(), "none", CPU)


@pytest.fixture(scope="module")
def judges():
    """By who judges: the evaluators, and LPIPS under either of its names."""
    torch.manual_seed(0)
    network = perceptual.untrained("squeeze")
    return {
        "local": Judge(local(), Lpips(network, "lpips_local"), 4),
        "inception": Judge(inception(), Lpips(network, "lpips"), 4),
    }


def pictures(count, seed):
    return torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def wanted():
    return {kind: pictures(3, i) for i, kind in enumerate(KINDS)}


def drawn(shift, seed=1):
    generator = torch.Generator().manual_seed(seed)
    features, crops = shift + torch.randn(2, 60, 6, generator=generator)
    probabilities = torch.randn(60, 3, generator=generator).softmax(1)
    return Statistics(Moments.of(features), Moments.of(crops), features, probabilities, torch.arange(60))


def measured(judges):
    """The names of everything that the judges measure."""
    names = {"clip", *preference.JUDGES}  # of the published networks, which are not here
    row = {"t": 0.5, "last": 32, "error": 1.0}
    names |= {"seams", "coupling_error"} | velocity.metrics([row, row | {"last": 192}], 32).keys()
    for evaluator in (LocalEvaluator, InceptionEvaluator):
        settings = Scoring(kernel_blocks=4, splits=2)
        names |= report_card(drawn(0, seed=0), drawn(0), evaluator.names, settings)["metrics"].keys()
    for judge in judges.values():
        names |= answers(wanted(), wanted(), pictures(3, 9), EDITS, judge).keys()
        names |= memories(pictures(3, 0), pictures(9, 1), pictures(9, 2), judge)[0].keys()
    tower = TextTower(clip.build(CONFIG, 14), CPU)
    named = [{"glasses": "none"}, {}, {"skin": "dark"}]
    return (
        names
        | captions.local(
            pictures(3, 0).permute(0, 2, 3, 1).numpy(), ["one", "two", "three"], named, judges["local"].evaluator, tower
        ).keys()
    )


def test_every_metric_of_a_judge_is_declared_and_nothing_else(judges):
    names = measured(judges)
    assert {name for name in names if metrics.base(name) not in METRICS} == set()
    assert {metrics.base(name) for name in names} == set(METRICS)
    assert {"fid_inception", "fid_local", "recon_lpips", "recon_lpips_local", "clip_local"} <= names
    assert {"swap_caption_similarity_inception", "kept_accuracy_local", "memorised_similarity_local"} <= names


def better(name, value, other):
    """Whether one value is better than another by what is declared."""
    return {"lower": value < other, "higher": value > other}[metrics.metric(name).better]


def test_samples_far_from_the_reference_are_worse_by_every_measure_of_distance():
    settings, reference = Scoring(kernel_blocks=4, splits=2), drawn(0, seed=0)
    near, far = (
        report_card(reference, drawn(shift), LocalEvaluator.names, settings)["metrics"] for shift in (0.3, 1.0)
    )
    for name in ("fid_local", "kid_local", "patch_fid_local", "precision_local", "recall_local"):
        assert better(name, near[name], far[name]), name


def test_the_wanted_images_are_better_answers_than_others(judges):
    """As are samples whose captions they show, by every declared direction that pixels alone can tell."""
    for judge in judges.values():
        right = answers(wanted(), wanted(), pictures(3, 9), EDITS, judge)
        others = {kind: pictures(3, 20 + i) for i, kind in enumerate(KINDS)}
        wrong = answers(others, wanted(), pictures(3, 9), EDITS, judge)
        for name in ("recon_lpips", "text_lpips", "counterfactual_lpips", "swap_embedding_similarity"):
            (column,) = (column for column in right if metrics.base(column) == name)
            assert better(column, right[column].mean(), wrong[column].mean()), column


def test_copies_of_training_images_are_worse_than_strangers(judges):
    train, heldout = pictures(9, 1), pictures(9, 2)
    for judge in judges.values():
        copies, _ = memories(train[:3], train, heldout, judge)
        strangers, _ = memories(pictures(3, 5), train, heldout, judge)
        for name in ("memorised_similarity", "memorised_lpips"):
            (column,) = (column for column in copies if metrics.base(column) == name)
            assert better(column, strangers[column].mean(), copies[column].mean()), column


# ----- columns -----


@pytest.mark.parametrize(
    "column, name",
    [("fid", "fid"), ("fid_local", "fid"), ("is_local", "is"), ("fid_torch_fidelity", "fid"), ("is_adm", "is"),
     ("swap_caption_similarity_inception", "swap_caption_similarity"), ("recon_lpips_local_low", "recon_lpips_local_low")],
)  # fmt: skip
def test_a_suffix_says_who_measured_and_not_what(column, name):
    assert metrics.base(column) == name


def table(*columns):
    return pd.DataFrame([dict.fromkeys(columns, 1.0)])


def test_the_metrics_of_a_table_are_its_declared_columns_in_its_order():
    columns = table(
        "arm", "target.rank", "recall_local", "fid_local", "recon_lpips_local", "recon_lpips_local_low",
        "recon_lpips_local_high", "samples", "published_fid", "memorised_similarity_local",
    )  # fmt: skip
    expected = ["recall_local", "fid_local", "recon_lpips_local", "memorised_similarity_local"]
    assert metrics.names(columns) == expected


@pytest.mark.parametrize("column", ["kid", "kid_local", "kid_inception"])
def test_a_metric_is_found_whoever_measured_it(column):
    assert metrics.named(table("fid_local", "patch_fid_local", column), "kid") == column


@pytest.mark.parametrize("wanted", ["kid", "fid_local", "patch"])
def test_a_metric_that_a_table_lacks_is_an_error_that_says_what_it_has(wanted):
    with pytest.raises(ValueError, match=f"the table has no {wanted}; it has fid_local, recall_local"):
        metrics.named(table("arm", "fid_local", "recall_local"), wanted)


def test_the_frechet_distance_heads_a_table_wherever_it_stands():
    assert metrics.first(table("clip_local", "patch_fid_local", "fid_local")) == "fid_local"
    assert metrics.first(table("fid_second", "fid_local")) == "fid_second", "by the first judge of a study"
    with pytest.raises(ValueError, match="the table has no fid; it has patch_fid"):
        metrics.first(table("patch_fid", "published_fid"))


def test_a_label_says_which_way_is_better_where_one_is():
    assert metrics.label("fid_local") == "fid_local  (lower is better)"
    assert metrics.label("clip") == "clip  (higher is better)"
    assert metrics.label("manipulation_lpips_local") == "manipulation_lpips_local"


def test_what_is_no_metric_has_no_meaning():
    for column in ("samples", "published_fid", "recon_lpips_local_low"):
        with pytest.raises(KeyError, match=column):
            metrics.metric(column)


def test_a_metric_names_the_judges_that_measure_it(judges):
    card = report_card(drawn(0, seed=0), drawn(0), LocalEvaluator.names, Scoring(kernel_blocks=4, splits=2))["metrics"]
    by = {
        "distribution": {*card, "seams"},
        "suite": answers(wanted(), wanted(), pictures(3, 9), EDITS, judges["local"]),
        "memorisation": memories(pictures(3, 0), pictures(9, 1), pictures(9, 2), judges["local"])[0],
    }
    for judge, names in by.items():
        assert {metrics.base(name) for name in names} == {one for one in METRICS if judge in METRICS[one].judges}
