"""Draws a picture from a trained run, by hand.

python -m asymflow.sample results/runs/rank8/seed0 --classes 0,3 --count 16 --steps 24 --guidance 2 --seed 7 --out picture.png
"""

import argparse
from pathlib import Path

import torch

from asymflow.config.sampling import Sampling
from asymflow.report import pictures
from asymflow.sampling.run import load
from asymflow.sampling.sampler import noise, sample


def main() -> None:
    arguments = _arguments()
    settings = Sampling(
        count=arguments.count,
        steps=arguments.steps,
        guidance=arguments.guidance,
        interval=tuple(arguments.interval),
        ema_images=arguments.ema_images,
        sigma_min=arguments.sigma_min,
        compile="off",
    )
    run = load(arguments.run / "model.safetensors", settings)
    chosen = _classes(arguments.classes, run.classes)
    labels = torch.tensor(chosen).repeat(-(-settings.count // len(chosen)))[: settings.count]
    images = sample(
        run.model,
        noise(arguments.seed, range(settings.count), run.shape).to(run.machine.device),
        labels.to(run.machine.device),
        patch_size=run.arm.model.patch_size,
        colour=run.arm.model.colour,
        null_label=run.null_label,
        settings=settings,
    )
    columns = arguments.columns or max(1, round(settings.count**0.5))
    picture = pictures.grid(images.permute(0, 2, 3, 1).cpu().numpy(), columns)
    pictures.save(pictures.enlarge(picture, arguments.enlarge), arguments.out)
    print(f"{settings.count} images of {', '.join(run.classes[c] for c in chosen)} in {arguments.out}")


def _classes(text: str | None, names: tuple[str, ...]) -> list[int]:
    """Class numbers from a list of names or numbers; all classes when nothing is said."""
    if text is None:
        return list(range(len(names)))
    numbers = {name: number for number, name in enumerate(names)} | {
        str(number): number for number in range(len(names))
    }
    wanted = [item.strip() for item in text.split(",")]
    unknown = [item for item in wanted if item not in numbers]
    if unknown:
        raise SystemExit(f"unknown class {unknown[0]!r}; this run knows {', '.join(names)}, or 0 to {len(names) - 1}")
    return [numbers[item] for item in wanted]


def _arguments() -> argparse.Namespace:
    default = Sampling()
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a trained run")
    parser.add_argument("--classes", help="names or numbers, with commas between; all classes if left out")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--guidance", type=float, default=default.guidance, help="1 is none")
    parser.add_argument(
        "--interval", type=float, nargs=2, default=default.interval, help="noise levels that are guided"
    )
    parser.add_argument("--sigma-min", type=float, default=default.sigma_min)
    parser.add_argument("--ema-images", type=int, default=default.ema_images, help="horizon of the averaged weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--columns", type=int, help="images in a row; about a square if left out")
    parser.add_argument("--enlarge", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("samples.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
