"""The metrics that there are: what each is called in words, which way is better, and who measures it.

Names are without the suffix of the evaluator (`asymflow.report.metrics`), as claims name them.
"""

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """What a number is."""

    label: str
    better: Literal["lower", "higher", ""]  # "": neither; it describes
    judges: tuple[str, ...]  # who may measure it


SCORES = ("distribution", "second")  # and by protocols that are published
METRICS = {
    "fid": Metric("Frechet distance", "lower", (*SCORES, "adm", "torch_fidelity", "clean", "t2i")),
    "kid": Metric("kernel distance", "lower", SCORES),
    "is": Metric("inception score", "higher", (*SCORES, "adm", "torch_fidelity")),
    "precision": Metric("precision", "higher", (*SCORES, "adm")),
    "recall": Metric("recall", "higher", (*SCORES, "adm")),
    "patch_fid": Metric("Frechet distance of crops", "lower", (*SCORES, "t2i")),
    "seams": Metric("steps across patch borders over those within", "", ("distribution",)),  # noise has none either
    "velocity_error": Metric("mean square error of the velocity", "lower", ("velocity",)),
    "velocity_error_principal": Metric("the same in the first principal directions", "lower", ("velocity",)),
    "velocity_error_detail": Metric("the same in all others", "lower", ("velocity",)),
    "coupling_error": Metric("distance from the lift of the latent samples, relative", "lower", ("coupling",)),
    "clip": Metric("CLIP score", "higher", ("captions", "t2i")),
    "attribute_accuracy": Metric("named attributes that are read right", "higher", ("captions",)),
    "hpsv3": Metric("HPSv3", "higher", ("captions", "t2i")),
    "hpsv2": Metric("HPSv2", "higher", ("captions", "t2i")),
    "vqa": Metric("VQAScore", "higher", ("captions", "t2i")),
    "geneval": Metric("GenEval", "higher", ("captions", "t2i")),
    "dpg": Metric("DPG-Bench", "higher", ("captions", "t2i")),
    "recon_lpips": Metric("LPIPS to the image, all conditions", "lower", ("suite",)),
    "text_lpips": Metric("LPIPS to the image, caption alone", "lower", ("suite",)),
    "manipulation_lpips": Metric("LPIPS between an image and its edit", "", ("suite",)),
    "counterfactual_lpips": Metric("LPIPS of an edit to the true one", "lower", ("suite",)),
    "told_manipulation_lpips": Metric("LPIPS between a caption and its edit", "", ("suite",)),
    "swap_embedding_similarity": Metric("similarity of a swap to its embeddings' image", "higher", ("suite",)),
    "swap_caption_similarity": Metric("similarity of a swap to its caption's image", "higher", ("suite",)),
    "edited_accuracy": Metric("edit: attribute as edited", "higher", ("suite",)),
    "kept_accuracy": Metric("edit: the others as before", "higher", ("suite",)),
    "told_edited_accuracy": Metric("edited caption: attribute as edited", "higher", ("suite",)),
    "told_kept_accuracy": Metric("edited caption: the others as before", "higher", ("suite",)),
    "nearest_train_similarity": Metric("similarity to the nearest training image", "", ("memorisation",)),
    "nearest_train_lpips": Metric("LPIPS to the nearest training image", "", ("memorisation",)),
    "nearest_heldout_similarity": Metric("similarity to the nearest held-out image", "", ("memorisation",)),
    "nearest_heldout_lpips": Metric("LPIPS to the nearest held-out image", "", ("memorisation",)),
    "memorised_similarity": Metric("similarity to training less to held-out images", "lower", ("memorisation",)),
    "memorised_lpips": Metric("LPIPS to held-out less to training images", "lower", ("memorisation",)),
}
