"""The metrics that tables may have: what each is called, and which way is better.

A metric bears a suffix that says by whom it was measured, where it was not the published network of its name: `fid_local`
comes from the evaluator that is trained here, `fid_second` from another one, and nobody may compare either with a published
`fid`. Ends of intervals are `<metric>_low`, `_high`.
"""

from typing import Literal, NamedTuple

import pandas as pd

JUDGES = ("_local", "_second", "_inception", "_adm", "_torch_fidelity", "_clean", "_t2i")
ENDS = ("_low", "_high")


class Metric(NamedTuple):
    """What a number is."""

    label: str
    better: Literal["lower", "higher", ""]  # "": neither; it describes


METRICS = {
    "fid": Metric("Frechet distance", "lower"),
    "kid": Metric("kernel distance", "lower"),
    "is": Metric("inception score", "higher"),
    "precision": Metric("precision", "higher"),
    "recall": Metric("recall", "higher"),
    "patch_fid": Metric("Frechet distance of crops", "lower"),
    "seams": Metric("steps across patch borders over those within", ""),  # noise has none either
    "velocity_error": Metric("mean square error of the velocity", "lower"),
    "velocity_error_principal": Metric("the same in the first principal directions", "lower"),
    "velocity_error_detail": Metric("the same in all others", "lower"),
    "coupling_error": Metric("distance from the lift of the latent samples, relative", "lower"),
    "clip": Metric("CLIP score", "higher"),
    "attribute_accuracy": Metric("named attributes that are read right", "higher"),
    "hpsv3": Metric("HPSv3", "higher"),
    "hpsv2": Metric("HPSv2", "higher"),
    "vqa": Metric("VQAScore", "higher"),
    "geneval": Metric("GenEval", "higher"),
    "dpg": Metric("DPG-Bench", "higher"),
    "recon_lpips": Metric("LPIPS to the image, all conditions", "lower"),
    "text_lpips": Metric("LPIPS to the image, caption alone", "lower"),
    "manipulation_lpips": Metric("LPIPS between an image and its edit", ""),
    "counterfactual_lpips": Metric("LPIPS of an edit to the true one", "lower"),
    "told_manipulation_lpips": Metric("LPIPS between a caption and its edit", ""),
    "swap_embedding_similarity": Metric("similarity of a swap to its embeddings' image", "higher"),
    "swap_caption_similarity": Metric("similarity of a swap to its caption's image", "higher"),
    "edited_accuracy": Metric("edit: attribute as edited", "higher"),
    "kept_accuracy": Metric("edit: the others as before", "higher"),
    "told_edited_accuracy": Metric("edited caption: attribute as edited", "higher"),
    "told_kept_accuracy": Metric("edited caption: the others as before", "higher"),
    "nearest_train_similarity": Metric("similarity to the nearest training image", ""),
    "nearest_train_lpips": Metric("LPIPS to the nearest training image", ""),
    "nearest_heldout_similarity": Metric("similarity to the nearest held-out image", ""),
    "nearest_heldout_lpips": Metric("LPIPS to the nearest held-out image", ""),
    "memorised_similarity": Metric("similarity to training less to held-out images", "lower"),
    "memorised_lpips": Metric("LPIPS to held-out less to training images", "lower"),
}


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
    """The column of a metric, whoever measured it. Raises KeyError where the table has none."""
    columns = [column for column in names(table) if base(column) == wanted]
    if not columns:
        raise KeyError(f"the table has no {wanted}; it has {', '.join(names(table))}")
    return columns[0]


def first(table: pd.DataFrame) -> str:
    """The metric that heads a table and its figure: the Frechet distance."""
    return named(table, "fid")


def label(column: str) -> str:
    """What an axis says of a metric."""
    described = metric(column)
    return f"{column}  ({described.better} is better)" if described.better else column


def note(table: pd.DataFrame) -> str:
    """What a figure of a table says below: by which evaluator, of how many samples and seeds."""
    evaluator, samples = table["evaluator"].iloc[0], int(table["samples"].iloc[0])
    seeds = table["seed"].nunique()
    return (
        f"{evaluator} evaluator, {samples} samples, {seeds} seed{'s: mean and standard deviation' if seeds > 1 else ''}"
    )
