"""The library as somebody uses it from a training loop of their own."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import asymflow as af
from asymflow import provenance, public, version
from asymflow.config.subspace import Subspace as Config
from asymflow.data.reader import ShardReader
from asymflow.flow import asymmetric
from asymflow.stages import fit_subspace
from asymflow.subspace import bases

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/library.md").read_text()
PATCH, SIZE = 4, 8
D = 3 * PATCH**2


def pictures(count=20, seed=0):
    """Images whose patches have strong and weak directions."""
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.nn.functional.interpolate(torch.rand(count, 3, 3, 3, generator=generator), SIZE, mode="bilinear")
    return (2 * smooth - 1 + 0.05 * torch.randn(count, 3, SIZE, SIZE, generator=generator)).clamp(-1, 1)


class Answer(nn.Module):
    """A network that keeps what it is called with and answers with what it was told."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x, t, *arguments, **named):
        self.x, self.t, self.arguments, self.named = x, t, arguments, named
        return self.answer(x) if callable(self.answer) else self.answer


def python(code):
    """What a fresh Python prints, the source tree on its path."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT / "src")}
    ).stdout


def test_neither_the_package_nor_what_the_snakefile_imports_loads_torch():
    rules = (ROOT / "workflow/rules/common.smk").read_text()
    imported = re.findall(r"^from asymflow.*$", rules, re.MULTILINE)
    assert len(imported) > 5
    code = "\n".join(["import sys, asymflow", *imported, "print('torch' in sys.modules, asymflow.__version__)"])
    said = python(code).split()
    assert said == ["False", af.__version__]


def test_the_first_public_name_loads_the_library():
    assert python("import sys, asymflow as af; af.draw; print('torch' in sys.modules)").split() == ["True"]


def test_every_public_name_is_there_documented_and_the_name_of_no_module():
    for name in public.__all__:
        assert getattr(af, name).__doc__, name
        assert not (ROOT / "src/asymflow" / name).is_dir() and not (ROOT / f"src/asymflow/{name}.py").exists(), name
    assert set(public.__all__) | {"__version__"} == set(dir(af))
    imported = [alias.asname or alias.name for node in ast.parse(Path(public.__file__).read_text(encoding="utf-8")).body
                if isinstance(node, ast.ImportFrom) for alias in node.names]  # fmt: skip
    assert sorted(imported) == public.__all__ == sorted(public.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="fit_subspaces"):
        af.fit_subspaces  # noqa: B018


def test_the_version_is_that_of_the_project_installed_or_not(monkeypatch):
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert af.__version__ == said

    def missing(name):
        raise version.importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(version.importlib.metadata, "version", missing)
    assert version.version() == said


def test_an_edit_of_the_library_changes_no_digest_of_any_stage(monkeypatch):
    stages = sorted(f"asymflow.stages.{path.stem}" for path in (ROOT / "src/asymflow/stages").glob("[a-z]*.py"))
    before, tree = [provenance.digest(stage) for stage in stages], provenance._tree
    edited = ("asymflow", "asymflow.public", "asymflow.version", "asymflow.library", "asymflow.commands")
    changed = []

    def other(name):
        if name in edited or name.startswith(("asymflow.library.", "asymflow.commands.")):
            changed.append(name)
            return "something else"
        return tree(name)

    monkeypatch.setattr(provenance, "_tree", other)
    assert [provenance.digest(stage) for stage in stages] == before and not changed
    assert provenance.digest("asymflow.public") and "asymflow.library.model" in changed


class Stored(ShardReader):
    """Images in memory, as a stage reads them from shards."""

    source, split, set = "drawn", "train", "0" * 32

    def __init__(self, stored):
        self.stored = stored

    def __len__(self):
        return len(self.stored)

    def images(self, indices):
        return self.stored[indices]


@pytest.mark.parametrize("basis", ["pca", "pca_centred", "dct", "random", "identity"])
def test_a_basis_is_the_one_that_the_pipeline_fits_to_the_same_images(basis):
    stored = (127.5 * (pictures() + 1)).round().to(torch.uint8)
    theirs = fit_subspace.fit(basis, Stored(stored), PATCH, "rgb", Config())
    ours = af.fit_subspace(stored.double() / 127.5 - 1, patch_size=PATCH, basis=basis)
    assert torch.equal(ours.basis, theirs.basis) and torch.equal(ours.spectrum, theirs.spectrum)
    assert (ours.name, ours.order, ours.patches) == (theirs.name, theirs.order, theirs.patches)


@pytest.mark.parametrize(
    ("basis", "expected"),
    [
        ("pca", lambda moments: bases.pca(moments[0])[0]),
        ("pca_centred", lambda moments: bases.pca(bases.centred(*moments))[0]),
        ("dct", lambda _: bases.dct_basis(PATCH)),
        ("random", lambda _: bases.random_basis(D, 3)),
        ("identity", lambda _: torch.eye(D, dtype=torch.float64)),
    ],
)
def test_a_basis_is_the_one_that_its_name_says(basis, expected):
    moments = bases.gram([af.patchify(pictures().double(), PATCH)])
    columns = bases.columns(basis, *moments, PATCH, seed=3)
    torch.testing.assert_close(columns, expected(moments), rtol=0, atol=1e-12)


def test_a_loader_a_list_and_a_tensor_give_the_same_subspace():
    images = pictures()
    loader = DataLoader(TensorDataset(images, torch.arange(len(images))), batch_size=7)
    fitted = [af.fit_subspace(x, patch_size=PATCH, rank=5) for x in (images, loader, list(images.split(3)))]
    for other in fitted[1:]:
        torch.testing.assert_close(other.basis, fitted[0].basis, rtol=0, atol=1e-10)  # sums in another order
    assert fitted[0].basis.shape == (D, 5) and fitted[0].spectrum.shape == (5,)


def test_a_limit_sees_so_many_images_and_no_more():
    images = pictures()
    seen = []

    def loader():
        for batch in images.split(3):
            seen.append(len(batch))
            yield batch

    limited = af.fit_subspace(loader(), patch_size=PATCH, limit=7)
    assert torch.allclose(limited.basis, af.fit_subspace(images[:7], patch_size=PATCH).basis) and sum(seen) == 9


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        (torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8), {}, r"uint8; expected \(b, c, h, w\) in \[-1, 1\]"),
        (torch.full((2, 3, SIZE, SIZE), 255.0), {}, "values up to 255"),
        (torch.zeros(2, 3, SIZE, SIZE), {"rank": D + 1}, f"rank is {D + 1}.* 0 to {D} directions"),
        ([], {}, "the data set is empty"),
        (torch.zeros(0, 3, SIZE, SIZE), {}, "a batch without images"),
        (torch.full((2, 3, SIZE, SIZE), torch.nan), {}, "values up to nan"),
        ([{"image": torch.zeros(2, 3, SIZE, SIZE)}], {}, "a batch of type dict; expected a tensor"),
        (torch.zeros(2, 3, SIZE, SIZE).numpy(), {}, "a batch of type ndarray; expected a tensor"),
        (torch.zeros(2, 3, SIZE, SIZE), {"limit": -1}, "limit -1; expected numbers of 1 or more"),
        (torch.zeros(2, 3, SIZE, SIZE), {"patch_size": 0}, "patch_size is 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_sentence(images, options, said):
    with pytest.raises(ValueError, match=said):
        af.fit_subspace(images, **{"patch_size": PATCH} | options)


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        (torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8), {}, "x_0 is torch.uint8; expected images in"),
        (torch.zeros(2, 3, SIZE, SIZE), {"t": torch.ones(3)}, r"t has the shape \(3,\).* expected .* \(2,\)"),
        (torch.zeros(2, 3, SIZE, SIZE), {"noise": torch.zeros(2, 1, SIZE, SIZE)}, r"noise \(2, 1, 8, 8\) for x_0 of"),
    ],
)
def test_a_batch_that_has_no_loss_is_refused_in_one_sentence(images, options, said):
    model = af.AsymFlow(Answer(torch.zeros_like), af.fit_subspace(pictures(), patch_size=PATCH, rank=3))
    with pytest.raises(ValueError, match=said):
        af.loss(model, images, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"shift": 0.0}, "shift 0.0; expected"),
        (
            {"interval": (0.9, 0.1), "scale": 2.0, "unconditional": {}},
            r"interval is \(0.9, 0.1\); expected \(low, high\)",
        ),
    ],
)
def test_settings_that_would_draw_something_else_are_refused_in_one_sentence(options, said):
    with pytest.raises(ValueError, match=said):
        af.draw(Answer(torch.zeros_like), torch.randn(2, 3, SIZE, SIZE), **options)


def test_words_that_mean_nothing_are_refused_where_no_types_are_checked():
    calls = [
        f"af.fit_subspace(torch.zeros(2, 3, 8, 8), patch_size=4, {wrong})"
        for wrong in ("basis='fourier'", "order='chw'")
    ]
    for call, said in zip(
        calls, ("basis is 'fourier'; expected one of pca,", "order is 'chw'; expected one of row"), strict=True
    ):
        assert said in python(f"import torch, asymflow as af\ntry: {call}\nexcept ValueError as error: print(error)")


@pytest.mark.parametrize("order", ["row column channel", "channel row column"])
@pytest.mark.parametrize("rank", [0, 5, D])
def test_the_right_prediction_gives_the_true_velocity_of_images_and_of_tokens(order, rank):
    subspace = af.fit_subspace(pictures(), patch_size=PATCH, rank=rank, order=order)
    x_0, eps, t = pictures(3, seed=1), torch.randn(3, 3, SIZE, SIZE), torch.tensor([0.3, 0.6, 1.0])
    x_t = (1 - t[:, None, None, None]) * x_0 + t[:, None, None, None] * eps
    x, e, z = (af.patchify(images, PATCH, order) for images in (x_0, eps, x_t))
    u_A = asymmetric.target(x, e, subspace.columns(rank))
    on_tokens = af.AsymFlow(Answer(u_A), subspace)(z, t)
    torch.testing.assert_close(on_tokens, e - x, rtol=1e-4, atol=1e-4)  # float32, divided by 0.3
    on_images = af.AsymFlow(Answer(af.unpatchify(u_A, (2, 2), PATCH, order)), subspace)(x_t, t)
    torch.testing.assert_close(on_images, eps - x_0, rtol=1e-4, atol=1e-4)


def test_a_network_gets_its_time_in_its_own_units_and_whatever_else_it_takes():
    network = Answer(torch.zeros_like)
    model = af.AsymFlow(network, af.fit_subspace(pictures(), patch_size=PATCH, rank=3), time_factor=1000.0)
    x_t, t = torch.randn(2, 3, SIZE, SIZE), torch.tensor([0.25, 1.0])
    model(x_t, t, "first", mask="second")
    assert torch.equal(network.x, x_t) and network.t.tolist() == [250.0, 1000.0]
    assert network.arguments == ("first",) and network.named == {"mask": "second"}


def test_a_lifted_network_gets_calibrated_input_and_time():
    lift = replace(af.fit_subspace(pictures(), patch_size=PATCH, rank=3), scale=0.5)
    network = Answer(torch.zeros_like)
    x_t, t = torch.randn(2, 3, SIZE, SIZE), torch.tensor([0.25, 1.0])
    af.AsymFlow(network, lift)(x_t, t)
    k = asymmetric.calibration(t, 0.5)
    assert torch.equal(network.t, k * t) and torch.equal(network.x, k[:, None, None, None] * x_t)


def test_an_output_with_the_prediction_first_is_understood():
    subspace, x = af.fit_subspace(pictures(), patch_size=PATCH, rank=3), torch.randn(2, 3, SIZE, SIZE)
    bare = af.AsymFlow(Answer(torch.sin), subspace)(x, torch.ones(2))
    assert torch.equal(af.AsymFlow(Answer(lambda x: (x.sin(), "rest")), subspace)(x, torch.ones(2)), bare)


def test_only_the_network_runs_in_low_precision():
    torch.manual_seed(0)
    network, t = nn.Conv2d(3, 3, 1), torch.full((2,), 0.01)
    subspace = af.fit_subspace(pictures(), patch_size=PATCH, rank=3)
    model = af.AsymFlow(Answer(network), subspace)
    x_t = torch.randn(2, 3, SIZE, SIZE)
    with torch.autocast("cpu", torch.bfloat16):
        u, rounded = model(x_t, t, sigma_min=0.0), network(x_t)
    assert rounded.dtype == torch.bfloat16
    expected = af.recover(af.patchify(rounded.float(), PATCH), af.patchify(x_t, PATCH), t, subspace.columns(3))
    assert torch.equal(af.patchify(u, PATCH), expected)
    with pytest.raises(ValueError, match="keep it in float32"):
        model(x_t.bfloat16(), t)


@pytest.mark.parametrize(
    ("answer", "x", "said"),
    [
        (lambda x: torch.cat([x, x], 1), torch.randn(2, 3, SIZE, SIZE), "expected the same shape"),
        (torch.sin, torch.randn(2, 4, D + 1), f"of the {D} numbers"),
        (torch.sin, torch.randn(2, 3, SIZE, SIZE + 1), "must divide both sides"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_in_one_sentence(answer, x, said):
    with pytest.raises(ValueError, match=said):
        af.AsymFlow(Answer(answer), af.fit_subspace(pictures(), patch_size=PATCH, rank=3))(x, torch.ones(2))


def test_the_loss_is_the_pipeline_s_and_the_same_for_images_and_tokens():
    subspace = af.fit_subspace(pictures(), patch_size=PATCH, rank=5)
    x_0, eps, t = pictures(3, seed=1), torch.randn(3, 3, SIZE, SIZE), torch.tensor([0.02, 0.5, 0.9])
    x, e = af.patchify(x_0, PATCH), af.patchify(eps, PATCH)
    on_tokens = af.loss(af.AsymFlow(Answer(torch.sin), subspace), x, t=t, noise=e)
    x_t = af.interpolate(x, e, t)
    u_hat = af.recover(x_t.sin(), x_t, t, subspace.columns(5), 1.0, 1e-6)
    assert on_tokens.item() == pytest.approx(af.flow_matching_loss(u_hat, e - x, t, 0.05).mean().item(), rel=1e-5)
    on_images = af.loss(af.AsymFlow(Answer(torch.sin), subspace), x_0, t=t, noise=eps)
    assert on_images.item() == pytest.approx(on_tokens.item(), rel=1e-5)


def test_noise_levels_follow_their_law():
    t = af.noise_levels(100_000, mean=0.8, std=0.8, generator=torch.Generator().manual_seed(0))
    logits = torch.logit(t.double())
    assert logits.mean().item() == pytest.approx(0.8, abs=0.01) and logits.std().item() == pytest.approx(0.8, abs=0.01)
    shifted = af.noise_levels(100_000, shift=17.0, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(shifted, 17 * t / (1 + 16 * t))


class Towards(nn.Module):
    """The asymmetric velocity of one image, known exactly: rank 0, so that the prediction is -x_0."""

    def forward(self, x, t, image):
        return -image.expand(len(x), -1, -1, -1)


@pytest.mark.parametrize("solver", ["heun", "euler", "unipc"])
def test_every_solver_draws_the_image_that_the_model_knows(solver):
    """With one image as data the field is exact and its paths are straight; the recovery's floor is off."""
    model = af.AsymFlow(Towards(), af.fit_subspace(pictures(), patch_size=PATCH, rank=0))
    image = pictures(1, seed=3)
    drawn = af.draw(model, torch.randn(2, 3, SIZE, SIZE), {"image": image}, solver=solver, steps=4, sigma_min=0.0)
    torch.testing.assert_close(drawn, image.expand(2, -1, -1, -1), rtol=0, atol=1e-4)
    with pytest.raises(Exception, match="dopri"):
        af.draw(model, torch.randn(2, 3, SIZE, SIZE), {"image": image}, solver="dopri")


