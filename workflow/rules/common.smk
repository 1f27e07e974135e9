"""The configuration, checked before anything runs, and the plan, studies and descriptions that rules ask for inputs and parameters."""

import os
import sys
from pathlib import Path
from typing import get_args

from snakemake.exceptions import WorkflowError

from asymflow import documents
from asymflow.config.latent import check
from asymflow.config.loading import load
from asymflow.config.protocols import Protocol
from asymflow.config.representation import Colour
from asymflow.config.requested import requested
from asymflow.config.subspace import Basis
from asymflow.config.study import Judge
from asymflow.descriptions import Descriptions
from asymflow.paths import SPLITS
from asymflow.plan import Plan
from asymflow.studies import Studies
from asymflow.workdir import clear_dead_lock

if workflow.is_main_process:
    clear_dead_lock(Path.cwd())

try:
    overlays = list(workflow.overwrite_configfiles)
    files = [f for f in workflow.configfiles if f not in overlays] + overlays
    # the process of a single job need not find again what the main process found
    experiment = load(
        [os.path.relpath(file) for file in files],
        workflow.config_settings.config,
        sys.argv[1:] if workflow.is_main_process else None,
    )
    if workflow.is_main_process:
        check(experiment.latent, {arm: experiment.arms[arm] for arm in requested(experiment, sys.argv[1:]).arms})
except ValueError as error:
    raise WorkflowError(str(error)) from None

project = os.path.relpath(workflow.basedir)
plan, studies = Plan(experiment), Studies(experiment, project)
paths, descriptions = plan.paths, Descriptions(plan, studies)

# jobs run the Python that runs Snakemake, also where its environment was not activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

DEFAULT_ARM = next(iter(experiment.arms.values()))
COLOUR, PATCH_SIZE = DEFAULT_ARM.representation.colour, DEFAULT_ARM.representation.patch_size
BASES = get_args(Basis)


wildcard_constraints:
    arm=plan.names("arms"),
    sampling=plan.names("samplings"),
    study=plan.names("studies"),
    claim=plan.names("claims"),
    look=r"\d+",
    judge="|".join(get_args(Judge)),
    protocol="|".join(get_args(Protocol)),
    second="(second/)?",
    seed=r"\d+",
    basis="|".join(BASES),
    colour="|".join(get_args(Colour)),
    patch_size=r"\d+",
    reader="local|t5|flux2",
    split="|".join(SPLITS),


def previews(wildcards, threads):
    """How many grids of samples a training shows. They change nothing of it, so a training is not stale when their number changes:
    like the launcher, a parameter that is a function of threads is not among those that Snakemake compares.
    """
    return experiment.previews


def launcher(wildcards, threads, resources):
    """One process, or one for each GPU that the job was given, on one node or several. It depends on threads and resources
    alone, so it never makes a run stale.

    On several nodes srun starts torchrun on each, and these meet at the first, where the job's own shell runs: SLURM's job number
    tells them from those of other jobs, and gives the port.
    """
    gpus, nodes = resources.get("gpu", 0), resources.get("nodes", 1)
    if nodes == 1 and gpus < 2:
        return "python"
    if gpus % nodes or not gpus:
        raise WorkflowError(
            f"{gpus} GPUs cannot be shared equally by {nodes} nodes; expected a multiple of {nodes} in `gpu`"
        )
    # behind --: or torchrun takes a stage's own options, --start, for unclear ones of its own
    processes = f"--nproc-per-node {gpus // nodes} --no-python -- python"
    if nodes == 1:
        return f"torchrun --standalone {processes}"
    return (
        f"srun --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1 --cpus-per-task {threads} torchrun --nnodes {nodes}"
        f" --rdzv-backend c10d --rdzv-id $SLURM_JOB_ID --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 10000)) {processes}"
    )
