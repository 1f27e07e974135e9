"""What the parts of an arm cannot be together: each contradiction is refused in one sentence."""

import pytest
from pydantic import ValidationError

from asymflow.config.arm import Arm

JIT, NANODIT, FLUX = ({"kind": kind} for kind in ("jit", "nanodit", "flux"))
LATENT, LIFT = {"space": "latent", "patch_size": 16}, {"rank": "full", "basis": "lift"}
FULL, NONE = {"rank": "full", "basis": "identity"}, {"rank": 0}
HEAD = {"blocks": 1, "width": 16, "heads": 2}
FLIP = (
    "training.flip mirrors the pixels, but captions know left from right and stored tokens are not mirrored with them:"
    " set it to false"
)
HEADED = (
    "start.head predicts the full velocity of pixels: set representation.space to pixel, target.rank to full and"
    " target.basis to identity"
)
BEGUN = "start.pca is 4, but the patch embedding begins as that of another model, or has latents: set it to 0"
REDUCED = (
    "losses.variance_reduction compares with the frozen lifted model: it needs target.basis lift and start.adapter,"
    " or leave it out"
)
ADAPTED = (
    "losses.masked_alignment is an adapter of a JiT's blocks that knows the class: set network.kind to jit and show the"
    " class in conditions.shown"
)
MASKED = {"masked_alignment": {"block": 2}}
REDUCING = {"variance_reduction": {"kappa": 0.3, "perceptual": 0.2}}


def shown(*what):
    return {"shown": [{"share": 0.5}, {"share": 0.5, "what": list(what)}]}


def sections(**given):
    """An arm that is told captions where its network is FLUX.2, with these sections."""
    captions = {"conditions": shown("caption")} if given.get("network") == FLUX else {}
    return captions | given


