"""Files of weights that others made: safetensors, or torch's own format with nothing but tensors and plain values in it.

Torch's format is a pickle, which can run anything. It is read by torch's restricted reader alone; the one class that it may name
beside tensors is argparse's Namespace, a bag of values, in which training scripts like to keep their options.
"""

import argparse
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

SUFFIXES = (".pth", ".pt", ".ckpt", ".bin")


def read(path: Path) -> dict[str, Any]:
    """What a file holds: tensors by name, or nested dictionaries of them.

    Raises ValueError when it is no such file, is damaged, or names classes that it has no business naming, and OSError when it
    cannot be opened.
    """
    open(path, "rb").close()  # an error of the system says more than those of the readers
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is no whole safetensors file ({error}); fetch it again") from error
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} ends in {path.suffix!r}; expected .safetensors, or {', '.join(SUFFIXES)} of torch")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} names more than tensors and plain values, and is not loaded: a pickle can run anything"
            f" ({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, EOFError, KeyError, OSError, ValueError) as error:
        raise ValueError(
            f"{path} is no whole file of torch.save ({(str(error) or 'empty').splitlines()[0]}); fetch it again"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}; expected tensors by name")
    return content


def part(content: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    """What lies under a key. Raises ValueError when nothing does."""
    if not isinstance(content.get(key), dict):
        raise ValueError(f"{path} has no {key!r}; it has {', '.join(sorted(map(str, content))) or 'nothing'}")
    return content[key]


def only_tensors(content: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """The same, where all of it is tensors; numbers of half precision are widened to float32.

    Raises ValueError when something else is among them, or a number is not finite.
    """
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{path} holds {type(value).__name__} under {name!r}; expected a tensor")
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f"{path} holds numbers under {name!r} that are not finite; fetch it again")
    return {name: value.float() if value.is_floating_point() else value for name, value in content.items()}


def below(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Those whose name begins with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
