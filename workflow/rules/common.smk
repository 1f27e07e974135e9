"""The configuration, checked before anything runs, and the functions that rules take their inputs and parameters from."""

import json
import os
import sys
from pathlib import Path
from typing import get_args

from snakemake.exceptions import WorkflowError

from asymflow.config.colour import Colour
from asymflow.config.experiment import SAMPLED_BY, load
from asymflow.config.latent import check
from asymflow.config.subspace import Basis
from asymflow.provenance import digest

try:
    overlays = list(workflow.overwrite_configfiles)
    experiment = load(config, [f for f in workflow.configfiles if f not in overlays] + overlays)
    check(experiment.latent, experiment.text_arms)
except ValueError as error:
    raise WorkflowError(str(error)) from None

# jobs run the Python that runs Snakemake, also where its environment was not activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

RESULTS = experiment.results
DEFAULT_ARM = next(iter(experiment.arms))
BASES = get_args(Basis)
STARTS = {arm.start for arm in experiment.text_arms.values()}
TEXT = [name for name in experiment.studies if experiment.group(name) == "text_arms"]
PRX = [name for name in experiment.studies if experiment.group(name) == "prx_arms"]
CONVERGENCE = [name for name, study in experiment.studies.items() if study.figure == "convergence"]


def named(*groups):
    """A pattern that matches the names in the groups, and nothing where there are none."""
    return "|".join(name for group in groups for name in group) or "(?!)"


wildcard_constraints:
    arm=named(*(getattr(experiment, group) for group in SAMPLED_BY)),
    sampling=named(*(getattr(experiment, group) for group in SAMPLED_BY.values())),
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


def arm(name):
    """One arm, whichever group it is in."""
    return next(getattr(experiment, group)[name] for group in SAMPLED_BY if name in getattr(experiment, group))


def sampling(name):
    """One sampling setting, whichever group it is in."""
    groups = [getattr(experiment, group) for group in SAMPLED_BY.values()]
    return next(group[name] for group in groups if name in group)


def arm_config(wildcards):
    return arm(wildcards.arm).model_dump_json()


def sampling_config(wildcards):
    return sampling(wildcards.sampling).model_dump_json()


def latent_folder(wildcards):
    """The folder of the FLUX.2 that text-to-image arms begin with; none where the latent model is trained here."""
    return experiment.latent.model or ""


def latent_space(wildcards):
    """What encodes images as latents: the autoencoder that is trained here, or a folder."""
    return experiment.latent.model or "<results>/latent/autoencoder.safetensors"


def text_reader(wildcards):
    """What reads captions for text-to-image arms: the evaluator's text tower, or the encoder in a folder."""
    return experiment.latent.model or "<results>/evaluator/local.safetensors"


def made_captions(split):
    """The captions of a split that stage caption writes, where the set has none of its own."""
    return [f"<results>/data/{split}.captions.txt"] if experiment.captions.model else []


def arm_encoded(wildcards):
    return f"<results>/latent/p{arm(wildcards.arm).patch_size}/train.json"


def arm_lift(wildcards):
    """How latent tokens lie in an arm's patches."""
    wanted = arm(wildcards.arm)
    return f"<results>/latent/lift_{wanted.colour}_p{wanted.patch_size}.safetensors"


def arm_start(wildcards):
    """The run whose weights a text-to-image arm starts from, of the same seed."""
    start = arm(wildcards.arm).start
    return [f"<results>/runs/{start}/seed{{seed}}/model.safetensors"] if start else []


def arm_perceptual(wildcards):
    """The network of an arm's perceptual loss, where it is trained here."""
    return perceptual_file(wildcards) if arm(wildcards.arm).loss.perceptual else []


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


def embedding_evaluator(wildcards):
    """The evaluator that embeds captions and images, where it is trained here."""
    return [] if experiment.embeddings.text else ["<results>/evaluator/local.safetensors"]


def prx_path(arm, name):
    return f"<results>/embedded/p{arm.network.patch_size}/{name}"


