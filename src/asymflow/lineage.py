"""Whether what is used together was made from the same data."""

from pathlib import Path


def check(path: Path | str, made_from: str, other: Path | str, data: str) -> None:
    """Raises ValueError unless the file `path`, made from one data set, and the file `other`, of another, mean the same one."""
    if made_from != data:
        raise ValueError(
            f"{path} was made from other images (data set {made_from[:8]}) than {other} ({data[:8]}); delete {path} and give the"
            " same command again"
        )
