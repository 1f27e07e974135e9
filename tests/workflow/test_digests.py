"""An edit makes stale what runs the code, and nothing else: part by part, over the arms of the default and two more."""

import ast
import json
import re
from types import SimpleNamespace
from typing import get_args

import pytest
from project import DEFAULT, ROOT

from asymflow import provenance
from asymflow.config.loading import load
from asymflow.config.protocols import Protocol
from asymflow.config.study import Judge
from asymflow.descriptions import Descriptions
from asymflow.plan import Plan
from asymflow.studies import Studies

NOT_IN_THE_DEFAULT = {
    "dit": {"base": "scratch", "network": {"kind": "dit"}},
    "frequency": {"base": "scratch", "losses": {"frequency": {}}},
}
PLAN = Plan(load(DEFAULT, {"arms": NOT_IN_THE_DEFAULT}))
ARMS = PLAN.experiment.arms
OTHER = ast.dump(ast.parse("something_else = 1"))


def training():
    return {name: PLAN.train_code(SimpleNamespace(arm=name)) for name in ARMS}


def sampling(setting):
    return {name: PLAN.sample_code(SimpleNamespace(arm=name, sampling=setting)) for name in ARMS}


def scoring():
    return {judge: PLAN.score_code(SimpleNamespace(judge=judge)) for judge in get_args(Judge)}


def moved(compute, module, monkeypatch):
    """Whose digests an edit of a module changes."""
    before, tree = compute(), provenance._tree
    monkeypatch.setattr(provenance, "_tree", lambda name: OTHER if name == module else tree(name))
    after = compute()
    assert module in provenance.closure(module)
    return {name for name in before if before[name] != after[name]}


def arms_where(part):
    """The arms for which a part holds."""
    return {name for name, arm in ARMS.items() if part(arm)}


def nowhere(arm):
    """Not a part of any training."""
    return False


def taught(arm):
    """Whether a teacher has a say in its training."""
    losses = arm.losses
    return any((losses.alignment, losses.masked_alignment, losses.spatial_alignment, losses.semantic))


TRAINED = {
    "asymflow.models.nanodit": lambda arm: arm.network.kind == "nanodit",
    "asymflow.config.nanodit": lambda arm: arm.network.kind == "nanodit",
    "asymflow.models.scan": lambda arm: arm.network.kind == "nanodit",
    "asymflow.models.jit": lambda arm: (
        arm.network.kind in ("jit", "uvit", "decoupled", "gained")
    ),  # the others are made from it
    "asymflow.config.jit": lambda arm: arm.network.kind in ("jit", "uvit", "decoupled", "gained"),
    "asymflow.models.gained": lambda arm: arm.network.kind == "gained",
    "asymflow.models.uvit": lambda arm: arm.network.kind == "uvit",
    "asymflow.config.uvit": lambda arm: arm.network.kind == "uvit",
    "asymflow.models.decoupled": lambda arm: arm.network.kind == "decoupled",
    "asymflow.config.decoupled": lambda arm: arm.network.kind == "decoupled",
    "asymflow.models.dit": lambda arm: arm.network.kind == "dit",
    "asymflow.config.dit": lambda arm: arm.network.kind == "dit",
    "asymflow.training.terms.frequency": lambda arm: arm.losses.frequency is not None,
    "asymflow.models.reader": lambda arm: arm.network.kind != "flux",
    "asymflow.models.flux": lambda arm: arm.network.kind == "flux",
    "asymflow.models.ddt": lambda arm: arm.network.kind == "flux",
    "asymflow.training.terms.alignment": lambda arm: arm.losses.alignment is not None,
    # what reads captions is beside what sees images, and takes its preparation of them from the teachers
    "asymflow.training.terms.masked_alignment": lambda arm: arm.losses.masked_alignment is not None,
    "asymflow.training.terms.spatial_alignment": lambda arm: arm.losses.spatial_alignment is not None,
    "asymflow.training.terms.perceptual": lambda arm: arm.losses.perceptual is not None,
    "asymflow.training.terms.semantic": lambda arm: arm.losses.semantic is not None,
    "asymflow.training.features": lambda arm: taught(arm),
    "asymflow.training.predicted": lambda arm: arm.losses.perceptual is not None or arm.losses.semantic is not None,
    # what reads captions is beside what sees images, and takes its preparation of them from the teachers
    "asymflow.training.teachers": lambda arm: taught(arm) or "caption" in arm.conditions.modalities,
    "asymflow.training.captions": lambda arm: "caption" in arm.conditions.modalities,
    "asymflow.training.terms.places": lambda arm: arm.losses.places is not None,
    "asymflow.training.terms.variance_reduction": lambda arm: arm.losses.variance_reduction is not None,
    "asymflow.flow.variance": lambda arm: arm.losses.variance_reduction is not None,
    "asymflow.training.optimisers.muon": lambda arm: arm.training.optimiser == "muon",
    "asymflow.training.optimisers.adamw_8bit": lambda arm: arm.training.optimiser == "adamw_8bit",
    "asymflow.flow.asymmetric": lambda arm: True,
    "asymflow.models.velocity": lambda arm: True,
    "asymflow.models.targets.asymmetric": lambda arm: arm.target.kind == "asymmetric",
    "asymflow.config.targets.asymmetric": lambda arm: arm.target.kind == "asymmetric",
    "asymflow.models.targets.isotropic": lambda arm: arm.target.kind == "isotropic",
    "asymflow.config.targets.isotropic": lambda arm: arm.target.kind == "isotropic",
    "asymflow.models.targets.spectral": lambda arm: arm.target.kind == "spectral",
    "asymflow.models.targets.opening": lambda arm: arm.target.kind == "opening",
    "asymflow.models.targets.preconditioned": lambda arm: arm.target.kind == "preconditioned",
    "asymflow.flow.preconditioned": lambda arm: arm.target.kind == "preconditioned",
    "asymflow.flow.forcing": lambda arm: arm.target.kind == "forced",
    "asymflow.flow.shares": lambda arm: arm.target.kind in ("isotropic", "spectral", "opening"),
    "asymflow.training.loop": lambda arm: True,
    "asymflow.training.preview": nowhere,
    "asymflow.flow.solver": nowhere,
    "asymflow.config.impossible": nowhere,
    "asymflow.config.sampling": nowhere,
    "asymflow.sampling.field": nowhere,
    "asymflow.report.tables": nowhere,
    "asymflow.data.portraits": nowhere,
    "asymflow.plan": nowhere,
    "asymflow.descriptions": nowhere,
    "asymflow.paths": nowhere,
}


