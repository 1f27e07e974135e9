"""The columns of tables that hold metrics, and what is said of them.

A metric bears a suffix that says by whom it was measured, where it was not the published network of its name: `fid_local`
comes from the evaluator that is trained here, `fid_second` from another one, and nobody may compare either with a published
`fid`. Ends of intervals are `<metric>_low`, `_high`.
"""

import pandas as pd

from asymflow.measured import METRICS, Metric

JUDGES = ("_local", "_second", "_inception", "_adm", "_torch_fidelity", "_clean", "_t2i")
ENDS = ("_low", "_high")


def base(column: str) -> str:
    """The name of a metric without the suffix of who measured it."""
    return next((column.removesuffix(suffix) for suffix in JUDGES if column.endswith(suffix)), column)


def metric(column: str) -> Metric:
    """What a column holds. Raises KeyError for one that is not a declared metric."""
    return METRICS[base(column)]


def names(table: pd.DataFrame) -> list[str]:
    """The metric columns of a table, in its order, without the ends of intervals."""
    return [column for column in table.columns if base(column) in METRICS]


def named(table: pd.DataFrame, wanted: str) -> str:
    """The column of a metric, whoever measured it. Raises ValueError where the table has none."""
    columns = [column for column in names(table) if base(column) == wanted]
    if not columns:
        raise ValueError(f"the table has no {wanted}; it has {', '.join(names(table))}: add a judge that measures it")
    return columns[0]


def first(table: pd.DataFrame) -> str:
    """The metric that heads a table and its figure: the Frechet distance of the first judge that measures one."""
    return named(table, "fid")


def label(column: str) -> str:
    """What an axis says of a metric."""
    described = metric(column)
    return f"{column}  ({described.better} is better)" if described.better else column


def note(table: pd.DataFrame) -> str:
    """What a figure of a table says below: by which evaluator its first metric is, of how many samples and seeds."""
    evaluator = "second" if first(table).endswith("_second") else table["evaluator"].iloc[0]
    samples = int(table["samples"].iloc[0])
    seeds = table["seed"].nunique()
    return (
        f"{evaluator} evaluator, {samples} samples, {seeds} seed{'s: mean and standard deviation' if seeds > 1 else ''}"
    )
