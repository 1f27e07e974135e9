"""What one training step draws, and that every switch that is on changes something."""

import math
from dataclasses import fields, replace

import pytest
import torch

from asymflow.config.arm import Arm
from asymflow.config.conditions import MODALITIES, Conditions, Shown
from asymflow.data.colour import from_rgb
from asymflow.flow.path import interpolate
from asymflow.models.condition import Condition
from asymflow.subspace.patches import CHANNEL_FIRST, patchify
from asymflow.training.example import Example, condition_parts, draw, seed_step, shown

B, PATCH, GRID = 8, 8, (3, 5)
N, CPU = GRID[0] * GRID[1], torch.device("cpu")
ALL_SHOWN = [{"share": 1.0, "what": ["class", "caption", "embedding", "patches"]}]
ENDS = [  # of prx-tg's ways on the line from 0 to 1
    (0.10, []),
    (0.35, ["caption"]),
    (0.40, ["embedding"]),
    (0.45, ["patches"]),
    (0.55, ["caption", "embedding", "patches"]),
    (0.60, ["joints"]),
    (1.00, ["caption", "embedding", "patches", "joints"]),
]
LAW = [  # prx-tg's
    {"share": 0.10},
    {"share": 0.25, "what": ["caption"]},
    {"share": 0.05, "what": ["embedding"]},
    {"share": 0.05, "what": ["patches"]},
    {"share": 0.10, "what": ["caption", "embedding", "patches"]},
    {"share": 0.05, "what": ["joints"]},
    {"share": 0.40, "what": ["caption", "embedding", "patches", "joints"]},
]
EMPTY = torch.full((4, 5), 0.5)


