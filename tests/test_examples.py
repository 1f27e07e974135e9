"""The examples run, small, as a reader would start them; each says something that would be wrong if it did not work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


def run(name, out, *options):
    """What an example prints; its picture is checked for being one."""
    command = [sys.executable, ROOT / f"examples/{name}.py", *map(str, options), "--out", out]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    said = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert said.returncode == 0, said.stderr
    assert len(Image.open(out).convert("L").getcolors()) > 20
    return said.stdout


def losses(said):
    return [float(loss) for loss in re.findall(r"loss (\S+)", said)]


@pytest.mark.slow
def test_a_transformer_learns_from_scratch(tmp_path):
    said = run("class_conditional", tmp_path / "a.png", "--updates", 30, "--batch", 32, "--width", 64, "--steps", 6)
    first, *_, last = losses(said)
    ours, noise = re.search(r"distance (\S+), of noise (\S+)", said).groups()
    assert last < 0.8 * first and float(ours) < float(noise)


@pytest.mark.slow
def test_somebody_else_s_dit_learns_unchanged(tmp_path):
    said = run(
        "other_dit", tmp_path / "a.png", "--updates", 20, "--batch", 16, "--count", 16, "--steps", 6, "--layers", 1
    )
    first, *_, last = losses(said)
    assert last < 0.8 * first and "precision" in said


@pytest.mark.slow
def test_a_latent_model_is_lifted_into_pixels_and_finetuned(tmp_path):
    said = run("latent_to_pixels", tmp_path / "a.png", "--updates", 100, "--batch", 16, "--steps", 6)
    first, *_, last = losses(said)
    (error,) = re.findall(r"coupling error (\S+)", said)
    assert float(error) < 1e-4  # float32 over six steps; stepping through t in place of tau gives 8e-3
    assert last < 0.8 * first


@pytest.mark.slow
def test_a_folder_of_images_takes_the_place_of_the_drawn_ones(tmp_path):
    for number, name in enumerate(("cats", "dogs")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(300):
            Image.new("RGB", (40, 36), (200 * number, i % 256, 99)).save(tmp_path / "images" / name / f"{i}.png")
    small = ("--size", 16, "--updates", 10, "--batch", 8, "--width", 32, "--steps", 2, "--count", 8)
    assert len(losses(run("class_conditional", tmp_path / "a.png", "--folder", tmp_path / "images", *small))) == 10
