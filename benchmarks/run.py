"""Measures what the project claims about speed, each against this machine's own limit, in one run.

    python benchmarks/run.py                       # everything that this machine can do
    python benchmarks/run.py train sample          # some of it
    python benchmarks/run.py train --size H --image-size 256 --batch 64 --checkpoint    # the paper's network, on a GPU

Each benchmark prints one table. Shares are of the matrix-product peak measured at the start, in the same precision and on
the same number of threads; sharding and PCA are compared with reading and decoding the same images.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import scipy.linalg
import torch
from PIL import Image
from torch import Tensor

from asymflow.config.arm import Arm
from asymflow.config.data import Data
from asymflow.config.jit import JiT
from asymflow.config.representation import Representation
from asymflow.config.sampling import ClassifierFree, Sampling
from asymflow.config.subspace import Subspace
from asymflow.config.training import Training
from asymflow.data.reader import ShardReader
from asymflow.data.tars import member_sum
from asymflow.machine import Machine, choose
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.models.assemble import Beginning, assemble
from asymflow.models.condition import Shapes, example
from asymflow.models.cost import gflops, parameters
from asymflow.models.velocity import VelocityModel
from asymflow.sampling.asks.classes import balanced_labels
from asymflow.sampling.asks.request import shown
from asymflow.sampling.run import Run
from asymflow.sampling.sampler import noise, sample
from asymflow.stages.fit_subspace import fit
from asymflow.subspace.bases import random_basis
from asymflow.training.example import draw
from asymflow.training.objective import Objective
from asymflow.training.optimisers.muon import Muon

CLASSES = 1000
PEAK_SIDE = {"cpu": 1024, "cuda": 8192}


def main() -> None:
    arguments = _arguments()
    machine = choose(arguments.precision, arguments.compile)
    peak = product_rate(machine.precision, PEAK_SIDE[machine.device.type], 1.0, machine.device)
    print(f"machine: {machine}\nmatrix-product peak: {peak / 1e9:,.0f} GFLOP/s in {machine.precision}\n", flush=True)
    for name in arguments.what or BENCHMARKS:
        rows = BENCHMARKS[name](arguments, machine, peak)
        _print_table(name, rows)


def train(arguments: argparse.Namespace, machine: Machine, peak: float) -> list[dict]:
    """Updates of one network on random images: forward, backward, optimiser.

    Beside them the same network as public code runs it on a processor, eagerly in float32, and the products of its linear layers
    alone, which is what an update of these shapes costs at least.
    """
    _, model = _model(arguments, machine)
    # three times the forward pass: one forward, and two products of the same size for every one in the backward
    work = 3 * _forward(arguments, model)
    rows = [_throughput("train", arguments, model, _update_seconds(arguments, machine), work, peak, machine)]
    eager = Machine(machine.device, torch.float32, compiled=False)
    if machine != eager:
        limit = product_rate(torch.float32, PEAK_SIDE[machine.device.type], 1.0, machine.device)
        seconds = _update_seconds(arguments, eager)
        rows.append(_throughput("eager float32", arguments, model, seconds, work, limit, eager))
    products = _products(arguments, model, machine)
    operations = sum(2 * a.numel() * b.shape[1] for a, b in products) / arguments.batch
    seconds = _seconds(lambda: [a @ b for a, b in products], arguments.seconds, machine)
    rows.append(_throughput("products alone", arguments, model, seconds, operations, peak, machine))
    return rows


def _products(arguments: argparse.Namespace, model: VelocityModel, machine: Machine) -> list[tuple[Tensor, Tensor]]:
    """Operands of the three products of each linear layer that sees tokens: forward, gradient of input, gradient of weight."""
    seen: list[tuple[int, int, int]] = []  # rows for one image, inputs, outputs

    def look(layer: torch.nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((inputs[0].numel() // layer.in_features, layer.in_features, layer.out_features))

    hooks = [
        layer.register_forward_hook(look) for layer in model.network.modules() if isinstance(layer, torch.nn.Linear)
    ]
    _forward(arguments, model)
    for hook in hooks:
        hook.remove()
    made = partial(torch.randn, device=machine.device, dtype=machine.precision)
    pairs = []
    for rows, inputs, outputs in seen:
        n = arguments.batch * rows
        shapes = (n, inputs, outputs), (n, outputs, inputs), (inputs, n, outputs)
        pairs += [(made(a, b), made(b, c)) for a, b, c in shapes]
    return pairs


def _update_seconds(arguments: argparse.Namespace, machine: Machine) -> float:
    arm, model = _model(arguments, machine)
    model.train()
    optimiser = torch.optim.AdamW(model.network.parameters(), lr=1e-4, fused=True)
    objective = Objective(arm, model, {})
    if machine.compiled:
        model.network.compile()
    images = torch.randint(0, 256, (arguments.batch, 3, *(2 * [arguments.image_size])), dtype=torch.uint8)
    batch = {"images": images, "label": torch.zeros(arguments.batch, dtype=torch.long)}
    batch = {name: values.to(machine.device) for name, values in batch.items()}

    def update() -> None:
        objective(draw(batch, 0.0, arm=arm))["flow"].backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return _seconds(update, arguments.seconds, machine)


def muon(arguments: argparse.Namespace, machine: Machine, peak: float) -> list[dict]:
    """One step of Muon over all matrices of the network, in both precisions, and of torch's own, which has only bfloat16."""
    _, model = _model(arguments, machine)
    matrices = [p for p in model.network.parameters() if p.ndim == 2]
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    options = {"lr": 1e-4, "weight_decay": 0.0}
    ours = {
        f"asymflow, {str(precision).removeprefix('torch.')}": (
            Muon(matrices, precision=precision, **options),
            precision,
        )
        for precision in (torch.float32, torch.bfloat16)
    }
    theirs = torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", **options)
    # five iterations of a product of rows x columns x rows, one of rows x rows x rows, and one as the first
    work = sum(5 * 2 * (2 * min(p.shape) * p.numel() + min(p.shape) ** 3) for p in matrices)
    rows = []
    for what, (optimiser, precision) in {**ours, "torch, bfloat16": (theirs, torch.bfloat16)}.items():
        limit = product_rate(precision, PEAK_SIDE[machine.device.type], 1.0, machine.device)
        seconds = _seconds(optimiser.step, arguments.seconds, machine)
        rows.append({
            "what": f"{what}: {len(matrices)} matrices of {arguments.size}/{arguments.patch_size}",
            "ms": f"{seconds * 1e3:.1f}",
            "GFLOP/s": f"{work / seconds / 1e9:,.0f}",
            "peak in that precision": f"{limit / 1e9:,.0f}",
            "share of peak": f"{work / seconds / limit:.2f}",
        })  # fmt: skip
    return rows


