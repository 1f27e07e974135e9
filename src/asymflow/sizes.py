"""How large an arm's conditions and latents are, as far as the configuration tells, for the estimate of what it costs."""

from typing import Any

from asymflow.config.arm import Arm
from asymflow.config.autoencoder import DOWN
from asymflow.config.experiment import Experiment
from asymflow.config.flux import Flux

# sizes of published networks that the configuration does not tell, for the estimate of costs
T5_CHANNELS, DINO_CHANNELS, KLEIN_TOKENS, KLEIN_CHANNELS, KLEIN_LATENTS = 1024, 1024, 512, 12288, 32
KLEIN = Flux(heads=32, head_width=128, double_blocks=8, single_blocks=24)
CLASSES = 1000  # their number decides nothing but a small table


def described(arm: Arm, reader: str, experiment: Experiment) -> dict[str, Any]:
    """An arm with the sizes of its conditions; `reader` is what reads its captions: local, t5 or flux2."""
    patch, evaluator, shown = arm.representation.patch_size, experiment.evaluator, set(arm.conditions.modalities)
    captions = {
        "local": (evaluator.context_length, evaluator.text_width),
        "t5": (experiment.embeddings.text_length, T5_CHANNELS),
        "flux2": (KLEIN_TOKENS, KLEIN_CHANNELS),
    }
    seen = (DINO_CHANNELS, DINO_CHANNELS) if experiment.embeddings.image else (evaluator.embedding, evaluator.width)
    published = experiment.latent.model is not None
    channels = KLEIN_LATENTS if published else experiment.autoencoder.channels
    network = KLEIN if published and arm.network.kind == "flux" else arm.network
    return {
        "arm": arm.model_copy(update={"network": network}).model_dump(mode="json", exclude_none=True),
        "latent_dimension": channels * (patch // DOWN) ** 2 if patch % DOWN == 0 else None,
        "shapes": {
            "classes": CLASSES if "class" in shown else 0,
            "caption": captions[reader] if "caption" in shown else (0, 0),
            "embedding": seen[0] if "embedding" in shown else 0,
            "patches": ((experiment.data.image_size // patch) ** 2, seen[1]) if "patches" in shown else (0, 0),
            "joints": arm.conditions.joints if "joints" in shown else 0,
        },
    }
