"""Asking for captions: the first of the prompts, each alone."""

from collections.abc import Sequence
from pathlib import Path

from asymflow import lineage
from asymflow.config.sampling import Sampling
from asymflow.data.rows import RowReader
from asymflow.models.condition import Condition
from asymflow.sampling.asks.request import Request, shown
from asymflow.sampling.run import Run


def build(run: Run, settings: Sampling, asked: Path) -> Request:
    """As many images as the settings say, of the captions whose tokens are in the rows `asked`.

    Raises ValueError when there are fewer.
    """
    rows = RowReader(asked)
    lineage.check(asked, rows.description["data"], "the run", run.data)
    if len(rows) < settings.count:
        raise ValueError(
            f"{asked} has {len(rows)} captions, but the setting's count is {settings.count}; raise prompts.count"
        )

    def condition(numbers: Sequence[int]) -> Condition:
        tokens = rows.read(numbers)
        return shown(run, len(numbers), text=tokens["text"], mask=tokens["mask"], empty=rows.shared["empty"])

    return Request(settings.count, condition, list, range(settings.count))
