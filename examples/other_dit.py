"""AsymFlow in somebody else's network: the DiT of diffusers, unchanged, on images.

python examples/other_dit.py --updates 2000 --out samples.png
python examples/other_dit.py --folder photos --size 64 --patch 8 --heads 8 --layers 12 --updates 100000

The DiT cuts images into patches itself and counts a thousand steps, so it gets images and 1000 t. It hides a tenth of the classes
by itself in training; its class number `classes` stands for none.
"""

import argparse
from pathlib import Path

import pictures
import torch
from diffusers import DiTTransformer2DModel

import asymflow as af


def main() -> None:
    options = arguments()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = pictures.load(options.folder, options.size)
    classes = int(labels.max()) + 1
    dit = DiTTransformer2DModel(
        sample_size=options.size,
        patch_size=options.patch,
        in_channels=3,
        out_channels=3,
        num_attention_heads=options.heads,
        attention_head_dim=32,
        num_layers=options.layers,
        num_embeds_ada_norm=classes,
    )
    model = af.AsymFlow(
        dit, af.fit_subspace(images, patch_size=options.patch, rank=options.rank), time_factor=1000.0
    ).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    seen = []  # losses since they were last printed
    for update in range(1, options.updates + 1):
        chosen = torch.randint(len(images), (options.batch,))
        loss = af.loss(model, images[chosen].to(device), {"class_labels": labels[chosen].to(device)})
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(loss.item())
        if update % max(1, options.updates // 10) == 0:
            print(f"update {update}: loss {sum(seen) / len(seen):.4f}", flush=True)
            seen = []

    wanted = torch.arange(options.count, device=device) % classes
    told, nothing = {"class_labels": wanted}, {"class_labels": torch.full_like(wanted, classes)}
    noise = torch.randn(options.count, *images.shape[1:], device=device)
    samples = af.draw(model.eval(), noise, told, nothing, scale=1.5, interval=(0.1, 0.9), steps=options.steps).cpu()
    precision, recall = af.precision_recall(
        pictures.features(images[: options.count]), pictures.features(samples), neighbours=3
    )
    print(f"precision {precision:.2f}, recall {recall:.2f}")
    pictures.save(samples, options.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="images, one subfolder for each class; drawn here if left out")
    numbers = {
        "size": 32,
        "patch": 8,
        "rank": 8,
        "heads": 3,
        "layers": 4,
        "updates": 1500,
        "batch": 64,
        "steps": 24,
        "count": 64,
    }
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("samples.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
