"""Files on a command line that this configuration does not make, and what may have been meant."""

import os
import re
from collections.abc import Iterable, Iterator

from asymflow.config.contradictions import suggest
from asymflow.config.experiment import Experiment

# of studies: a table and a figure are called <study> and <study>_<what>, and must not be another's, nor one of these
FIXED = re.compile(r"claims|components|cost|data|parameterisation|released|spectrum|subspace_\w+_p\d+")
ENDS = (
    "summary",
    "velocity",
    "speedup",
    "pairs",
    "paired",
    "crops",
    "samples",
    "curves",
    "progression",
    "nearest_images",
    "compare",
)
SHOWN = re.compile(r"(?P<folder>.+?)(/figures)?/(?P<name>\w+)\.(csv|png|svg)")


def misspelt(experiment: Experiment, words: Iterable[str]) -> Iterator[str]:
    """One sentence for each word that is a file of a run, a table or a figure which no arm or study has, or in another folder."""
    files = {name for study in experiment.studies for name in (study, *(f"{study}_{end}" for end in ENDS))}
    for word in words:
        target, results = os.path.normpath(word), experiment.results
        shown, run = SHOWN.fullmatch(target), target.removeprefix(f"{results}/runs/").split("/")
        if target.startswith(f"{results}/runs/") and len(run) > 1:
            if run[0] not in experiment.arms:
                yield f"{word}: found no arm {run[0]!r}; {suggest(run[0], experiment.arms)}"
        elif shown and shown["folder"] == results:
            if not (shown["name"] in files or FIXED.fullmatch(shown["name"])):
                yield f"{word}: found no study {shown['name']!r}; {suggest(shown['name'], experiment.studies)}"
        elif shown and shown["name"] in files:
            yield (
                f"{word}: found the folder {shown['folder']}, but this configuration's results lie in {results}; ask for"
                f" {results}{target.removeprefix(shown['folder'])}, or give the --configfile that has pathvars.results:"
                f" {shown['folder']}"
            )