@pytest.mark.parametrize("module", TRAINED)
def test_an_edit_retrains_the_arms_that_use_the_part_and_no_others(module, monkeypatch):
    stale = arms_where(TRAINED[module])
    assert bool(stale) != (TRAINED[module] is nowhere)
    assert moved(training, module, monkeypatch) == stale


@pytest.mark.parametrize(
    ("setting", "module", "stale"),
    [
        ("guided", "asymflow.sampling.solvers.unipc", True),
        ("guided", "asymflow.sampling.solvers.heun", False),
        ("fine", "asymflow.sampling.solvers.heun", True),
        ("guided", "asymflow.sampling.asks.classes", True),
        ("guided", "asymflow.sampling.asks.cases", False),
        ("guided", "asymflow.data.suite", False),
        ("guided", "asymflow.training.loop", False),
        ("guided", "asymflow.training.terms.alignment", False),
        ("bare", "asymflow.data.suite", True),
        ("bare", "asymflow.data.cases", False),
        ("bare", "asymflow.sampling.solvers.euler", True),
        ("captions", "asymflow.sampling.solvers.unipc", True),
        ("captions", "asymflow.sampling.asks.captions", True),
        ("captions", "asymflow.metrics.text", False),
    ],
)
def test_an_edit_samples_again_what_uses_the_part_and_nothing_else(setting, module, stale, monkeypatch):
    stale_arms = moved(lambda: sampling(setting), module, monkeypatch)
    assert stale_arms == (set(ARMS) if stale else set())


def test_only_arms_of_latents_depend_on_the_decoder_when_they_are_sampled(monkeypatch):
    stale_arms = moved(lambda: sampling("captions"), "asymflow.models.latents", monkeypatch)
    assert stale_arms == arms_where(lambda arm: arm.representation.space == "latent")


@pytest.mark.parametrize(
    ("module", "stale"),
    [
        ("asymflow.judges.suite", {"suite"}),
        ("asymflow.judges.captions", {"captions"}),
        ("asymflow.metrics.memorisation", {"suite", "memorisation"}),
        ("asymflow.metrics.precision_recall", {"distribution", "second"}),
        ("asymflow.metrics.evaluators", {"distribution", "captions", "suite", "memorisation", "second"}),
        ("asymflow.judges.second", {"second"}),
        ("asymflow.models.jit", set()),
        ("asymflow.sampling.sampler", set()),
    ],
)
def test_an_edit_scores_again_what_uses_the_part_and_nothing_else(module, stale, monkeypatch):
    assert moved(scoring, module, monkeypatch) == stale


