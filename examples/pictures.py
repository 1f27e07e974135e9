"""What the examples learn from: pictures drawn here, or those of a folder with one subfolder for each class."""

from pathlib import Path

import torch
from torch import Tensor


def load(folder: Path | None, size: int, count: int = 2000) -> tuple[Tensor, Tensor]:
    """Images (n, 3, size, size) in [-1, 1] and their classes (n); all of a folder, or `count` that are drawn."""
    return _drawn(size, count) if folder is None else _read(folder, size)


def _drawn(size: int, count: int) -> tuple[Tensor, Tensor]:
    """Discs, squares, stripes and rings, of any colour on any other, at any place: four classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (count,), generator=generator)
    place = (0.3 + 0.4 * torch.rand(count, 2, 1, 1, generator=generator)) * size
    ground, colour = 1.6 * torch.rand(2, count, 3, 1, 1, generator=generator) - 0.8
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    y, x = row - place[:, :1], column - place[:, 1:]  # (n, 1, size, size) each
    away = (y.square() + x.square()).sqrt()
    shapes = [
        away - size / 4,
        torch.maximum(y.abs(), x.abs()) - size / 5,
        torch.sin(8 * y / size) * 2,
        (away - size / 4).abs() - 1.5,
    ]
    edge = torch.stack(shapes)[labels, torch.arange(count)]  # below 0 inside
    return torch.lerp(ground, colour, torch.sigmoid(-2 * edge)), labels


def _read(folder: Path, size: int) -> tuple[Tensor, Tensor]:
    from torchvision import datasets, transforms

    steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor()]
    images, labels = zip(*datasets.ImageFolder(folder, transforms.Compose(steps)), strict=True)
    return 2 * torch.stack(images) - 1, torch.tensor(labels)


def save(images: Tensor, path: Path, columns: int = 8) -> None:
    """Writes images in [-1, 1] as one picture."""
    from PIL import Image

    rows = [torch.cat(list(row), dim=2) for row in images.clamp(-1, 1).split(columns) if len(row) == columns]
    whole = ((torch.cat(rows, dim=1) + 1) * 127.5).round().to(torch.uint8)
    Image.fromarray(whole.permute(1, 2, 0).cpu().numpy()).save(path)


def features(images: Tensor) -> Tensor:
    """The pixels of images of 4 x 4: what the examples compare distributions by. Real work takes a network's features."""
    return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
