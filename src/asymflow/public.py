"""The library: everything that `import asymflow as af` has by name. docs/library.md shows it at work.

Of these, `asymflow.library` has what takes images, loaders and any network; the rest are the pure functions that the pipeline
itself runs. This module is in no code digest: no stage imports it.
"""

from asymflow.flow.asymmetric import calibration, project, recover, target
from asymflow.flow.guidance import guide, guide_orthogonally, in_interval
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import denoised, interpolate, logit_normal_time, shift_time, velocity
from asymflow.flow.solver import euler, heun, time_grid
from asymflow.library.drawing import draw, guided
from asymflow.library.fitting import fit_lift, fit_subspace
from asymflow.library.model import AsymFlow
from asymflow.library.objective import loss, noise_levels
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.metrics.kernel import kernel_distance
from asymflow.metrics.precision_recall import precision_recall
from asymflow.models.lift import fuse_input, fuse_output
from asymflow.subspace.file import Subspace
from asymflow.subspace.file import load as load_subspace
from asymflow.subspace.file import save as save_subspace
from asymflow.subspace.patches import patchify, unpatchify

__all__ = [
    "AsymFlow",
    "Moments",
    "Subspace",
    "calibration",
    "denoised",
    "draw",
    "euler",
    "fit_lift",
    "fit_subspace",
    "flow_matching_loss",
    "frechet_distance",
    "fuse_input",
    "fuse_output",
    "guide",
    "guide_orthogonally",
    "guided",
    "heun",
    "in_interval",
    "interpolate",
    "kernel_distance",
    "load_subspace",
    "logit_normal_time",
    "loss",
    "noise_levels",
    "patchify",
    "precision_recall",
    "project",
    "recover",
    "save_subspace",
    "shift_time",
    "target",
    "time_grid",
    "unpatchify",
    "velocity",
]
