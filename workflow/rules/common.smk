"""The configuration, checked before anything runs, and the functions that rules take their inputs and parameters from."""

import json
import os
import sys
from pathlib import Path
from typing import get_args

from snakemake.exceptions import WorkflowError

from asymflow.config.colour import Colour
from asymflow.config.experiment import ConfigurationError, load
from asymflow.config.subspace import Basis
from asymflow.provenance import digest

try:
    overlays = list(workflow.overwrite_configfiles)
    experiment = load(config, [f for f in workflow.configfiles if f not in overlays] + overlays)
except ConfigurationError as error:
    raise WorkflowError(str(error)) from None

# jobs run the Python that runs Snakemake, also where its environment was not activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

RESULTS = experiment.results
DEFAULT_ARM = next(iter(experiment.arms))
BASES = get_args(Basis)
CONVERGENCE = [name for name, study in experiment.studies.items() if study.figure == "convergence"]


wildcard_constraints:
    arm="|".join(experiment.arms),
    sampling="|".join(experiment.samplings),
    study="|".join(experiment.studies),
    seed=r"\d+",
    basis="|".join(BASES),
    colour="|".join(get_args(Colour)),
    patch_size=r"\d+",
    split="train|evaluator|heldout",


def code(stage):
    """Digest of the code that a stage runs: the parameter by which an edit makes its results stale."""
    return digest(f"asymflow.stages.{stage}")


def section(name):
    """One section of the configuration as JSON, which compares by value."""
    return getattr(experiment, name).model_dump_json()


def arm_config(wildcards):
    return experiment.arms[wildcards.arm].model_dump_json()


def sampling_config(wildcards):
    return experiment.samplings[wildcards.sampling].model_dump_json()


def arm_subspace(wildcards):
    """The basis of an arm's prediction target."""
    return f"<results>/subspace/{experiment.arms[wildcards.arm].target.basis}_{patch_space(wildcards.arm)}.safetensors"


def arm_pca(wildcards):
    """The basis that an arm's patch embedding starts from."""
    return f"<results>/subspace/pca_{patch_space(wildcards.arm)}.safetensors"


def patch_space(arm):
    """The patches that an arm works on, as file names have it."""
    model = experiment.arms[arm].model
    return f"{model.colour}_p{model.patch_size}"


def arm_teacher(wildcards):
    """The evaluator whose features an arm's are aligned with, where it is trained here."""
    repa = experiment.arms[wildcards.arm].repa
    return ["<results>/evaluator/local.safetensors"] if repa.weight and repa.teacher == "local" else []


def sampled_model(wildcards):
    """What a sampling setting draws from: the finished model, or the folder of the run's snapshots."""
    name = "snapshots" if experiment.samplings[wildcards.sampling].snapshot else "model.safetensors"
    return f"<results>/runs/{{arm}}/seed{{seed}}/{name}"


def searched_guidance(wildcards):
    """The result of a run's guidance search, for the sampling settings that take theirs from it."""
    searched = experiment.samplings[wildcards.sampling].guidance == "searched"
    return ["<results>/runs/{arm}/seed{seed}/{sampling}/guidance.json"] if searched else []


def evaluator_file(wildcards):
    """The file of the evaluator that is trained here; the published one has its weights elsewhere."""
    return ["<results>/evaluator/local.safetensors"] if experiment.evaluators == "local" else []


def evaluator_name(wildcards):
    return f"{RESULTS}/evaluator/local.safetensors" if experiment.evaluators == "local" else "inception"


def launcher(wildcards, resources):
    """One process, or one for each GPU that the job was given. Depends on resources alone, so it never makes a run stale."""
    gpus = resources.get("gpu", 0)
    return f"torchrun --standalone --nproc-per-node {gpus}" if gpus > 1 else "python"


def study_runs(name, wildcards):
    """The file `name` of every run of a study."""
    study = experiment.studies[wildcards.study]
    seeds = experiment.study_seeds(wildcards.study)
    return expand("<results>/runs/{arm}/seed{seed}/{name}", arm=study.arms, seed=seeds, name=name)


def study_summaries(wildcards):
    return study_runs("train.json", wildcards)


def study_scores(wildcards):
    samplings = experiment.studies[wildcards.study].samplings
    return [path for sampling in samplings for path in study_runs(f"{sampling}/scores.json", wildcards)]


def study_pictures(wildcards):
    sampling = experiment.studies[wildcards.study].samplings[-1]
    return study_runs(f"{sampling}/samples.npy", wildcards)


def study_published(wildcards):
    name = experiment.studies[wildcards.study].published
    return [f"workflow/published/{name}.csv"] if name else []


def study_systems(wildcards):
    name = experiment.studies[wildcards.study].systems
    return [f"workflow/published/{name}.csv"] if name else []


def study_beside(wildcards):
    """What a figure shows beside its table: the searches behind a guidance surface, the subspaces of arms."""
    study = experiment.studies[wildcards.study]
    if study.figure == "guidance":
        return study_runs(f"{study.samplings[0]}/guidance.json", wildcards)
    if study.figure == "bases":
        return [f"<results>/subspace/{experiment.arms[arm].target.basis}_{patch_space(arm)}.safetensors" for arm in study.arms]
    return []


def study_config(wildcards):
    """What a table has to know of its study: the study, its arms and sampling settings field by field, its seeds."""
    study = experiment.studies[wildcards.study]
    return json.dumps(
        {
            "name": wildcards.study,
            "results": RESULTS,
            "seeds": list(experiment.study_seeds(wildcards.study)),
            "arms": {arm: flat(experiment.arms[arm].model_dump(mode="json")) for arm in study.arms},
            "samplings": {name: flat(experiment.samplings[name].model_dump(mode="json")) for name in study.samplings},
            **study.model_dump(mode="json", include={"title", "reference", "figure"}),
        }
    )


def flat(values, prefix=""):
    """Nested configuration as one level of dotted keys."""
    fields = {}
    for key, value in values.items():
        fields |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return fields
