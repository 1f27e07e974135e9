"""Whether what is used together was made from the same data, and with the same weights."""

from pathlib import Path

from asymflow import tensors
from asymflow.tensors import Kind


def check(path: Path | str, made_from: str, other: Path | str, data: str) -> None:
    """Raises ValueError unless the file `path`, made from one data set, and the file `other`, of another, mean the same one.

    The empty name is that of a set which others trained on, of which nothing is known here: it may meet any.
    """
    if made_from and data and made_from != data:
        raise ValueError(
            f"{path} was made from other images (data set {made_from[:8]}) than {other} ({data[:8]}); delete {path} and give the"
            " same command again"
        )


def check_file(path: Path | str, kind: Kind, other: Path | str, data: str) -> None:
    """The same for a file of tensors, which says itself what it was made from; a published model says nothing."""
    if Path(path).suffix == ".safetensors":
        check(path, tensors.describe(path, kind)["data"], other, data)


def check_weights(path: Path, made_from: str, other: Path, checksum: str) -> None:
    """Raises ValueError unless what the file `path` tells of was made with the weights of this checksum, those of `other`."""
    if made_from != checksum:
        raise ValueError(f"{path} is of other weights than {other}; delete it and give the same command again")