def batch(b: int = B) -> dict[str, torch.Tensor]:
    """Images with a bright left edge, so that mirroring shows, and everything that may be stored of them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(200, (b, 3, GRID[0] * PATCH, GRID[1] * PATCH), dtype=torch.uint8, generator=generator)
    images[:, :, :, 0] = 255

    def rows(*shape):
        return torch.randn(b, *shape, generator=generator)

    return {
        "images": images, "label": torch.arange(b) % 3, "text": rows(4, 5), "mask": rows(4) > 0, "embedding": rows(6),
        "patches": rows(N, 7), "latents": rows(N, 16), "face": rows(N).sigmoid(),
    }  # fmt: skip


def arm(kind: str = "jit", **sections) -> Arm:
    """An arm of class conditions, or, of FLUX.2, of captions."""
    shown = {"shown": [{"share": 0.2}, {"share": 0.8, "what": ["caption" if kind == "flux" else "class"]}]}
    made = {"representation": {"patch_size": PATCH}, "network": {"kind": kind}, "conditions": shown}
    return Arm.model_validate(made | sections)


def drawn(configured: Arm, seed: int = 0, given=None, progress: float = 0.25) -> Example:
    seed_step(seed, 0, 0)
    return draw(given or batch(), progress, arm=configured, empty=EMPTY)


def test_steps_are_functions_of_seed_position_and_process():
    def numbers(*key):
        seed_step(*key)
        return torch.randn(3)

    keys = [(0, 0, 0), (1, 0, 0), (0, 64, 0), (0, 0, 1), (0, 1, 64)]
    values = [numbers(*key) for key in keys]
    assert torch.equal(values[0], numbers(0, 0, 0))
    for i, value in enumerate(values):
        assert not any(torch.equal(value, other) for other in values[:i])


def test_processes_see_together_what_one_would():
    configured, rows = arm(), batch()
    configured = configured.model_copy(update={"training": configured.training.model_copy(update={"flip": True})})
    seed_step(0, 64)
    alone = draw(rows, 0.0, arm=configured)
    shares = []
    for rank in range(4):
        seed_step(0, 64)
        own = {name: values[rank * B // 4 : (rank + 1) * B // 4] for name, values in rows.items()}
        shares.append(draw(own, 0.0, arm=configured, rank=rank, world_size=4))
    for name in ("x_0", "eps", "t", "pixels"):
        assert torch.equal(torch.cat([getattr(share, name) for share in shares]), getattr(alone, name)), name
    assert torch.equal(torch.cat([share.condition.present for share in shares]), alone.condition.present)
    for part in (*shares, *shares[0].split(1), *alone.split(3)):
        assert torch.equal(part.levels, alone.t), (
            "what divides by the images of the whole batch that pass a gate needs all"
        )


def test_pixels_are_in_minus_one_to_one_and_cut_into_patches():
    example, pixels = drawn(arm()), batch()["images"].float() / 127.5 - 1
    assert torch.equal(example.pixels, pixels) and torch.equal(example.x_0, patchify(pixels, PATCH))
    assert example.x_0.max() == 1 and example.x_0.min() < -0.9
    assert example.t.shape == (B,) and example.condition.grid == GRID and example.progress == 0.25
    assert interpolate(example.x_0, example.eps, example.t).isfinite().all()


def test_the_tokens_of_one_image_are_these_numbers():
    """Two patches of 2 x 2 pixels: red is 0, 0.2 ... 1 of the brightest, green is full everywhere and blue nowhere."""
    red = [[0, 51, 102, 153], [204, 255, 0, 51]]
    image = torch.tensor([[red, [[255] * 4] * 2, [[0] * 4] * 2]], dtype=torch.uint8)
    given, small = {"images": image, "label": torch.tensor([0])}, {"representation": {"patch_size": 2}}
    channel_last = [
        [-1, 1, -1, -0.6, 1, -1, 0.6, 1, -1, 1, 1, -1],
        [-0.2, 1, -1, 0.2, 1, -1, -1, 1, -1, -0.6, 1, -1],
    ]
    channel_first = [
        [-1, -0.6, 0.6, 1, 1, 1, 1, 1, -1, -1, -1, -1],
        [-0.2, 0.2, -1, -0.6, 1, 1, 1, 1, -1, -1, -1, -1],
    ]
    torch.testing.assert_close(drawn(arm(**small), given=given).x_0, torch.tensor([channel_last]))
    torch.testing.assert_close(drawn(arm("flux", **small), given=given).x_0, torch.tensor([channel_first]))


def test_tokens_of_flux_2_have_their_own_order_and_the_same_pixels():
    example = drawn(arm("flux"))
    assert torch.equal(example.x_0, patchify(example.pixels, PATCH, CHANNEL_FIRST))


def test_an_oklab_arm_is_trained_on_other_numbers_and_nothing_else_changes():
    flipped = {"training": {"flip": True}}
    rgb = drawn(arm(**flipped))
    oklab = drawn(arm(**flipped, representation={"patch_size": PATCH, "colour": "oklab"}))
    torch.testing.assert_close(oklab.x_0, patchify(from_rgb(rgb.pixels, "oklab"), PATCH))
    assert (rgb.x_0 - oklab.x_0).abs().mean() > 0.1
    for name in ("eps", "t", "pixels"):
        assert torch.equal(getattr(rgb, name), getattr(oklab, name)), name
    assert torch.equal(rgb.condition.present, oklab.condition.present)
    assert torch.equal(rgb.condition.label, oklab.condition.label)


def test_a_latent_arm_is_trained_on_the_stored_latents_with_noise_of_their_own():
    latent = arm("flux", representation={"space": "latent", "patch_size": PATCH}, target={"rank": "full"})
    example = drawn(latent)
    assert torch.equal(example.x_0, batch()["latents"]) and torch.equal(example.z_0, batch()["latents"])
    assert example.eps.shape == (B, N, 16) and example.condition.grid == GRID


REMEDIES = {
    "target": {"target": {"rank": "full", "basis": "identity"}},
    "losses": {"losses": {"sigma_floor": 0.1, "alignment": {"block": 1, "teacher": "embedded"}}},
    "places": {"losses": {"places": {"face": 2.0, "elsewhere": 0.5}}},
    "routing": {"network": {"kind": "nanodit", "tread": 0.5}},
    "optimiser": {"training": {"optimiser": "muon", "lr": 0.1, "averages": ["last"]}},
}


@pytest.mark.parametrize("difference", REMEDIES)
def test_arms_draw_the_same_noise_levels_and_conditions_whatever_their_remedies(difference):
    law = {"conditions": {"shown": LAW, "joints": 2}}
    one, other = drawn(arm("nanodit", **law)), drawn(arm("nanodit", **law, **REMEDIES[difference]))
    for name in ("x_0", "eps", "t", "pixels"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    for name in ("present", "text", "mask", "embedding", "patches", "joints"):
        assert torch.equal(getattr(one.condition, name), getattr(other.condition, name)), name
    assert one.condition.visible is None
    assert (other.condition.visible is not None) == (difference == "routing")


def test_networks_of_the_same_conditions_draw_the_same():
    one, other = drawn(arm("jit")), drawn(arm("nanodit"))
    for name in ("x_0", "eps", "t"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert torch.equal(one.condition.present, other.condition.present)


def test_as_many_tokens_are_visible_as_do_not_bypass_the_middle_blocks():
    visible = drawn(arm(network={"kind": "nanodit", "tread": 0.5})).condition.visible
    assert len(visible) == 8 and (visible.diff() > 0).all() and visible.max() < N, "7 of 15 bypass them"
    other = drawn(arm(network={"kind": "nanodit", "tread": 0.5}), seed=1).condition.visible
    assert not torch.equal(visible, other)


def test_flipping_mirrors_some_images_and_none_when_off():
    plain, flipped = drawn(arm()).pixels, drawn(arm(training={"flip": True}))
    mirrored = (plain != flipped.pixels).flatten(1).any(1)
    assert 0 < mirrored.sum() < B
    assert torch.equal(flipped.pixels[mirrored], plain.flip(3)[mirrored])
    assert torch.equal(flipped.x_0, patchify(flipped.pixels, PATCH))


def test_noise_is_standard_normal():
    values = drawn(arm(), given=batch(35)).eps.double()
    assert values.mean().item() == pytest.approx(0, abs=0.02)  # this and the others: six standard errors or more
    assert values.var().item() == pytest.approx(1, abs=0.03)
    kurtosis = values.pow(4).mean() / values.var() ** 2
    assert kurtosis.item() == pytest.approx(3, abs=0.15), "that of a uniform law is 1.8"


def test_noise_levels_follow_the_law_of_the_training_and_are_shifted_towards_noise():
    """Half of them lie above sigmoid(mean), shifted."""
    many = {name: values.expand(4000, *values.shape[1:]) for name, values in batch(1).items()}
    configured = arm(training={"time_mean": -0.8, "time_std": 0.5, "shift": 3.0})
    t = drawn(configured, given=many).t.double()
    median = torch.tensor(-0.8, dtype=torch.float64).sigmoid()
    expected = 3 * median / (1 + 2 * median)
    assert (t > expected).double().mean().item() == pytest.approx(0.5, abs=0.032)  # four standard errors
    assert t.logit().mean().item() == pytest.approx(-0.8 + math.log(3), abs=0.032), (
        "a shift of m adds log m to the logit"
    )
    assert t.logit().std().item() == pytest.approx(0.5, rel=0.05)


def test_conditions_are_shown_as_often_as_the_law_says():
    """prx-tg's: captions in 75 % of the images (alone, with all but joints, with everything), the embedding in 55 %."""
    torch.manual_seed(0)
    conditions = Conditions.model_validate({"shown": LAW})
    chosen = shown(conditions, 20_000, CPU)
    expected = torch.tensor([0.0, 0.75, 0.55, 0.55, 0.45], dtype=torch.float64)
    torch.testing.assert_close(chosen.double().mean(0), expected, rtol=0, atol=0.015)  # four standard errors
    for way in conditions.shown:
        alike = (chosen == torch.tensor([name in way.what for name in MODALITIES])).all(1)
        assert alike.double().mean().item() == pytest.approx(way.share, abs=0.015)


