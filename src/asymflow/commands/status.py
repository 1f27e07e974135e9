"""What of the configured studies is done, what runs, and what is to come.

asymflow status
asymflow status rank_sweep --all
asymflow status --configfile workflow/scales/overnight.yaml

Reads what lies in the folder of results; loads no torch and disturbs nothing. Whether what was made is still fresh after an
edit is Snakemake's to say: `snakemake -n`.
"""

import argparse
import fcntl
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from asymflow.commands import snakemake
from asymflow.commands.table import table
from asymflow.files import kept
from asymflow.logs import tail
from asymflow.paths import Paths

if TYPE_CHECKING:
    from asymflow.config.experiment import Experiment

# a line of `asymflow.progress.Progress`, and what the training loop puts behind it
LINE = re.compile(
    r"^train: (\d+)/(\d+) images \((\d+) %\)(?:, (.*?) images/s, (\S+) left)?(?:  loss (\S+))?$", re.MULTILINE
)


class Training(NamedTuple):
    """How far a training is, as its files tell."""

    state: str  # done, running, interrupted, failed, waiting
    images: str = "-"
    loss: str = "-"
    left: str = "-"
    said: str = ""  # the last line of a log that ends in an error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="these studies alone; all if left out")
    parser.add_argument("--all", action="store_true", help="list the trainings that are done or waiting too")
    snakemake.add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    experiment, project = snakemake.experiment(arguments), snakemake.project(arguments)
    names = arguments.studies or list(experiment.studies)
    for name in names:
        if name not in experiment.studies:
            raise ValueError(f"there is no study {name!r}; expected one of {', '.join(experiment.studies)}")
    paths, relative = Paths(str(project / experiment.results)), Paths(experiment.results)
    runs = {key: Path(relative.run("summary", *key)).parent for key in _runs(experiment, names)}
    trainings = {key: training(project / run, project / kept(run / "state")) for key, run in runs.items()}
    print(f"{_made(paths, names)} of {len(names)} studies have their table\n")
    print(table([_study(experiment, paths, name, trainings) for name in names]))
    told = {key: one for key, one in trainings.items() if arguments.all or one.state not in ("done", "waiting")}
    if told:
        print(f"\n{table([_row(paths, key, one) for key, one in told.items()])}")
    for key, one in told.items():
        if one.said:
            print(f"\n{paths.run('summary', *key).replace('train.json', 'train.log')} ends with: {one.said}")
    return 0


def _made(paths: Paths, names: Iterable[str]) -> int:
    return sum(Path(paths.table(name)).exists() for name in names)


def _runs(experiment: "Experiment", names: Iterable[str]) -> list[tuple[str, int]]:
    """Arm and seed of every training of the studies, each once."""
    keys = (
        (arm, seed) for name in names for arm in experiment.studies[name].arms for seed in experiment.study_seeds(name)
    )
    return list(dict.fromkeys(keys))


def _study(
    experiment: "Experiment", paths: Paths, name: str, trainings: dict[tuple[str, int], Training]
) -> dict[str, object]:
    study = experiment.studies[name]
    own = _runs(experiment, [name])
    sampled = [Path(paths.run("sampled", *run, setting)).exists() for run in own for setting in study.samplings]
    return {
        "study": name,
        "table": "made" if Path(paths.table(name)).exists() else "to come",
        "trained": f"{sum(trainings[run].state == 'done' for run in own)} of {len(own)}",
        "running": sum(trainings[run].state == "running" for run in own),
        "sampled": f"{sum(sampled)} of {len(sampled)}",
    }


def _row(paths: Paths, key: tuple[str, int], one: Training) -> dict[str, object]:
    log = Path(paths.run("summary", *key)).with_name("train.log")
    shown = {"images": one.images, "loss": one.loss, "left": one.left}
    return {"training": f"{key[0]} seed {key[1]}", "state": one.state, **shown, "log": log if log.exists() else "-"}


def training(folder: Path, state: Path) -> Training:
    """How far the training in a run's folder is, whose unfinished work lies in `state`.

    done: its summary is there. running: a process holds its lock. interrupted: it left a state to resume from. failed: its log
    ends in an error. Else it waits.
    """
    if (folder / "train.json").exists():
        return Training("done", _images_of(folder), _loss_of(folder), "0:00:00")
    text = tail(folder / "train.log")
    found = LINE.findall(text)
    done, total, share, _, left, loss = found[-1] if found else ("", "", "", "", "", "")
    images = f"{done}/{total} {share} %" if found else "-"
    if _is_locked(state.with_name(".state.lock")):
        return Training("running", images, loss or "-", left or "-")
    last = text.strip().rpartition("\n")[2]
    if last.startswith("error:") or "Traceback (most recent call last)" in text:
        return Training("failed", images, loss or "-", said=last)
    if (state / "checkpoint.safetensors").exists():
        return Training("interrupted", images, loss or "-")
    return Training("waiting")


def _images_of(folder: Path) -> str:
    return str(json.loads((folder / "train.json").read_bytes()).get("images", "-"))


def _loss_of(folder: Path) -> str:
    """The last loss of a training curve; released weights have none."""
    lines = tail(folder / "curve.jsonl").splitlines()
    return f"{json.loads(lines[-1])['loss']:.4f}" if lines else "-"


def _is_locked(lock: Path) -> bool:
    """Whether a living process holds a lock (`files.locked`). A shared lock of an instant is how one asks."""
    try:
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