def prx_file(name):
    """A file among the embeddings that an arm of prx-tg works on."""
    return lambda wildcards: prx_path(experiment.prx_arms[wildcards.arm], name)


def prx_subspace(wildcards):
    """The basis of the prediction target of an arm of prx-tg."""
    wanted = experiment.prx_arms[wildcards.arm]
    return f"<results>/subspace/{wanted.target.basis}_rgb_p{wanted.network.patch_size}.safetensors"


def arm_teacher(wildcards):
    """The evaluator whose features an arm's are aligned with, where it is trained here."""
    repa = experiment.arms[wildcards.arm].repa
    return ["<results>/evaluator/local.safetensors"] if repa.weight and repa.teacher == "local" else []


def sampled_model(wildcards):
    """What a sampling setting draws from: the finished model, or the folder of the run's snapshots."""
    name = "snapshots" if sampling(wildcards.sampling).snapshot else "model.safetensors"
    return f"<results>/runs/{{arm}}/seed{{seed}}/{name}"


def searched_guidance(wildcards):
    """The result of a run's guidance search, for the sampling settings that take theirs from it."""
    searched = experiment.samplings[wildcards.sampling].guidance == "searched"
    return ["<results>/runs/{arm}/seed{seed}/{sampling}/guidance.json"] if searched else []


def perceptual_file(wildcards):
    """The perceptual network that is trained here; the published one has its weights elsewhere."""
    return ["<results>/evaluator/perceptual.safetensors"] if experiment.evaluators == "local" else []


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
    study = experiment.studies[wildcards.study]
    names = ("scores.json", "text_scores.json") if wildcards.study in TEXT else ("scores.json",)
    return [path for setting in study.samplings for name in names for path in study_runs(f"{setting}/{name}", wildcards)]


def study_pictures(wildcards):
    setting = experiment.studies[wildcards.study].samplings[-1]
    return study_runs(f"{setting}/samples.npy", wildcards)


def study_published(wildcards):
    name = experiment.studies[wildcards.study].published
    return [f"workflow/published/{name}.csv"] if name else []


def study_systems(wildcards):
    """Rows that join a study's own: published systems, and what is no model's drawing in the suite of prx-tg."""
    study = experiment.studies[wildcards.study]
    floors = [prx_path(arm(study.arms[0]), "floors.csv")] if wildcards.study in PRX else []
    return floors + ([f"workflow/published/{study.systems}.csv"] if study.systems else [])


def study_curves(wildcards):
    return study_runs("curve.jsonl", wildcards)


def study_all_pictures(wildcards):
    samplings = experiment.studies[wildcards.study].samplings
    return [path for setting in samplings for path in study_runs(f"{setting}/samples.npy", wildcards)]


def study_neighbours(wildcards):
    setting = experiment.studies[wildcards.study].samplings[0]
    return study_runs(f"{setting}/neighbours.npy", wildcards)


def study_beside(wildcards):
    """What a figure shows beside its table: the searches behind a guidance surface, the subspaces of arms."""
    study = experiment.studies[wildcards.study]
    if study.figure == "guidance":
        return study_runs(f"{study.samplings[0]}/guidance.json", wildcards)
    if study.figure == "bases":
        return [f"<results>/subspace/{experiment.arms[name].target.basis}_{patch_space(name)}.safetensors" for name in study.arms]
    return []


def study_config(wildcards):
    """What a table has to know of its study: the study, its arms and sampling settings field by field, its seeds."""
    study = experiment.studies[wildcards.study]
    return json.dumps(
        {
            "name": wildcards.study,
            "results": RESULTS,
            "seeds": list(experiment.study_seeds(wildcards.study)),
            "arms": {name: flat(arm(name).model_dump(mode="json")) for name in study.arms},
            "samplings": {name: flat(sampling(name).model_dump(mode="json")) for name in study.samplings},
            **study.model_dump(mode="json", include={"title", "reference", "figure"}),
        }
    )


def flat(values, prefix=""):
    """Nested configuration as one level of dotted keys."""
    fields = {}
    for key, value in values.items():
        fields |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return fields
