"""What this machine is good at, decided once for each process and logged: device, precision, compilation."""

import os
import resource
import shutil
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch

from asymflow.lease import lease
from asymflow.processes import torchrun

# of processors that multiply bfloat16 matrices several times faster than float32 ones; without them it is many times slower
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


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


def choose(precision: Literal["auto", "bfloat16", "float32"], compiled: Literal["auto", "on", "off"]) -> Machine:
    """The best this machine can do, with `auto` replaced by the choice.

    Matrix products of float32 stay float32 (torch's default; TF32 has 10 bits): the recovery is one, and divides by t.
    """
    chosen = device()
    if precision == "auto":
        precision = "bfloat16" if _bfloat16_is_faster(chosen) else "float32"
    use_compiler = compiled == "on" or (compiled == "auto" and _has_compiler(chosen))
    return Machine(chosen, getattr(torch, precision), use_compiler)


def device() -> torch.device:
    """A GPU when there is one, the same in every call; else the processor.

    SLURM gives each job GPUs of its own; of these, processes that torchrun started take one each by their local rank. All others
    take one that no other process of this user, within the same job of SLURM, has (`lease`); where there is none left, they share
    one, and say so.
    Convolutions of float32 stay float32 from then on, which is not torch's default: those of the judges are measurements.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False
    torch.cuda.set_device(_place(torch.cuda.device_count()))
    return torch.device("cuda", torch.cuda.current_device())


@cache
def _place(count: int) -> int:
    _, _, local_rank = torchrun()
    if count == 1 or {"SLURM_JOB_ID", "LOCAL_RANK"} <= os.environ.keys():
        return local_rank
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    place = lease([name.strip() for name in visible.split(",")][:count])
    if place is None:
        print(f"each of the {count} GPUs has a process; sharing one", flush=True)
        return os.getpid() % count
    return place


def peak_memory(device: torch.device) -> int:
    """Peak memory use so far, in bytes: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _bfloat16_is_faster(device: torch.device) -> bool:
    """Whether it has instructions for it. Not measured: a busy machine would decide otherwise each time."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(torch.cpu.get_capabilities().get(name) for name in BFLOAT16_INSTRUCTIONS)


def _has_compiler(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.utils._triton.has_triton()
    return any(shutil.which(name) for name in ("c++", "g++", "clang++"))
