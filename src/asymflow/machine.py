"""What this machine is good at, decided once for each process and logged: device, precision, compilation."""

import os
import resource
import shutil
import time
from dataclasses import dataclass
from typing import Literal

import torch

FASTER = 1.5  # bfloat16 has to beat float32 by so much to be worth its rounding
SIZE = 512  # side of the matrices that decide it: about what a small network multiplies


@dataclass(frozen=True)
class Machine:
    """The decisions."""

    device: torch.device
    precision: torch.dtype  # of the network's matrix products; everything around them is float32
    compiled: bool

    def __str__(self) -> str:
        name = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{torch.get_num_threads()} threads"
        )
        return f"{self.device} ({name}), {str(self.precision).removeprefix('torch.')}, {'compiled' if self.compiled else 'eager'}"


def choose(
    precision: Literal["auto", "bfloat16", "float32"], compiled: Literal["auto", "on", "off"], local_rank: int = 0
) -> Machine:
    """The best this machine can do, with `auto` replaced by what was found.

    A GPU is used when there is one; processes of one node take one each by their local rank.
    """
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
    if precision == "auto":
        precision = "bfloat16" if _bfloat16_is_faster(device) else "float32"
    use_compiler = compiled == "on" or (compiled == "auto" and _has_compiler(device))
    return Machine(device, getattr(torch, precision), use_compiler)


def torchrun() -> tuple[int, int, int]:
    """This process's rank, the number of processes, and its rank on this node, as torchrun says; a single process is 0 of 1."""
    return tuple(int(os.environ.get(name, d)) for name, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))


def peak_memory(device: torch.device) -> int:
    """Most memory that was taken so far, in bytes: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _bfloat16_is_faster(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return product_rate(torch.float32, SIZE, 0.05) * FASTER < product_rate(torch.bfloat16, SIZE, 0.05)


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


def _has_compiler(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.utils._triton.has_triton()
    return any(shutil.which(name) for name in ("c++", "g++", "clang++"))
