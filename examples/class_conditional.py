"""Class-conditional AsymFlow from scratch: a small transformer, ten minutes on a processor core, a picture in the end.

python examples/class_conditional.py --out samples.png
python examples/class_conditional.py --folder photos --size 64 --patch 8 --width 512 --updates 100000
"""

import argparse
from pathlib import Path

import pictures
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import asymflow as af


class Network(nn.Module):
    """Tokens, a time and a class in; tokens out. Class number `classes` stands for none."""

    def __init__(self, numbers: int, tokens: int, classes: int, width: int):
        super().__init__()
        self.embed, self.places = nn.Linear(numbers, width), nn.Parameter(0.02 * torch.randn(tokens, width))
        self.time = nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(classes + 1, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.blocks, self.out = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(width, numbers)

    def forward(self, x, t, y):
        told = self.time(t[:, None]) + self.label(y)
        return self.out(self.blocks(self.embed(x) + self.places + told[:, None]))


def main() -> None:
    options = arguments()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = pictures.load(options.folder, options.size)
    held_out, images, labels = images[:500], images[500:], labels[500:]
    classes = int(labels.max()) + 1
    subspace = af.fit_subspace(images, patch_size=options.patch, rank=options.rank)
    tokens = af.patchify(images, options.patch)
    network = Network(tokens.shape[2], tokens.shape[1], classes, options.width)
    model = af.AsymFlow(network, subspace).to(device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)

    seen = []  # losses since they were last printed
    for update in range(1, options.updates + 1):
        chosen = torch.randint(len(tokens), (options.batch,))
        shown = torch.where(torch.rand(options.batch) < 0.1, classes, labels[chosen])  # a tenth is told nothing
        loss = af.loss(model, tokens[chosen].to(device), {"y": shown.to(device)})
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(loss.item())
        average.update_parameters(model)
        if update % max(1, options.updates // 10) == 0:
            print(f"update {update}: loss {sum(seen) / len(seen):.4f}", flush=True)
            seen = []

    wanted = torch.arange(classes, device=device).repeat_interleave(-(-options.count // classes))[: options.count]
    told, nothing = {"y": wanted}, {"y": torch.full_like(wanted, classes)}
    noise = torch.randn(options.count, *tokens.shape[1:], device=device)
    drawn = af.draw(average.module.eval(), noise, told, nothing, scale=1.5, interval=(0.1, 0.9), steps=options.steps)
    side = options.size // options.patch
    samples = af.unpatchify(drawn, (side, side), options.patch).cpu()
    real, ours, none = (af.Moments.of(pictures.features(x)) for x in (held_out, samples, torch.randn_like(samples)))
    print(f"Frechet distance {af.frechet_distance(real, ours):.3f}, of noise {af.frechet_distance(real, none):.3f}")
    pictures.save(samples, options.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="images, one subfolder for each class; drawn here if left out")
    for name, default in {
        "size": 32,
        "patch": 8,
        "rank": 8,
        "width": 192,
        "updates": 2500,
        "batch": 64,
        "steps": 24,
        "count": 64,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("samples.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