IMPOSSIBLE = [
    # network
    (sections(network=FLUX, conditions=shown("class")),
     "conditions.shown shows class, but the network flux reads captions and nothing else: show caption alone"),
    (sections(network=FLUX, conditions=shown("class", "caption")),
     "conditions.shown shows class, caption, but the network flux reads captions and nothing else: show caption alone"),
    (sections(network=FLUX, conditions=shown()),
     "conditions.shown shows nothing, but the network flux reads captions and nothing else: show caption alone"),
    (sections(network=NANODIT, representation=LATENT, target=NONE),
     "network.kind is nanodit, which ends in a convolution over pixels: set representation.space to pixel"),
    (sections(training={"flip": True}, conditions=shown("caption")), FLIP),
    (sections(training={"flip": True}, conditions=shown("class", "embedding")), FLIP),
    (sections(training={"flip": True}, representation=LATENT, target=NONE), FLIP),
    (sections(training={"flip": True}, losses={"places": {}}), FLIP),
    (sections(training={"flip": True}, losses={"alignment": {"block": 1, "teacher": "embedded"}}), FLIP),
    # target
    (sections(network=FLUX, representation=LATENT, target=LIFT),
     "target.basis is lift, which leads from latents to pixels: set representation.space to pixel"),
    (sections(representation=LATENT, target={"rank": 8}),
     "target.rank is 8, but bases are fitted to pixel patches: a latent arm has rank 0 or full"),
    (sections(target={"rank": 769}),
     "target.rank is 769; expected at most the patch dimension, 16 x 16 x 3 = 768, or full"),
    (sections(target={"rank": 49}, representation={"patch_size": 4}),
     "target.rank is 49; expected at most the patch dimension, 4 x 4 x 3 = 48, or full"),
    # start
    (sections(start={"adapter": {}}), "start.adapter names layers of a FLUX.2, but the network is jit: leave it out"),
    (sections(network=NANODIT, start={"head": HEAD}, target=FULL),
     "start.head names layers of a FLUX.2, but the network is nanodit: leave it out"),
    (sections(target=LIFT), "target.basis is lift, but only the network flux begins as a latent model, not jit"),
    (sections(network=FLUX, target=LIFT, representation={"patch_size": 12}),
     "representation.patch_size is 12; a lifted patch spans a multiple of the 8 pixels of a latent position"),
    (sections(network=FLUX, start={"head": HEAD}, target=FULL, representation={"patch_size": 12}),
     "representation.patch_size is 12; a lifted patch spans a multiple of the 8 pixels of a latent position"),
    (sections(network=FLUX, start={"head": HEAD}, target={"rank": 8}), HEADED),
    (sections(network=FLUX, start={"head": HEAD}, target=LIFT), HEADED),
    (sections(network=FLUX, start={"head": HEAD}, target=FULL, representation=LATENT), HEADED),
    (sections(start={"pca": 4}, representation=LATENT, target=NONE), BEGUN),
    (sections(network=FLUX, start={"pca": 4}, target=LIFT), BEGUN),
    (sections(start={"pca": 4, "run": "other"}), BEGUN),
    (sections(start={"pca": 129}),
     "start.pca is 129; expected at most 128, the smaller of the patch embedding's first channels (128) and the numbers"
     " of a patch (768)"),
    (sections(start={"pca": 49}, representation={"patch_size": 4}),
     "start.pca is 49; expected at most 48, the smaller of the patch embedding's first channels (128) and the numbers"
     " of a patch (48)"),
    (sections(network=NANODIT, start={"pca": 193}),
     "start.pca is 193; expected at most 192, the smaller of the patch embedding's first channels (192) and the numbers"
     " of a patch (768)"),
    # losses
    (sections(losses={"alignment": {"block": 5}}),
     "losses.alignment.block is 5; expected at most the network's blocks, 4 of jit here"),
    (sections(network={**FLUX, "double_blocks": 2, "single_blocks": 3}, conditions=shown("caption"), target=LIFT,
              losses={"alignment": {"block": 6}}),
     "losses.alignment.block is 6; expected at most the network's blocks, 5 of flux here"),
    (sections(losses={"masked_alignment": {"block": 5}}),
     "losses.masked_alignment.block is 5; expected at most the network's blocks, 4 of jit here"),
    (sections(network=NANODIT, losses={"spatial_alignment": {"block": 5}}),
     "losses.spatial_alignment.block is 5; expected at most the network's blocks, 4 of nanodit here"),
    (sections(network=NANODIT, losses=MASKED), ADAPTED),
    (sections(conditions=shown("caption"), losses=MASKED), ADAPTED),
    (sections(network={**NANODIT, "tread": 0.5}, losses={"spatial_alignment": {"block": 2}}),
     "losses.spatial_alignment convolves over the whole grid, which TREAD thins out: set network.tread to 0"),
    (sections(representation=LATENT, target=NONE, losses={"perceptual": {}}),
     "losses.perceptual looks at the pixels that are predicted: set representation.space to pixel"),
    (sections(representation=LATENT, target=NONE, losses={"semantic": {}}),
     "losses.semantic looks at the pixels that are predicted: set representation.space to pixel"),
    (sections(network=FLUX, target=LIFT, start={"adapter": {}}, losses=REDUCING | {"perceptual": {}}),
     "losses.perceptual and losses.variance_reduction.perceptual are the same distance: leave one of them out"),
    (sections(losses={"variance_reduction": {}}), REDUCED),
    (sections(network=FLUX, target=LIFT, losses={"variance_reduction": {}}), REDUCED),
    (sections(network=FLUX, target=FULL, start={"head": HEAD, "adapter": {}}, losses=REDUCING), REDUCED),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sentence"), IMPOSSIBLE, ids=[sentence[:60] for _, sentence in IMPOSSIBLE])
def test_an_impossible_arm_is_refused_in_one_sentence(given, sentence):
    with pytest.raises(ValidationError) as caught:
        Arm.model_validate(given)
    (error,) = caught.value.errors()
    assert str(error["ctx"]["error"]) == sentence


@pytest.mark.parametrize("sentence", sorted({sentence for _, sentence in IMPOSSIBLE}))
def test_a_sentence_begins_with_the_key_to_change(sentence):
    section, name = sentence.split()[0].split(".")[:2]
    assert hasattr(getattr(Arm(), section), name)


@pytest.mark.parametrize(
    "given",
    [
        sections(network=FLUX, target=LIFT, start={"adapter": {}}, losses=REDUCING),
        sections(network=FLUX, target=FULL, start={"head": HEAD}),
        sections(network=FLUX, target={"rank": 8}, start={"pca": 8}),
        sections(network=FLUX, representation=LATENT, target={"rank": "full"}),
        sections(representation=LATENT, target=NONE),
        sections(conditions=shown("class", "caption", "embedding", "patches"), losses={"alignment": {"block": 4}}),
        sections(network=NANODIT, conditions=shown("class"), start={"pca": 192}, training={"flip": True}),
        sections(conditions=shown(), training={"flip": True}),
        sections(target={"rank": 768}, start={"pca": 128}),
        sections(conditions=shown("class", "caption"), losses=MASKED | {"perceptual": {}, "semantic": {}}),
        sections(network=NANODIT, losses={"spatial_alignment": {"block": 2}}),
        sections(network=FLUX, target=LIFT, start={"adapter": {}},
                 losses={"variance_reduction": {}, "perceptual": {}}),
    ],
)  # fmt: skip
def test_what_is_near_to_impossible_is_possible(given):
    assert Arm.model_validate(given)