def test_one_uniform_number_for_each_image_chooses_among_the_ways_in_their_order():
    conditions = Conditions.model_validate({"shown": LAW})
    torch.manual_seed(0)
    chosen = shown(conditions, 1_000, CPU)
    after = torch.rand(1)
    torch.manual_seed(0)
    uniform = torch.rand(1_000)
    assert torch.equal(torch.rand(1), after), "nothing else is drawn"
    for number, one in zip(uniform.tolist(), chosen, strict=True):
        way = next(what for end, what in ENDS if number < end)
        assert [name for name, yes in zip(MODALITIES, one.tolist(), strict=True) if yes] == way


def test_a_law_of_one_way_shows_it_to_all_and_draws_as_much():
    torch.manual_seed(0)
    chosen = shown(Conditions(shown=(Shown(share=1.0, what=("caption", "joints")),)), 5, CPU)
    after = torch.rand(1)
    assert torch.equal(chosen, torch.tensor([[False, True, False, False, True]]).expand(5, 5))
    torch.manual_seed(0)
    torch.rand(5)
    assert torch.equal(torch.rand(1), after), "arms that hide some of it draw the same noise"


def test_labels_are_hidden_in_the_share_that_the_law_says_and_stay_what_they_are():
    example = drawn(arm())
    assert torch.equal(example.condition.label, batch()["label"])
    hidden = ~example.condition.shows("class")
    assert 0 < hidden.sum() < B
    assert drawn(arm(conditions={"shown": ALL_SHOWN})).condition.shows("class").all()


