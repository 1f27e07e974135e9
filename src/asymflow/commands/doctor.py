"""Checks the installation: what is missing, what to do, and what will be slow.

asymflow doctor
asymflow doctor --project ~/asymflow

Each line is ok, a note (works, but slowly or not all of it) or a problem, with what to do. The exit status is 1 if there is a
problem.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

OK, NOTE, PROBLEM = "ok", "note", "problem"
PYTHONS = range(11, 14)  # minor versions of Python 3 that the project is tested with
LEAST_DISK, LITTLE_DISK = 2, 20  # GB: too few for the default, too few for the larger scales
INSTALL = "in a clone, pip install -e '.[pipeline]'"
LITTLE_MEMORY = 8  # GB: the default's trainings and evaluator fit, larger ones need care
LITTLE_SHARED = 1  # GB of /dev/shm, through which data loaders pass batches
WEIGHTS = re.compile(r"\bmodels/[\w.-]+")
PINNED = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([^;]+?)\s*;\s*extra == ['\"]pipeline['\"]")


class Finding(NamedTuple):
    """One line of the diagnosis."""

    level: Literal["ok", "note", "problem"]
    what: str
    said: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project", type=Path, default=Path(), help="folder of the Snakefile; the current one if left out"
    )


def run(arguments: argparse.Namespace) -> int:
    found = []
    for finding in examine(arguments.project):
        found.append(finding)
        remedy = f": {finding.remedy}" if finding.remedy else ""
        print(f"{finding.level:<8} {finding.what:<12} {finding.said}{remedy}", flush=True)
    problems = sum(finding.level == PROBLEM for finding in found)
    notes = sum(finding.level == NOTE for finding in found)
    print(f"\nproblems: {problems}, notes: {notes}")
    return int(problems > 0)


def examine(project: Path) -> Iterator[Finding]:
    """All findings, one after another."""
    yield python(sys.version_info[:3])
    yield from libraries()
    yield from devices()
    yield snakemake()
    yield memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    yield from shared_memory(Path("/dev/shm"))
    yield from folder(project)
    yield from weights(project)


def python(version: tuple[int, ...]) -> Finding:
    """Whether this Python is one that the project is tested with."""
    said = ".".join(map(str, version))
    if version[0] == 3 and version[1] in PYTHONS:
        return Finding(OK, "Python", said)
    return Finding(
        PROBLEM, "Python", said, f"expected 3.{PYTHONS[0]} to 3.{PYTHONS[-1]}; make an environment with one of these"
    )


def libraries() -> Iterator[Finding]:
    """Whether the libraries of the pipeline are there, in the versions that its results are made with."""
    try:
        wanted = importlib.metadata.requires("asymflow") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(NOTE, "libraries", "asymflow runs from a source tree that is not installed", INSTALL)
        return
    pins = {match[1]: match[2] for line in wanted if (match := PINNED.match(line))}
    if not pins:
        yield Finding(
            NOTE, "libraries", "an older asymflow is installed than the one that runs", "install this one again"
        )
        return
    missing, different = [], []
    for name, version in pins.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if installed.partition("+")[0] != version:
            different.append(f"{name} {installed} instead of {version}")
    if missing:
        said = f"the library alone is installed; missing for the pipeline: {', '.join(missing)}"
        yield Finding(NOTE, "libraries", said, INSTALL)
    elif different:
        remedy = f"results made here carry these versions; for the pinned ones, {INSTALL}"
        yield Finding(NOTE, "libraries", ", ".join(different), remedy)
    else:
        yield Finding(OK, "libraries", f"all {len(pins)} of the pipeline, in the versions of pyproject.toml")


def devices() -> Iterator[Finding]:
    """What trainings here run on, as `asymflow.machine` chooses it, and what that makes slow."""
    try:
        import torch

        from asymflow import machine
    except (ImportError, OSError) as error:
        yield Finding(PROBLEM, "torch", str(error).splitlines()[0], "install torch for this machine, see pytorch.org")
        return
    yield Finding(OK, "torch", torch.__version__)
    chosen = machine.choose("auto", "auto")
    if chosen.device.type == "cuda":
        gigabytes = torch.cuda.get_device_properties(chosen.device).total_memory / 1e9
        yield Finding(OK, "GPU", f"{torch.cuda.get_device_name(chosen.device)}, {gigabytes:.0f} GB")
    else:
        yield Finding(NOTE, "GPU", "none that torch can use", _without_gpu(torch.version.cuda))
    yield _precision(chosen.device.type, chosen.precision == torch.bfloat16, torch.backends.cpu.get_cpu_capability())
    if chosen.compiled:
        yield Finding(OK, "compiler", "networks are compiled before trainings")
    else:
        remedy = "install g++ (processors) or Triton (GPUs); without it trainings work, and are slower"
        yield Finding(NOTE, "compiler", "none; networks run uncompiled", remedy)


def _without_gpu(cuda: str | None) -> str:
    if cuda and shutil.which("nvidia-smi"):
        return f"there is a driver, but torch cannot use it; compare `nvidia-smi` with torch's CUDA {cuda}"
    return "the default and the scales smoke and miniature_* are for processors; 256 pixels and more want a GPU"


def _precision(device: str, bfloat16: bool, capability: str) -> Finding:
    said = f"processor has {capability}; networks run in {'bfloat16' if bfloat16 else 'float32'}"
    if bfloat16:
        return Finding(OK, "precision", said)
    what = "GPU" if device == "cuda" else "processor"
    return Finding(
        NOTE, "precision", said, f"this {what} has no bfloat16 instructions; those that have are several times faster"
    )


def snakemake() -> Finding:
    """Whether Snakemake can be called."""
    if found := shutil.which("snakemake"):
        return Finding(OK, "snakemake", found)
    if (beside := Path(sys.executable).parent / "snakemake").exists():
        return Finding(
            PROBLEM, "snakemake", f"{beside} is not on PATH", "activate the environment, or `uv run snakemake ...`"
        )
    return Finding(NOTE, "snakemake", "not installed; the library works without", INSTALL)


def memory(gigabytes: float) -> Finding:
    """Whether the machine has enough memory."""
    if gigabytes < LITTLE_MEMORY:
        remedy = "run one training at a time (`snakemake -c 1`), or lower training.micro_batch"
        return Finding(NOTE, "memory", f"{gigabytes:.1f} GB", remedy)
    return Finding(OK, "memory", f"{gigabytes:.0f} GB")


def shared_memory(path: Path) -> Iterator[Finding]:
    """Whether data loaders have room to pass batches through; containers give it little by default."""
    if path.exists() and (size := shutil.disk_usage(path).total / 1e9) < LITTLE_SHARED:
        remedy = "give the container more (docker run --shm-size 8g); else data loaders die with a bus error"
        yield Finding(PROBLEM, "memory", f"{path} has {size:.2f} GB", remedy)


def folder(project: Path) -> Iterator[Finding]:
    """Whether the project is there, and whether its folder of results can be written and has room."""
    if not (project / "Snakefile").is_file():
        remedy = "give the command in the project's folder, or name that by --project"
        yield Finding(NOTE, "project", f"{project.resolve()} has no Snakefile", remedy)
    results = project / "results"
    place = results if results.is_dir() else project
    for one in {place, project}:
        try:
            with tempfile.TemporaryFile(dir=one):
                pass
        except OSError as error:
            yield Finding(
                PROBLEM, "folder", f"{one.resolve()} cannot be written", f"{error.strerror}; change its owner or mode"
            )
            return
    free = shutil.disk_usage(place).free / 1e9
    if free < LITTLE_DISK:
        level, remedy = PROBLEM if free < LEAST_DISK else NOTE, "make room, or let results be a link to a larger disk"
        yield Finding(level, "disk", f"{free:.1f} GB free in {place.resolve()}", remedy)
    else:
        yield Finding(OK, "disk", f"{free:.0f} GB free in {place.resolve()}, which can be written")


def weights(project: Path) -> Iterator[Finding]:
    """Which of the weights that the scales name lie in models/."""
    scales = sorted(project.glob("workflow/scales/*.yaml"))
    named = sorted(
        {name.rstrip(".") for scale in scales for name in WEIGHTS.findall(scale.read_text(encoding="utf-8"))}
    )
    there = [name for name in named if (project / name).exists()]
    if there:
        yield Finding(OK, "weights", f"found {', '.join(there)}")
    if named and (missing := [name for name in named if name not in there]):
        remedy = "only the scales that name them need them; docs/released.md says where they are to be had"
        yield Finding(NOTE, "weights", f"not there: {', '.join(missing)}", remedy)