def test_guidance_acts_within_its_interval_and_needs_something_to_move_away_from():
    model = af.AsymFlow(Towards(), af.fit_subspace(pictures(), patch_size=PATCH, rank=0))
    told, nothing = {"image": pictures(1, seed=3)}, {"image": torch.zeros(1, 3, SIZE, SIZE)}
    x = torch.randn(2, 3, SIZE, SIZE)
    u, u_nothing = (af.guided(model, c)(x, 0.5) for c in (told, nothing))
    field = af.guided(model, told, nothing, scale=3.0, interval=(0.2, 0.6))
    torch.testing.assert_close(field(x, 0.5), u + 2 * (u - u_nothing))
    assert torch.equal(field(x, 0.7), af.guided(model, told)(x, 0.7))
    orthogonal = af.guided(model, told, nothing, scale=3.0, orthogonal=True)(x, 0.5)
    x_0 = x - 0.5 * u
    torch.testing.assert_close(((orthogonal - u) * x_0).sum((1, 2, 3)), torch.zeros(2), rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="no unconditional"):
        af.guided(model, told, scale=3.0)


def test_a_lift_is_recovered_from_images_and_their_tokens():
    A = af.fit_subspace(pictures(), patch_size=PATCH, rank=6, basis="random", order="channel row column").basis
    tokens = torch.randn(30, 4, 6, dtype=torch.float64).clamp(-2, 2)
    images = af.unpatchify(0.2 * tokens @ A.T, (2, 2), PATCH, "channel row column")
    lift = af.fit_lift(zip(images.split(7), tokens.split(7), strict=True), patch_size=PATCH)
    torch.testing.assert_close(lift.basis, A)
    assert lift.scale == pytest.approx(0.2) and lift.name == "procrustes"
    with pytest.raises(ValueError, match="expected a token for each patch"):
        af.fit_lift([(images, tokens[:, :3])], patch_size=PATCH)