@pytest.mark.parametrize("name", ["class", "caption", "embedding", "patches"])
def test_an_arm_is_told_what_its_law_shows_and_nothing_else(name):
    tensors = {
        "class": ["label"],
        "caption": ["text", "mask", "empty"],
        "embedding": ["embedding"],
        "patches": ["patches"],
    }
    conditions = Conditions.model_validate({"shown": [{"share": 0.5}, {"share": 0.5, "what": [name]}]})
    chosen = condition_parts(batch(), conditions, EMPTY)
    assert sorted(chosen) == sorted(tensors[name])
    for key, value in chosen.items():
        assert torch.equal(value, EMPTY if key == "empty" else batch()[key])


def test_joints_are_undetected():
    joints = drawn(arm("nanodit", conditions={"shown": LAW, "joints": 3})).condition.joints
    assert torch.equal(joints, torch.zeros(B, 3, 3))


def test_stored_patch_tokens_and_face_masks_go_to_the_losses():
    example = drawn(arm("nanodit", losses={"places": {"face": 2.0, "elsewhere": 0.5}}))
    assert torch.equal(example.patch_tokens, batch()["patches"])
    torch.testing.assert_close(example.places.mean(1), torch.ones(B))
    assert drawn(arm("nanodit")).places is None


def test_places_of_images_without_face_masks_are_an_error():
    masked = batch() | {"face": torch.full((B, N), torch.nan)}
    with pytest.raises(ValueError, match="these images have no face masks"):
        drawn(arm(losses={"places": {}}), given=masked)
    assert drawn(arm(), given=masked).places is None


def parts_of(value):
    """The tensors of an example or a condition by name."""
    return {f.name: getattr(value, f.name) for f in fields(value) if isinstance(getattr(value, f.name), torch.Tensor)}


def test_parts_of_an_example_are_the_example():
    sections = {"conditions": {"shown": ALL_SHOWN, "joints": 2}, "losses": {"places": {}}}
    example = drawn(arm(**sections, network={"kind": "nanodit", "tread": 0.5}))
    parts = example.split(3)
    assert [len(part.t) for part in parts] == [3, 3, 2] and all(part.progress == 0.25 for part in parts)
    assert parts_of(example).keys() == {"x_0", "eps", "t", "pixels", "z_0", "patch_tokens", "places"}
    for name, value in parts_of(example).items():
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), value), name
    for name, value in parts_of(example.condition).items():
        cut = [getattr(part.condition, name) for part in parts]
        if name in ("visible", "empty"):
            assert all(torch.equal(piece, value) for piece in cut), name
        else:
            assert torch.equal(torch.cat(cut), value), name
    assert all(part.condition.grid == GRID for part in parts)


def test_parts_have_no_more_than_the_example():
    plain = {name: values for name, values in batch().items() if name in ("images", "label")}
    parts = drawn(arm(), given=plain).split(3)
    assert all(part.z_0 is part.patch_tokens is part.places is None for part in parts)
    assert parts_of(parts[0].condition).keys() == {"present", "label"}


def test_an_example_whose_shapes_disagree_is_an_error():
    example = drawn(arm())
    assert isinstance(example.condition, Condition)
    with pytest.raises(TypeError):
        replace(example, t=example.t[:3])
