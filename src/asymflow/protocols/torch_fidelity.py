"""The package torch-fidelity, as JiT's evaluation calls it: FID against a file of statistics, and IS of ten shuffled splits.

Features and formulas are the package's own. JiT's authors read the statistics in a fork of it; the package itself has no option
for a file, but its two halves, statistics of features and distance of statistics, can be called one by one.
"""

import torch
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

from asymflow.protocols.adm import measure as measure
from asymflow.protocols.networks import tensorflow_port
from asymflow.protocols.reference import Reference

NETWORK = tensorflow_port


def compare(
    seen: dict[str, torch.Tensor], reference: Reference, real: dict[str, torch.Tensor] | None
) -> dict[str, float]:
    """Its numbers."""
    own = fid_features_to_statistics(seen["features"].double())
    theirs = {"mu": reference.mu.astype("float64"), "sigma": reference.sigma.astype("float64")}
    return {
        "fid_torch_fidelity": fid_statistics_to_metric(own, theirs, verbose=False)[KEY_METRIC_FID],
        "is_torch_fidelity": isc_features_to_metric(seen["logits"])[KEY_METRIC_ISC_MEAN],
    }
