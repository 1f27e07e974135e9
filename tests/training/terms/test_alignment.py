"""Representation alignment: what it measures, where it reads, and that it is off unless asked for."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from asymflow import tensors
from asymflow.config.arm import Arm
from asymflow.config.conditions import MODALITIES
from asymflow.config.evaluator import Evaluator
from asymflow.config.losses import Alignment
from asymflow.flow.path import interpolate
from asymflow.metrics.tower import PREFIX, ImageTower
from asymflow.models.assemble import Beginning, assemble
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.training.example import Example
from asymflow.training.objective import Needs, Objective, build
from asymflow.training.teachers import LocalTeacher
from asymflow.training.terms.alignment import AlignmentTerm, alignment_loss, projector, weight

B, PATCH, GRID, Q = 4, 8, (4, 4), 7
N, D, CPU = 16, 192, torch.device("cpu")
EVALUATOR = Evaluator(image_size=32, patch_size=PATCH, stem_width=8, width=24, depth=1, heads=2)
SHAPES = Shapes(classes=3, caption=(5, 6), embedding=4, patches=(N, Q), joints=2)
ALL = list(MODALITIES)
JIT, NANODIT = {"kind": "jit", "width": 64}, {"kind": "nanodit"}
ROUTED = {"kind": "nanodit", "tread": 0.5}
FLUX = {"kind": "flux", "heads": 2, "head_width": 8, "double_blocks": 2, "single_blocks": 2}


def arm(network=JIT, what=("class",), start=None, **alignment) -> Arm:
    return Arm.model_validate({
        "representation": {"patch_size": PATCH}, "network": network, "target": {"rank": 0},
        "conditions": {"shown": [{"share": 1.0, "what": list(what)}], "joints": 2}, "start": start or {},
        "losses": {"alignment": {"block": 2, "projector": 12, "teacher": "embedded"} | alignment},
    })  # fmt: skip


def shapes_of(configured: Arm) -> Shapes:
    modalities = configured.conditions.modalities
    parts = ["classes" if name == "class" else name for name in modalities]
    return Shapes(**{name: getattr(SHAPES, name) for name in parts})


def model(configured: Arm, moved=True, precision=torch.float32):
    beginning = Beginning(subspace=torch.eye(D)[:, :0])
    made = assemble(configured, shapes_of(configured), GRID, beginning, seed=0, precision=precision)
    if moved:  # modulations that start at zero hide what the blocks do
        torch.manual_seed(1)
        for parameter in made.network.parameters():
            if parameter.requires_grad:
                parameter.data += 0.05 * torch.randn_like(parameter)
    return made


def objective(configured: Arm, **options) -> Objective:
    return build(configured, model(configured, **options), Needs(0, CPU, patch_tokens=Q))


def example(progress=0.0, visible=None) -> Example:
    generator = torch.Generator().manual_seed(2)

    def normal(*shape):
        return torch.randn(B, *shape, generator=generator)

    condition = Condition(
        presence(MODALITIES, B), GRID, label=torch.arange(B) % 3, text=normal(5, 6),
        mask=torch.ones(B, 5, dtype=torch.bool), empty=torch.zeros(5, 6), embedding=normal(4),
        patches=normal(N, Q), joints=normal(2, 3).abs(), visible=visible,
    )  # fmt: skip
    pixels = torch.rand(B, 3, 32, 32, generator=generator) * 2 - 1
    return Example(
        normal(N, D),
        normal(N, D),
        torch.tensor([0.1, 0.4, 0.7, 1.0]),
        condition,
        pixels,
        progress,
        patch_tokens=normal(N, Q),
    )


def read(minimised: Objective, shown: Example) -> torch.Tensor:
    """The features that the projector is given."""
    kept = []
    handle = minimised.terms["alignment"].projector.register_forward_hook(
        lambda m, inputs, output: kept.append(inputs[0])
    )
    minimised(shown)
    handle.remove()
    return kept[0]


def test_alignment_is_one_minus_the_mean_cosine():
    a = torch.randn(4, 5, 6, dtype=torch.float64)
    cosine = (a * a.flip(0)).sum(-1) / (a.norm(dim=-1) * a.flip(0).norm(dim=-1))
    torch.testing.assert_close(alignment_loss(a, a.flip(0)), 1 - cosine.mean())
    for other, expected in ((3 * a, 0.0), (-a, 2.0)):
        assert alignment_loss(a, other).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.5), (0.2, 0.5), (0.3, 0.25), (0.4, 0.0), (1.0, 0.0)])
def test_alignment_fades_linearly(progress, expected):
    assert weight(Alignment(block=1, weight=0.5, fades=(0.2, 0.4)), progress) == pytest.approx(expected)
    assert weight(Alignment(block=1, weight=0.5), progress) == 0.5


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.5), (0.29, 0.5), (0.3, 0.0), (1.0, 0.0)])
def test_alignment_that_fades_at_one_moment_is_switched_off_there(progress, expected):
    assert weight(Alignment(block=1, weight=0.5, fades=(0.3, 0.3)), progress) == expected


def test_off_it_changes_nothing_and_on_it_adds_a_term_and_its_gradient():
    aligned = arm()
    plain, minimised = Objective(aligned, model(aligned), {}), objective(aligned)
    terms = minimised(example())
    assert torch.equal(plain(example())["flow"], terms["flow"])
    assert list(terms) == ["flow", "alignment"] and 0 <= terms["alignment"] <= 1
    terms["alignment"].backward()
    network = minimised.model.network
    assert network.blocks[1].attention.qkv.weight.grad.any()
    assert minimised.terms["alignment"].projector[0].weight.grad.any()
    assert network.blocks[2].modulation.weight.grad is None, "blocks after the aligned one must not feel it"
    assert network.final.linear.weight.grad is None


def test_the_term_has_the_weight_of_its_place_in_the_training():
    minimised = objective(arm(weight=0.5, fades=(0.2, 0.4)))
    whole, half, none = (minimised(example(progress))["alignment"] for progress in (0.0, 0.3, 0.5))
    torch.testing.assert_close(half, whole / 2)
    assert whole > 0 and none == 0


@pytest.mark.parametrize(
    ("network", "what"),
    [
        (JIT, ["class"]), (JIT, ["caption"]), (JIT, ["patches"]), (JIT, ALL), (JIT, []), (NANODIT, ALL),
        (NANODIT, ["class"]),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("block", [1, 2, 4])
def test_it_reads_the_image_tokens_alone_in_raster_order(network, what, block):
    """A block of a JiT gives what has joined, then the image; the next block, or the last layers, take the same."""
    configured = arm(network, what, block=block)
    minimised, seen = objective(configured), []
    own = minimised.model.network
    own.blocks[block - 1].register_forward_hook(lambda m, inputs, output: seen.append(output))
    features = read(minimised, example())
    joined = own.prefix if network is JIT and block > own.enters else 0
    assert seen[0].shape[1] == joined + N and features.shape == (B, N, own.width)
    assert torch.equal(features, seen[0][:, joined:])


def test_on_a_captioned_jit_it_reads_image_tokens_alone():
    """A pixel patch changes its own token most; what has joined, most of all the caption, lies before these."""
    minimised, shown = objective(arm(what=["caption"], block=2)), example()
    before = read(minimised, shown)
    for patch in (0, 5, 15):
        moved = shown.eps.clone()  # at the last noise level an image is nothing else
        moved[:, patch] += 1
        difference = (read(minimised, replace(shown, eps=moved)) - before).norm(dim=-1)
        assert (difference.argmax(1) == patch).all()


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_on_flux_2_it_reads_image_tokens_after_double_and_single_blocks(block, adapted):
    """What it reads is what the next block takes for the image, behind the text where both are one sequence."""
    adapter = {"adapter": {"rank": 2, "alpha": 2.0, "dropout": 0.0}} if adapted else None
    minimised, seen = objective(arm(FLUX, ["caption"], block=block, start=adapter)), []
    flux = minimised.model.network.flux
    following = [*minimised.model.network.blocks[1:], flux.norm_out][block - 1]
    following.register_forward_pre_hook(
        lambda m, inputs, named: seen.append(named.get("hidden_states", inputs[0] if inputs else None)),
        with_kwargs=True,
    )
    features = read(minimised, example())
    assert features.shape == (B, N, 16)
    assert seen[0].shape[1] == (N if block in (1, 4) else N + 5), "blocks 3 and 4 take text and image as one sequence"
    torch.testing.assert_close(features, seen[0][:, -N:])
    minimised(example())["alignment"].backward()
    reached = [name for name, p in minimised.model.network.named_parameters() if p.grad is not None and p.grad.any()]
    assert any("x_embedder" in name for name in reached) and not any("proj_out" in name for name in reached)


@pytest.mark.parametrize(("block", "routed"), [(1, False), (2, True), (3, True), (4, False)])
def test_of_routed_tokens_it_compares_those_that_have_gone_through_the_block(block, routed):
    visible = torch.tensor([1, 2, 5, 7, 8, 11, 14, 15])
    minimised, shown = objective(arm(ROUTED, ALL, block=block)), example(visible=visible)
    features = read(minimised, shown)
    assert features.shape[1] == (8 if routed else N)
    wanted = shown.patch_tokens[:, visible] if routed else shown.patch_tokens
    projected = minimised.terms["alignment"].projector(features)
    torch.testing.assert_close(minimised(shown)["alignment"], 0.5 * alignment_loss(projected, wanted))


@pytest.mark.parametrize(("sign", "expected"), [(1, 0.0), (-1, 1.0)])
def test_aligned_features_cost_nothing_and_opposite_ones_twice_the_weight(sign, expected):
    """The projector maps features to the wanted tokens, or to their opposites; only visible ones are looked at."""
    visible = torch.tensor([1, 2, 5, 7, 8, 11, 14, 15])
    minimised, shown = objective(arm(ROUTED, ALL, weight=0.5, projector=None)), example(visible=visible)
    wanted = minimised.terms["alignment"].projector(read(minimised, shown)).detach()
    tokens = shown.patch_tokens.clone()
    tokens[:, visible] = sign * wanted
    terms = minimised(replace(shown, patch_tokens=tokens))
    assert terms["alignment"].item() == pytest.approx(expected, abs=1e-5)  # float32


def test_a_projector_is_three_layers_or_one_matrix_drawn_from_its_generator():
    def drawn(width, seed=0):
        return projector(5, width, 3, torch.Generator().manual_seed(seed))

    wide, narrow = drawn(4), drawn(None)
    assert [tuple(p.shape) for p in wide.parameters()] == [(4, 5), (4,), (4, 4), (4,), (3, 4), (3,)]
    assert [tuple(p.shape) for p in narrow.parameters()] == [(3, 5)]
    assert isinstance(wide[1], nn.SiLU) and isinstance(wide[3], nn.SiLU)
    assert all((layer.bias == 0).all() for layer in wide[::2])
    for width in (4, None):
        first, again, other = (next(made.parameters()) for made in (drawn(width), drawn(width), drawn(width, 1)))
        assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_projector_is_trained_in_float32_where_the_network_is_not():
    minimised = objective(arm(), precision=torch.bfloat16)
    assert read(minimised, example()).dtype == torch.float32
    terms = minimised(example())
    assert terms["alignment"].dtype == torch.float32
    exact = objective(arm())(example())["alignment"]
    assert terms["alignment"].item() == pytest.approx(exact.item(), rel=0.05)  # bfloat16 has 8 bits


def test_recomputed_activations_give_the_same_gradient():
    grads = []
    for recomputed in (False, True):
        minimised = objective(arm(what=ALL))
        minimised.model.network.checkpointing = recomputed
        sum(minimised(example()).values()).backward()
        grads.append([p.grad for p in minimised.parameters()])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def local_teacher() -> ImageTower:
    torch.manual_seed(1)
    return ImageTower(EVALUATOR)


def test_the_local_teacher_comes_from_the_evaluator_s_file_and_is_no_part_of_the_run(tmp_path):
    weights = {f"{PREFIX}{name}": value for name, value in local_teacher().state_dict().items()}
    tensors.save(tmp_path / "evaluator.safetensors", "evaluator", weights, {"config": EVALUATOR.model_dump()})
    configured = arm(teacher="local")
    minimised = build(configured, model(configured), Needs(0, CPU, evaluator=tmp_path / "evaluator.safetensors"))
    shown, term = example(), minimised.terms["alignment"]
    projected = term.projector(read(minimised, shown))
    expected = 0.5 * alignment_loss(projected, LocalTeacher(local_teacher(), 32)(shown.pixels))
    torch.testing.assert_close(minimised(shown)["alignment"], expected)
    assert {name for name, _ in term.named_parameters()} == {
        f"projector.{i}.{w}" for i in (0, 2, 4) for w in ("weight", "bias")
    }
    assert term.state_dict().keys() == dict(term.named_parameters()).keys()


def test_a_teacher_sees_rgb_in_the_images_that_the_network_sees():
    """Mirrored where these are mirrored, and RGB whatever the network works in: the example's own pixels."""
    seen, configured = [], arm()

    def teacher(pixels):
        seen.append(pixels)
        return torch.ones(B, N, 3)

    made = model(configured)
    reading = projector(made.network.width, None, 3, torch.Generator().manual_seed(0))
    term = AlignmentTerm(configured.losses.alignment, made, teacher, reading)
    shown = example()
    made(interpolate(shown.x_0, shown.eps, shown.t), shown.t, shown.condition, sigma_min=1e-6)
    term(made, shown, shown.x_0)
    assert seen[0] is shown.pixels


@pytest.mark.slow
def test_compiled_it_gives_the_same_terms():
    eager, compiled = objective(arm())(example()), objective(arm())
    compiled.model.network.compile()
    terms = compiled(example())
    assert all(torch.allclose(terms[name], eager[name], atol=1e-5) for name in terms)


def test_a_teacher_with_another_grid_is_refused():
    """It would be compared with tokens of other places, or with a caption's."""
    minimised, shown = objective(arm(teacher="embedded", block=2)), example()
    with pytest.raises(ValueError, match=rf"each of the {N} tokens of an image .*, which has {N - 1} of them"):
        minimised(replace(shown, patch_tokens=shown.patch_tokens[:, 1:]))