def sampling(arguments: argparse.Namespace, machine: Machine, peak: float) -> list[dict]:
    """Drawing images with guidance everywhere: 2 x (2 N - 1) evaluations of the network for each image."""
    arm, model = _model(arguments, machine)
    settings = Sampling(steps=4, guidance=ClassifierFree(scale=2.0))
    if machine.compiled:
        model.network.compile()
    grid = (arguments.image_size // arguments.patch_size,) * 2
    classes = tuple(map(str, range(CLASSES)))
    shapes = Shapes(classes=CLASSES)
    run = Run(model.eval(), arm, machine, shapes, classes, arguments.image_size, grid, seed=0, images=0)
    start = noise(0, range(arguments.batch), run.shape).to(machine.device)
    labels = balanced_labels(range(arguments.batch), CLASSES)
    condition = shown(run, arguments.batch, label=labels).to(machine.device)

    def draw_batch() -> None:
        sample(run, start, condition, settings)

    work = 2 * (2 * settings.steps - 1) * _forward(arguments, model)
    return [
        _throughput("sample", arguments, model, _seconds(draw_batch, arguments.seconds, machine), work, peak, machine)
    ]


def data(arguments: argparse.Namespace, machine: Machine, peak: float) -> list[dict]:
    """Sharding a folder of images, and PCA over the shards, against only reading and decoding the same images."""
    count, size = 2_000, 64
    with tempfile.TemporaryDirectory() as folder:
        source, results = Path(folder, "images"), Path(folder, "results")
        _write_images(source, count, size)
        start = time.perf_counter()
        for path in source.rglob("*.png"):
            np.asarray(Image.open(path).convert("RGB"))
        decoding = count / (time.perf_counter() - start)
        config = Data(source="folder", path=str(source), image_size=size, train=count - 20, evaluator=10, heldout=10)
        start = time.perf_counter()
        _run(
            "shard",
            "--config",
            config.model_dump_json(),
            "--out-dir",
            str(results),
            "--processes",
            str(torch.get_num_threads()),
        )
        sharding = count / (time.perf_counter() - start)
        reader = ShardReader(results / "train.json")
        start = time.perf_counter()
        reader.images(list(range(len(reader))))
        reading = len(reader) / (time.perf_counter() - start)
        encoded = [path.read_bytes() for path in source.rglob("*.png")]
        start = time.perf_counter()
        for content in encoded:
            member_sum(content)
        checking = len(encoded) / (time.perf_counter() - start)
        start = time.perf_counter()
        fit("pca", reader, 16, "rgb", Subspace(images=len(reader)))
        fitting = len(reader) / (time.perf_counter() - start)
    rows = [
        ("decode the folder, one thread", decoding, decoding),
        ("shard, start of the process included", sharding, decoding),
    ]
    rows += [
        ("read, check and decode the shards, one thread", reading, reading),
        ("check them alone", checking, reading),
        ("PCA of the shards, eigenvectors included", fitting, reading),
    ]
    return [
        {"what": what, "images/s": f"{rate:,.0f}", "share of decoding": f"{rate / limit:.2f}"}
        for what, rate, limit in rows
    ]


def frechet(arguments: argparse.Namespace, machine: Machine, peak: float) -> list[dict]:
    """The Frechet distance at 2048 dimensions against scipy's matrix square root."""
    dimension, generator = 2048, torch.Generator().manual_seed(0)
    moments = []
    for shift in (0.0, 0.1):
        mixing = torch.randn(dimension, dimension, dtype=torch.float64, generator=generator) / dimension**0.5
        features = torch.randn(5_000, dimension, dtype=torch.float64, generator=generator) @ mixing + shift
        moments.append(Moments.of(features))
    start = time.perf_counter()
    ours = frechet_distance(*moments)
    our_seconds = time.perf_counter() - start
    start = time.perf_counter()
    theirs = _scipy_frechet(*moments)
    their_seconds = time.perf_counter() - start
    error, faster = f"{abs(ours / theirs - 1):.1e}", f"{their_seconds / our_seconds:.1f}"
    return [
        {"what": "asymflow", "seconds": f"{our_seconds:.2f}", "relative error": error, "times faster": faster},
        {"what": "scipy.linalg.sqrtm", "seconds": f"{their_seconds:.2f}", "relative error": "", "times faster": "1"},
    ]


def workflow(arguments: argparse.Namespace, machine: Machine, peak: float) -> list[dict]:
    """A dry run of all studies: the time that every call of snakemake pays before it does anything."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "snakemake", "-n", "--quiet"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return [{"what": "snakemake -n, all studies", "median seconds": f"{sorted(seconds)[1]:.2f}"}]


BENCHMARKS: dict[str, Callable[..., list[dict]]] = {
    "train": train,
    "muon": muon,
    "sample": sampling,
    "data": data,
    "frechet": frechet,
    "workflow": workflow,
}


def product_rate(dtype: torch.dtype, size: int, seconds: float, device: torch.device | str = "cpu") -> float:
    """Floating-point operations per second of square matrix products: the peak that throughput is measured against."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    synchronise = torch.cuda.synchronize if torch.device(device).type == "cuda" else (lambda: None)
    for _ in range(3):
        a @ b
    synchronise()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for _ in range(10):
            a @ b
        count += 10
        synchronise()
    return count * 2 * size**3 / (time.perf_counter() - start)


def _model(arguments: argparse.Namespace, machine: Machine) -> tuple[Arm, VelocityModel]:
    arm = Arm(
        representation=Representation(patch_size=arguments.patch_size),
        network=JiT(size=arguments.size),
        training=Training(activation_checkpointing=arguments.checkpoint),
    )
    A = random_basis(arm.representation.dimension, seed=0)[:, :8].float()
    grid = (arguments.image_size // arguments.patch_size,) * 2
    beginning = Beginning(subspace=A)
    model = assemble(arm, Shapes(classes=CLASSES), grid, beginning, seed=0, precision=machine.precision)
    return arm, model.to(machine.device)


def _forward(arguments: argparse.Namespace, model: VelocityModel) -> float:
    """Operations of one forward pass of one image."""
    grid = (arguments.image_size // arguments.patch_size,) * 2
    x = torch.zeros(1, grid[0] * grid[1], 3 * arguments.patch_size**2)
    return gflops(model.network, x, torch.zeros(1), example(Shapes(classes=CLASSES), grid)) * 1e9


def _seconds(work: Callable[[], None], seconds: float, machine: Machine) -> float:
    """The median time of one call, after a warm-up that compiles."""
    for _ in range(3):
        work()
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times) < 3:
        start = time.perf_counter()
        work()
        if machine.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def _throughput(what, arguments, model, seconds, work, peak, machine) -> dict:
    memory = torch.cuda.max_memory_allocated() >> 20 if machine.device.type == "cuda" else 0
    return {
        "what": f"{what} {arguments.size}/{arguments.patch_size}, {arguments.image_size} px, batch {arguments.batch}",
        "parameters": f"{parameters(model.network) / 1e6:.2f} M",
        "GFLOP/image": f"{work / 1e9:.3g}",
        "ms": f"{seconds * 1e3:.1f}",
        "images/s": f"{arguments.batch / seconds:,.1f}",
        "share of peak": f"{arguments.batch * work / seconds / peak:.2f}",
        "GPU memory": f"{memory} MiB" if memory else "",
    }


def _write_images(folder: Path, count: int, size: int) -> None:
    """Smooth pictures with a little noise, which compress about as photographs of their size do."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((size, size))
        Image.fromarray((np.asarray(coarse) // 2 + generator.integers(0, 16, (size, size, 3))).astype(np.uint8)).save(
            folder / f"{i:05d}.png"
        )


def _run(stage: str, *options: str) -> None:
    subprocess.run([sys.executable, "-m", f"asymflow.stages.{stage}", *options], check=True, capture_output=True)


def _scipy_frechet(a: Moments, b: Moments) -> float:
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy())
    trace = a.covariance.trace() + b.covariance.trace() - 2 * np.trace(root).real
    return float((a.mean - b.mean).square().sum() + trace)


def _print_table(name: str, rows: list[dict]) -> None:
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    print(name)
    for row in [{key: key for key in widths}, *rows]:
        print("  " + "  ".join(value.ljust(widths[key]) for key, value in row.items()))
    print(flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"{', '.join(BENCHMARKS)}; all if left out")
    parser.add_argument("--size", choices=("tiny", "B", "L", "H", "G"), default="tiny")
    parser.add_argument("--patch-size", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each throughput, after the warm-up")
    parser.add_argument("--precision", choices=("auto", "bfloat16", "float32"), default="auto")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--checkpoint", action="store_true", help="recompute activations, for networks that need it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
