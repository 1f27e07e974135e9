"""Files on servers and in object storage (http, https, s3), whole or in pieces, through fsspec.

What cannot be had is asked for again after pauses, unless the server says that it will not give it. Credentials and endpoints
come from where the tools of each storage look for them (for s3: ~/.aws, AWS_PROFILE, AWS_ENDPOINT_URL, FSSPEC_S3_ANON=true for
public buckets), never from the configuration.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import IOBase
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from asymflow.config.data import SCHEME
from asymflow.files import writing

PAUSES = (1.0, 4.0, 16.0)  # seconds before something is asked for again
TIMEOUT = 60.0  # seconds without a byte
BLOCK = 1 << 22  # bytes that are read at once where a file is read in order

BACKENDS = (
    "fsspec",
    "aiohttp",
    "s3fs",
    "aiobotocore",
    "botocore",
)  # libraries whose errors are not all errors of the system

Result = TypeVar("Result")


class UnreachableError(ValueError):
    """A remote file, or a part of one, cannot be had; the message says which, from where, and why."""


def is_remote(location: str) -> bool:
    """Whether it is a URL; those of local files have become paths before."""
    return SCHEME.match(location) is not None


def short_name(location: str, depth: int = 1) -> str:
    """The last parts of a file's path, as a rule its own name alone; never a query, which may hold a password."""
    return "/".join(Path(urlsplit(location).path if is_remote(location) else location).parts[-depth:])


def gives_parts(location: str) -> bool:
    """Whether any part of the file can be read without the rest. Raises UnreachableError when there is no such file."""

    def probe(files: Any, path: str) -> bool:
        with files.open(path, "rb", block_size=BLOCK, cache_type="none") as file:
            try:
                file.seek(1)
                return len(file.read(1)) == 1
            except ValueError:  # the server sends the whole file, or does not say how long it is
                return False

    return _persistent(location, probe)


def part(location: str, offset: int, size: int) -> bytes:
    """So many bytes of the file from a position on. Raises UnreachableError when they cannot be had."""

    def read(files: Any, path: str) -> bytes:
        content = files.cat_file(path, start=offset, end=offset + size)
        if len(content) != size:
            raise OSError(f"{len(content)} bytes came instead of {size}")
        return content

    return _persistent(location, read) if size else b""


def in_order(location: str, use: Callable[[IOBase], Result]) -> Result:
    """What `use` makes of the open file, which it reads from its beginning on; after a failure it begins anew.

    A block or two of the file are in memory at a time, and nothing is on the disk.
    """

    def read(files: Any, path: str) -> Result:
        with files.open(path, "rb", block_size=BLOCK, cache_type="readahead") as file:
            return use(file)

    return _persistent(location, read)


def copy(location: str, target: Path) -> None:
    """Fetches the file, which appears whole or not at all. Raises UnreachableError when it cannot be had."""
    with writing(target) as file:
        for block in _blocks(location):
            file.write(block)


def _blocks(location: str) -> Iterator[bytes]:
    """The file block by block; after a failure from where it was."""
    done, block_size = 0, BLOCK if gives_parts(location) else 0  # 0: fsspec gives a stream that cannot be sought in
    with _explained(location):
        files, path = _files(location)
        for pause in (*PAUSES, None):
            try:
                with files.open(path, "rb", block_size=block_size) as stream:
                    skipped = 0
                    while skipped < done and (known := stream.read(min(BLOCK, done - skipped))):
                        skipped += len(known)
                    while block := stream.read(BLOCK):
                        done += len(block)
                        yield block
                return
            except Exception as error:
                if pause is None or _is_final(error):
                    raise
                time.sleep(pause)


def _persistent(location: str, use: Callable[[Any, str], Result]) -> Result:
    """What `use` gives for the storage and the path there."""
    with _explained(location):
        files, path = _files(location)
        for pause in PAUSES:
            try:
                return use(files, path)
            except Exception as error:
                if _is_final(error):
                    raise
            time.sleep(pause)
        return use(files, path)


def _files(location: str) -> tuple[Any, str]:
    """fsspec's view of the storage, the same for all calls, and the path there."""
    from fsspec.core import (
        url_to_fs,
    )  # here, as it and what it loads take longer than many a stage without remote files

    if not location.lower().startswith("http"):
        return url_to_fs(location)
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)
    return url_to_fs(location, client_kwargs={"timeout": timeout})


def _is_final(error: Exception) -> bool:
    """Whether to ask again is of no use: the server refuses, or the error is not of the transport."""
    error = _behind(error)
    refused = isinstance(error, FileNotFoundError | PermissionError) or 400 <= getattr(error, "status", 0) < 500
    return refused or not _is_of_transport(error)


def _is_of_transport(error: BaseException) -> bool:
    return isinstance(error, OSError) or _library(error) in BACKENDS


def _library(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _behind(error: BaseException) -> BaseException:
    """What happened, where fsspec calls each failure of HTTP a missing file."""
    cause = error.__cause__
    hidden = isinstance(error, FileNotFoundError) and cause is not None and _library(cause) == "aiohttp"
    return cause if hidden and getattr(cause, "status", 0) not in (404, 410) else error


@contextmanager
def _explained(location: str) -> Iterator[None]:
    name = short_name(location)
    try:
        yield
    except ImportError as error:
        remedy = "`pip install '.[s3]'` in a clone of asymflow brings what is missing"
        raise UnreachableError(f"{name} cannot be read: {error}; {remedy}") from error
    except Exception as error:
        if not _is_of_transport(error):
            raise
        where = urlsplit(location).hostname
        raise UnreachableError(f"{name} cannot be read from {where}: {_in_words(_behind(error), location)}") from error


def _in_words(error: BaseException, location: str) -> str:
    """What went wrong, without the URL, which may hold a password."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if status := getattr(error, "status", 0):
        return f"the server answers {status} {getattr(error, 'message', '')}".rstrip()
    return str(error).replace(location, short_name(location)) or type(error).__name__
