"""The stages fit_subspace, subspace_figure and spectrum, on a tiny image folder."""

from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from workshop import run_stage

from asymflow import provenance
from asymflow.config.data import Data
from asymflow.config.representation import Colour
from asymflow.config.subspace import Basis, Subspace
from asymflow.data import patches
from asymflow.data.colour import from_rgb, to_rgb
from asymflow.data.patches import chosen, coefficients
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.report import tables
from asymflow.stages import fit_subspace, spectrum, subspace_figure
from asymflow.stages.subspace_figure import visible
from asymflow.subspace import context
from asymflow.subspace.bases import dct_basis, gram, pca, random_basis
from asymflow.subspace.file import load
from asymflow.subspace.patches import CHANNEL_LAST, patchify, unpatchify

PATCH = 4
BASES, COLOURS = get_args(Basis), get_args(Colour)
OF_ENERGY = [basis for basis in BASES if basis != "pca_unexplained"]  # whose spectrum is mean squares


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the training split of 24 reddish images, and every basis of it in every colour space."""
    folder = tmp_path_factory.mktemp("subspace")
    generator = np.random.default_rng(0)
    for i in range(28):
        path = folder / "images" / f"class{i % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 100, (8, 8, 3)) + np.array([120, 40, 0])
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    data = Data(source="folder", path=str(folder / "images"), image_size=8, train=24, evaluator=2, heldout=2)
    write_splits(data, folder, processes=1)
    for basis in BASES:
        for colour in COLOURS:
            run_stage(
                fit_subspace, config=Subspace().model_dump_json(), basis=basis, patch_size=PATCH, colour=colour,
                data=folder / "train.json", out=file(folder, basis, colour),
            )  # fmt: skip
    return folder


def file(folder, basis, colour):
    return folder / f"{basis}_{colour}_p{PATCH}.safetensors"


@pytest.mark.parametrize("basis", OF_ENERGY)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_basis_belongs_to_the_colour_space_it_was_fitted_in(folder, basis, colour):
    loaded = load(file(folder, basis, colour), patch_size=PATCH, order=CHANNEL_LAST, colour=colour)
    assert (loaded.name, loaded.patches) == (basis, 24 * 4)
    reader = ShardReader(folder / "train.json")
    seen = patchify(from_rgb(reader.images(range(len(reader))).double() / 127.5 - 1, colour), PATCH)
    torch.testing.assert_close(loaded.spectrum, (seen @ loaded.basis).square().mean((0, 1)))
    other = next(name for name in COLOURS if name != colour)
    with pytest.raises(ValueError, match=f"was fitted with colour '{colour}', but the model works with '{other}'"):
        load(file(folder, basis, colour), patch_size=PATCH, order=CHANNEL_LAST, colour=other)


def test_the_principal_components_are_those_of_the_encoded_pixels(folder):
    reader = ShardReader(folder / "train.json")
    seen = patchify(from_rgb(reader.images(range(len(reader))).double() / 127.5 - 1, "oklab"), PATCH)
    expected, _ = pca(gram([seen])[0])
    fitted = load(file(folder, "pca", "oklab"), patch_size=PATCH, order=CHANNEL_LAST, colour="oklab")
    torch.testing.assert_close(fitted.basis[:, 0], expected[:, 0])
    in_rgb = load(file(folder, "pca", "rgb"), patch_size=PATCH, order=CHANNEL_LAST, colour="rgb")
    assert (fitted.basis[:, 0] @ in_rgb.basis[:, 0]).abs() < 0.9


@pytest.mark.parametrize("colour", COLOURS)
def test_the_unexplained_spectrum_is_of_the_principal_directions(folder, colour):
    energy, unexplained = (
        load(file(folder, basis, colour), patch_size=PATCH, order=CHANNEL_LAST, colour=colour)
        for basis in ("pca", "pca_unexplained")
    )
    place = (unexplained.basis.T @ energy.basis).abs().argmax(0)  # where each principal direction stands
    assert torch.equal(energy.basis, unexplained.basis[:, place]) and (energy.patches, energy.data) == (
        96,
        unexplained.data,
    )
    assert unexplained.name == "pca_unexplained" and (unexplained.spectrum > 0).all()
    assert (unexplained.spectrum.diff() <= 0).all(), "the least explained come first"
    # images of noise around one colour: the mean, nearly all of the first direction, is explained, the noise is not
    left = unexplained.spectrum[place]
    assert left[0] < 0.1 * energy.spectrum[0]
    torch.testing.assert_close(left[1:].sum(), energy.spectrum[1:].sum(), rtol=0.4, atol=0)


def test_mirrored_images_are_seen_after_the_others_with_the_same_labels(folder):
    reader, identity = ShardReader(folder / "train.json"), torch.eye(3 * PATCH**2, dtype=torch.float64)
    plain, both = (
        coefficients(reader, identity, PATCH, "rgb", Subspace(images=10, flip=flip), "test") for flip in (False, True)
    )
    assert plain.grid == (2, 2) and (plain.images, both.images) == (10, 10) and len(both.values) == 20
    assert torch.equal(both.values[:10], plain.values) and both.labels.tolist() == 2 * plain.labels.tolist()
    pixels = unpatchify(plain.values, (2, 2), PATCH)
    torch.testing.assert_close(unpatchify(both.values[10:], (2, 2), PATCH), pixels.flip(3))
    numbers = chosen(reader, Subspace(images=10))
    assert plain.labels.tolist() == reader.labels[numbers].tolist()
    torch.testing.assert_close(pixels, reader.images(numbers.tolist()).float() / 127.5 - 1)


def test_of_large_images_only_as_many_are_seen_as_fit_in_memory(folder, monkeypatch):
    monkeypatch.setattr(patches, "NUMBERS", 3 * 8 * 8 * 12)
    reader, identity = ShardReader(folder / "train.json"), torch.eye(3 * PATCH**2, dtype=torch.float64)
    assert [coefficients(reader, identity, PATCH, "rgb", Subspace(flip=f), "test").images for f in (False, True)] == [
        12,
        6,
    ]


@pytest.mark.parametrize("flip", [False, True])
def test_the_spectrum_has_a_row_for_each_direction_and_its_figure(folder, flip, tmp_path):
    run_stage(
        spectrum, config=Subspace(flip=flip).model_dump_json(), patch_size=PATCH, colour="rgb", data=folder / "train.json",
        basis=file(folder, "pca", "rgb"), table=tmp_path / "spectrum.csv", figure=[tmp_path / "a.png", tmp_path / "a.svg"],
    )  # fmt: skip
    table = tables.read(tmp_path / "spectrum.csv")
    basis = load(file(folder, "pca", "rgb"), patch_size=PATCH, order=CHANNEL_LAST, colour="rgb")
    assert table["direction"].tolist() == list(range(1, 49)) and not table.isna().any(axis=None)
    np.testing.assert_allclose(table["eigenvalue"], basis.spectrum, rtol=1e-5)
    assert (table["images"] == 24 * (1 + flip)).all() and (table["heldout"] == 12 * (1 + flip)).all()
    assert (table["code"] == provenance.digest("asymflow.stages.spectrum")).all()
    assert (tmp_path / "a.svg").stat().st_size > 10_000 and Image.open(tmp_path / "a.png").size[0] > 500
    if not flip:
        unexplained = load(file(folder, "pca_unexplained", "rgb"), patch_size=PATCH, order=CHANNEL_LAST, colour="rgb")
        np.testing.assert_allclose(sorted(table["unexplained_both"])[::-1], unexplained.spectrum, rtol=1e-5)


def test_each_column_of_the_spectrum_holds_what_its_name_says(folder):
    reader, config = ShardReader(folder / "train.json"), Subspace()
    basis = load(file(folder, "pca", "rgb"), patch_size=PATCH, order=CHANNEL_LAST, colour="rgb")
    table = spectrum.measure(reader, basis, config)
    sample = coefficients(reader, basis.basis, PATCH, "rgb", config, "test")
    rows = context.split(24, config.seed)
    centred, grid, variances = context.centred(sample.values, rows), (2, 2), {0.8: 16.0, 0.4: 4 / 9, 0.2: 1 / 16}
    known = {
        "class": context.unexplained_by_class(centred, sample.labels, rows, context.places(grid)),
        "others": context.unexplained_by_others(centred, rows, grid),
        "both": context.unexplained_by_both(centred, sample.labels, rows, grid),
    }
    expected = {f"unexplained_{name}": left for name, (left, _) in known.items()}
    expected |= {f"strength_{name}": strength for name, (_, strength) in known.items()}
    for level, variance in variances.items():
        expected[f"alone_{level}"] = basis.spectrum * variance / (basis.spectrum + variance)
        expected[f"noisy_{level}"] = context.unexplained_by_noisy(centred, rows, grid, [variance])[0]
    made = ("direction", "eigenvalue", "patch_size", "images", "heldout", "data", "code", "commit")
    assert set(table.columns) == {*expected, *made}
    for column, values in expected.items():
        np.testing.assert_allclose(table[column], values, rtol=1e-6, err_msg=column)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_figure_draws_every_basis(folder, colour, tmp_path):
    bases = [file(folder, basis, colour) for basis in OF_ENERGY]
    run_stage(subspace_figure, bases=bases, figure=[tmp_path / "a.png", tmp_path / "a.svg"])
    assert Image.open(tmp_path / "a.png").size[0] > 500 and "PCA, centred" in (tmp_path / "a.svg").read_text()


def test_directions_in_rgb_are_shown_as_they_are():
    basis = random_basis(3 * PATCH**2, seed=0)
    torch.testing.assert_close(visible(basis, PATCH, "rgb"), subspace_figure.CONTRAST * basis / basis.abs().amax(0))


def test_lightness_in_oklab_is_shown_as_grey_and_no_hue_is_clamped():
    lightness = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).repeat(PATCH**2)[:, None]
    shown = visible(lightness / PATCH, PATCH, "oklab").reshape(PATCH**2, 3)
    assert (shown > 0.1).all() and (shown - shown[:, :1]).abs().max() < 1e-5
    signs = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)]).T
    hues = subspace_figure.CONTRAST * signs[:, None]  # (3, 1, 27)
    grey = from_rgb(torch.zeros(3, 1, 1, dtype=torch.float64), "oklab")
    torch.testing.assert_close(from_rgb(to_rgb(grey + hues, "oklab"), "oklab"), grey + hues)
    assert visible(dct_basis(PATCH), PATCH, "oklab").shape == (48, 48)