def test_a_subspace_survives_its_file(tmp_path):
    fitted = af.fit_subspace(pictures(), patch_size=PATCH, rank=5)
    af.save_subspace(fitted, tmp_path / "a.safetensors")
    loaded = af.load_subspace(tmp_path / "a.safetensors", patch_size=PATCH, order=fitted.order, colour="rgb")
    assert torch.equal(loaded.basis, fitted.basis)


def test_what_the_library_imports_is_among_the_core_dependencies():
    """Beside the solver unipc, which a message of Python names when diffusers is missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = {re.split(r"[<>=\[ ]", wanted)[0].lower() for wanted in project["dependencies"]}
    names = {"pydantic_core": "pydantic"}
    needed = set()
    for module in provenance.closure(
        "asymflow.public", "asymflow.sampling.solvers.heun", "asymflow.sampling.solvers.euler"
    ):
        for node in ast.walk(ast.parse(provenance._path(module).read_text())):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [node.module] if isinstance(node, ast.ImportFrom) else []
            needed |= {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - {"asymflow"}
    assert {names.get(name, name) for name in needed} <= core, needed


def test_the_loop_of_the_page_about_the_library_runs_and_learns():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    torch.manual_seed(0)
    losses = []
    names = {"losses": losses}
    exec(example.replace("loss.backward()", "losses.append(loss.item()); loss.backward()"), names)
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert names["samples"].shape == (4, 3, 32, 32) and names["samples"].isfinite().all()


def test_the_page_about_the_library_has_every_public_name_and_no_other():
    assert set(re.findall(r"\baf\.(\w+)", PAGE)) == set(public.__all__) - {"Subspace"}


def test_the_page_about_the_library_shows_the_true_signatures():
    calls = re.findall(r"`af\.(\w+)\(([^`]*)\)`[:,]", PAGE)
    assert len(calls) > 12
    for name, shown in calls:
        known = inspect.signature(getattr(af, name)).parameters
        for word in re.sub(r"\(0, 1\)", "(0,1)", shown).split(", "):
            argument, _, value = word.partition("=")
            assert argument == "*" or argument in known, (name, argument)
            assert not value or ast.literal_eval(value) == known[argument].default, (name, word)


def test_files_that_the_page_links_to_exist():
    for path in re.findall(r"\]\(\.\./([^)]+)\)", PAGE):
        assert (ROOT / path).exists(), path


def test_every_way_to_install_the_pipeline_gives_the_same_exact_versions():
    """uv installs the group dev, conda what environment.yml names, pip the extra; the library alone is bound from below."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    exact = project["project"]["optional-dependencies"]["pipeline"]
    assert all(re.fullmatch(r"[\w-]+(\[\w+\])?==[\w.]+", wanted) for wanted in exact)
    core = [wanted.split(">=")[0] for wanted in project["project"]["dependencies"]]
    assert set(core) < {re.split(r"\[|==", wanted)[0] for wanted in exact}
    assert "asymflow[pipeline,s3]" in project["dependency-groups"]["dev"]
    assert yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1] == {"pip": ["-e .[pipeline]"]}
