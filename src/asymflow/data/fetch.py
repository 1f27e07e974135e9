"""Tar files by path, pattern or URL, each as an uncompressed file that can be read at any position."""

import errno
import glob
import gzip
import urllib.request
import zlib
from io import BufferedIOBase
from pathlib import Path
from urllib.parse import urlsplit

from braceexpand import UnbalancedBracesError, braceexpand

from asymflow.config.data import READABLE_SCHEMES, SCHEME
from asymflow.data.remote import copy, gives_parts, is_remote, part, short_name
from asymflow.files import atomic

GZIP = b"\x1f\x8b"
SWELLING, ROOM = 100, 1 << 26  # how many times its own size, and bytes beside, an archive may have when it is unpacked
OWN_DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EFBIG,
    errno.EIO,
)  # errors that no other file can mend


def expand(pattern: str) -> list[str]:
    """The paths and URLs that a pattern stands for, in order: braces everywhere, wildcards in local paths.

    Raises ValueError for a pattern that names nothing and for schemes other than those of READABLE_SCHEMES: "pipe:" would
    run a command.
    """
    if Path(pattern).is_file():  # its name may have braces of its own
        return [pattern]
    try:
        names = list(braceexpand(pattern))
    except UnbalancedBracesError as error:
        raise ValueError(f"data.path {pattern!r} has a brace without its partner") from error
    paths = [path for name in names for path in _matches(name)]
    return list(dict.fromkeys(paths))  # a file that two alternatives name is read once


def _matches(name: str) -> list[str]:
    scheme = SCHEME.match(name)
    if scheme and scheme[1].lower() not in READABLE_SCHEMES:
        raise ValueError(
            f"data.path {name!r} has the scheme {scheme[1]!r}; expected a local path or one of {', '.join(READABLE_SCHEMES)}"
        )
    if scheme and scheme[1].lower() != "file":
        return [name]
    path = urllib.request.url2pathname(urlsplit(name).path) if scheme else name
    files = [path] if Path(path).is_file() else sorted(glob.glob(path, recursive=True))
    if not files:
        raise ValueError(f"data.path: there is no file {path!r} (looked in {Path.cwd()})")
    return files


def local(location: str, folder: Path, number: int, *, whole: bool) -> str:
    """Where the tar file can be read at any position.

    A local one is itself, a remote one its URL, where the server gives parts of files. A copy in `folder` stands for one that is
    compressed with gzip, for one whose server does not, and with `whole` for each remote one. Raises ValueError when it cannot be
    had whole.
    """
    if not is_remote(location):
        is_gzip, tar = _is_gzip(Path(location)), Path(location)
    elif not whole and gives_parts(location) and part(location, 0, len(GZIP)) != GZIP:
        return location
    else:
        tar = folder / f"{number:06d}.tar"
        copy(location, tar)
        is_gzip = _is_gzip(tar)
    return str(_unpacked(tar, folder / f"{number:06d}.unpacked.tar", short_name(location)) if is_gzip else tar)


def _unpacked(tar: Path, target: Path, name: str) -> Path:
    try:
        with gzip.open(tar) as stream, atomic(target) as temporary:
            _copy(stream, temporary, SWELLING * tar.stat().st_size + ROOM)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in OWN_DISK:
            raise
        raise ValueError(f"{name} is not a complete gzip file: {error}") from error
    return target


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == GZIP


def _copy(stream: BufferedIOBase, target: Path, most: int) -> None:
    """Copies a stream into a file. Raises ValueError when there is more than `most` bytes of it."""
    copied = 0
    with open(target, "wb") as file:
        while block := stream.read(1 << 20):
            copied += len(block)
            if copied > most:
                raise ValueError(
                    f"an archive unpacks to over {SWELLING} times its size, as images do not; unpack it by hand if it is meant"
                )
            file.write(block)
