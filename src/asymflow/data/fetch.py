"""Tar files by path, pattern or URL, each as a local, uncompressed file that can be read at any position."""

import errno
import glob
import gzip
import time
import urllib.error
import urllib.request
import zlib
from http.client import HTTPException
from io import BufferedIOBase
from pathlib import Path
from urllib.parse import urlsplit

from braceexpand import UnbalancedBracesError, braceexpand

from asymflow.config.data import READABLE_SCHEMES, SCHEME
from asymflow.files import atomic

PAUSES = (1.0, 4.0, 16.0)  # seconds before a failed download is tried again
TIMEOUT = 60.0  # seconds without a byte
GZIP = b"\x1f\x8b"
SWELLING, ROOM = 100, 1 << 26  # how many times its own size, and bytes beside, an archive may have when it is unpacked
OWN_DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EFBIG,
    errno.EIO,
)  # errors that no server can mend


def expand(pattern: str) -> list[str]:
    """The paths and URLs that a pattern stands for, in order: braces everywhere, wildcards in local paths.

    Raises ValueError for a pattern that names nothing and for schemes other than file, http and https: "pipe:" would
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
        raise ValueError(f"data.path {name!r} has the scheme {scheme[1]!r}; expected a local path, file, http or https")
    if scheme and scheme[1].lower() != "file":
        return [name]
    path = urllib.request.url2pathname(urlsplit(name).path) if scheme else name
    files = [path] if Path(path).is_file() else sorted(glob.glob(path, recursive=True))
    if not files:
        raise ValueError(f"data.path: there is no file {path!r} (looked in {Path.cwd()})")
    return files


def short_name(location: str) -> str:
    """The file's own name: without its folder, and without a query, which may hold a password."""
    return Path(urlsplit(location).path if SCHEME.match(location) else location).name


def local(location: str, folder: Path, number: int) -> Path:
    """The tar file as a local one: itself, or a copy in `folder` when it is remote or compressed with gzip.

    Raises ValueError when it cannot be fetched whole.
    """
    tar = Path(location)
    if SCHEME.match(location):
        tar = folder / f"{number:06d}.tar"
        _download(location, tar)
    if not _is_gzip(tar):
        return tar
    unpacked = folder / f"{number:06d}.unpacked.tar"
    try:
        with gzip.open(tar) as stream, atomic(unpacked) as temporary:
            _copy(stream, temporary, SWELLING * tar.stat().st_size + ROOM)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in OWN_DISK:
            raise
        raise ValueError(f"{short_name(location)} is not a complete gzip file: {error}") from error
    return unpacked


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == GZIP


def _download(url: str, target: Path) -> None:
    """Fetches a file, again after each pause if that fails, unless the server says that it will not give it."""
    for pause in (*PAUSES, None):
        try:
            return _attempt(url, target)
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in OWN_DISK:
                raise
            refused = isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500
            if refused or pause is None:
                host = urlsplit(url).hostname
                raise ValueError(f"{short_name(url)} cannot be fetched from {host}: {error}") from error
            time.sleep(pause)


def _attempt(url: str, target: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response, atomic(target) as temporary:
        _copy(response, temporary)
        if response.length:  # bytes that the server announced and did not send, which Python does not mind
            raise OSError(f"the connection closed {response.length} bytes too early")


def _copy(stream: BufferedIOBase, target: Path, most: int | None = None) -> None:
    """Copies a stream into a file. Raises ValueError when there is more than `most` bytes of it."""
    copied = 0
    with open(target, "wb") as file:
        while block := stream.read(1 << 20):
            copied += len(block)
            if most is not None and copied > most:
                raise ValueError(
                    f"an archive unpacks to over {SWELLING} times its size, as images do not; unpack it by hand if it is meant"
                )
            file.write(block)