def test_an_option_that_is_new_changes_neither_the_code_nor_the_configuration_of_what_exists(tmp_path, monkeypatch):
    """A field of a section, and a section for it: their values travel in the parameters, and None is left out of these."""
    before = training()
    path = ROOT / "src/asymflow/config/losses.py"
    edited = (
        path.read_text().replace(
            "class Losses(Section):",
            'class Fresh(Section):\n    """A term."""\n\n    weight: PositiveFloat = 1.0\n\n\nclass Losses(Section):',
        )
        + "\n    fresh: Fresh | None = None\n"
    )
    (tmp_path / "losses.py").write_text(edited)
    find = provenance._path
    provenance._tree.cache_clear()
    monkeypatch.setattr(
        provenance, "_path", lambda name: tmp_path / "losses.py" if name == "asymflow.config.losses" else find(name)
    )
    try:
        assert training() == before
    finally:
        provenance._tree.cache_clear()


def described(plan):
    """What every rule is told of every study, by the name of the function that tells it."""
    descriptions = Descriptions(plan, Studies(plan.experiment))
    named = [SimpleNamespace(study=study) for study in plan.experiment.studies]
    return {tell: [getattr(descriptions, tell)(study) for study in named] for tell in ("study", "drawn")}


def test_an_option_that_is_not_given_is_in_no_description_so_that_a_new_one_makes_no_table_stale():
    for told in described(PLAN).values():
        for study in map(json.loads, told):
            entries = [*study["arms"].values(), *study["samplings"].values()]
            assert not [name for fields in entries for name, value in fields.items() if value is None]


def test_only_what_draws_a_study_is_told_how_it_is_called_and_drawn():
    named = {
        name: study.model_copy(update={"title": "another", "figure": "bars"})
        for name, study in PLAN.experiment.studies.items()
    }
    before = described(PLAN)
    after = described(Plan(PLAN.experiment.model_copy(update={"studies": named})))
    assert after["study"] == before["study"]
    assert not set(after["drawn"]) & set(before["drawn"])
    rules = re.split(r"^rule ", (ROOT / "workflow/rules/report.smk").read_text(), flags=re.MULTILINE)
    drawing = {rule.partition(":")[0] for rule in rules if "descriptions.drawn(" in rule}
    assert drawing == {"figure", "compare", "curves", "error_by_noise"}


def gathering():
    return {name: PLAN.protocol_reference_code(SimpleNamespace(protocol=name)) for name in get_args(Protocol)}


def exporting():
    return {name: PLAN.export_code(SimpleNamespace(arm=name)) for name in ARMS}


def coupling():
    named = (SimpleNamespace(arm="asymflow", sampling=setting) for setting in ("captions", "bare"))
    return {wildcards.sampling: PLAN.coupling_code(wildcards) for wildcards in named}


def cost():
    return {"cost": PLAN.cost_code(SimpleNamespace())}


@pytest.mark.parametrize(
    ("compute", "module", "stale"),
    [
        (gathering, "asymflow.protocols.clean", {"clean"}),
        (gathering, "asymflow.protocols.adm", {"adm", "torch_fidelity"}),  # the second measures as the first does
        (gathering, "asymflow.protocols.networks", set(get_args(Protocol))),
        (exporting, "asymflow.models.targets.isotropic", arms_where(lambda arm: arm.target.kind == "isotropic")),
        (coupling, "asymflow.sampling.asks.captions", {"captions"}),
        (coupling, "asymflow.sampling.asks.cases", {"bare"}),
        (cost, "asymflow.models.nanodit", {"cost"}),
        (cost, "asymflow.sampling.solvers.unipc", {"cost"}),
        (cost, "asymflow.sampling.sampler", set()),
    ],
)
def test_an_edit_of_a_part_that_is_loaded_by_name_makes_stale_what_loads_it_and_nothing_else(
    compute, module, stale, monkeypatch
):
    assert moved(compute, module, monkeypatch) == stale


ASSEMBLES_NOTHING = {"publish"}  # it takes the type of a lift from what does


def test_a_stage_whose_digest_is_of_its_imports_alone_loads_nothing_by_name():
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    stages = set(re.findall(r'plan\.code\("(\w+)"\)', rules))
    assert len(stages) > 30
    loading = {name for name in stages if any("parts.load(" in text for text in sources(f"asymflow.stages.{name}"))}
    assert loading == ASSEMBLES_NOTHING


def sources(module):
    """The text of all that a module imports, and its own."""
    return [provenance._path(name).read_text() for name in provenance.closure(module)]
