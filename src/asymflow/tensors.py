"""Named tensors with a description, in one safetensors file that says what it is and is checked when it is read.

The description is one JSON text: safetensors keeps its metadata in a hash table, so several entries would be written in
another order each time, and the same result would not have the same bytes. It holds a checksum of every tensor, and one of
itself, which is thereby a checksum of the whole. Files are written here and not by the safetensors package, which they are read
with: its writer gives files to nobody but their owner, does not look at errors when it closes them, and would leave the
checksums a second pass over the disk.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from torch import Tensor

from asymflow.files import writing

FORMAT = 1
Kind = Literal[
    "rows", "subspace", "autoencoder", "evaluator", "perceptual network", "statistics", "validation suite", "checkpoint", "model",
    "export", "samples",
]  # fmt: skip
TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def save(path: Path | str, kind: Kind, tensors: dict[str, Tensor], description: dict[str, Any]) -> str:
    """Writes the file whole or not at all; the same content gives the same bytes. Gives its checksum."""
    # the widest types first, so that every tensor lies at a multiple of its own width
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    sums = {name: xxhash.xxh3_64_hexdigest(_bytes(tensors[name])) for name in names}
    whole = {**description, "kind": kind, "format": FORMAT, "checksums": sums}
    whole["checksum"] = _checksum(whole)
    with writing(path) as file:
        file.write(_header(names, tensors, whole))
        for name in names:
            file.write(_bytes(tensors[name]))
    return whole["checksum"]


def describe(path: Path | str, kind: Kind) -> dict[str, Any]:
    """The description of a file of this kind, with its checksum under `checksum`.

    Raises ValueError when it is damaged or cut, or a file of another kind or format, and OSError when it cannot be opened.
    """
    with _opened(path) as file:
        return _described(path, kind, file)


def load(path: Path | str, kind: Kind, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
    """The tensors whose names are wanted, each as it was written. Raises as `describe` does."""
    with _opened(path) as file:
        description = _described(path, kind, file)
        return dict(_checked(path, file, description, [name for name in description["checksums"] if wanted(name)]))


def _opened(path: Path | str):
    open(path, "rb").close()  # an error of the system says more than safetensors'
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error


def _described(path: Path | str, kind: Kind, file: Any) -> dict[str, Any]:
    try:
        description = json.loads((file.metadata() or {})["description"])
        actual, format_, names = description["kind"], description["format"], set(description["checksums"])
        whole = description.pop("checksum")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} does not say what it is, as files of this version do; delete it and give the same command again"
        ) from error
    if actual != kind:
        raise ValueError(f"{path} holds {actual!r}; expected {kind!r}: delete it and give the same command again")
    if format_ != FORMAT:
        raise ValueError(
            f"{path} has the format {format_!r}, which this version cannot read; it reads {FORMAT}: delete it and give the same"
            " command again"
        )
    if whole != _checksum(description) or names != set(file.keys()):
        raise _damaged(path, "its description does not fit its checksum")
    return description | {"checksum": whole}


def _checked(
    path: Path | str, file: Any, description: dict[str, Any], names: list[str]
) -> Iterator[tuple[str, Tensor]]:
    for name in names:
        tensor = file.get_tensor(name)
        if xxhash.xxh3_64_hexdigest(_bytes(tensor)) != description["checksums"][name]:
            raise _damaged(path, f"the tensor {name!r} does not fit its checksum")
        yield name, tensor


def _damaged(path: Path | str, how: str) -> ValueError:
    return ValueError(f"{path} is cut or damaged ({how}); delete it and give the same command again")


def _checksum(description: dict[str, Any]) -> str:
    rest = {key: value for key, value in description.items() if key != "checksum"}
    return xxhash.xxh3_128_hexdigest(json.dumps(rest, sort_keys=True).encode())


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy()).cast("B") if len(flat) else memoryview(b"")


def _header(names: list[str], tensors: dict[str, Tensor], description: dict[str, Any]) -> bytes:
    """The head of a safetensors file [its specification]: eight bytes of length, then JSON, padded to a multiple of eight."""
    header: dict[str, Any] = {"__metadata__": {"description": json.dumps(description, sort_keys=True)}}
    end = 0
    for name in names:
        start, end = end, end + tensors[name].numel() * tensors[name].element_size()
        header[name] = {
            "dtype": TYPES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
