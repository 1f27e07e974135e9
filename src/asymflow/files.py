"""Writing: how a result appears, whole or not at all, and how two writers of the same keep out of each other's way.

    with atomic(path) as temporary: ...      a file by a writer that wants a path
    with writing(path) as file: ...          a file by one that wants an open file
    with folder(path) as temporary: ...      a folder of files
    with locked(path): ...                   alone with a file or folder, until the block or the process ends

What is unfinished is called `.NAME.partial` beside its place, and nothing reads such a name. It is moved into place after its
bytes have reached the disk (fsync), so that a power cut cannot leave an empty file that looks finished. A dead process leaves
its unfinished file behind; the next writer of the same result removes it.
"""

import errno
import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import xxhash

REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota is used up; free some space",
    errno.EFBIG: "the file would be larger than the system or a limit (ulimit -f) allows",
    errno.EIO: "the disk, or the network that it hangs on, reported an error; check it",
    errno.EROFS: "the disk is mounted read-only",
    errno.EACCES: "no permission; check its mode and its owner",
    errno.EPERM: "no permission; check its mode and its owner",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENAMETOOLONG: "its name is too long; choose a shorter results folder",
    errno.ENOENT: "it is not there",
    errno.EISDIR: "it is a folder; a file was expected",
    errno.ENOTDIR: "a part of its path is a file; a folder was expected",
    errno.ESTALE: "the network disk lost it",
    errno.ENOMEM: "the memory is full; close other programs, or ask the cluster for more (mem_mb)",
}
NO_LOCKS = (
    errno.ENOSYS,
    errno.ENOLCK,
    errno.EOPNOTSUPP,
)  # of file systems that have none, such as Lustre without flock
CHUNK = 1 << 22  # bytes read at once


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """A temporary path, which becomes `path` when the block ends well and is removed when it does not.

    The temporary name keeps the suffix, because some writers choose their format by it. Raises OSError, always with the name of
    the file, when it cannot be written.
    """
    path = Path(path)
    _make_folder(path.parent)
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    with locked(path):
        remove(temporary)  # of a process that died
        try:
            with _naming(path):
                yield temporary
                _flush(temporary)
                os.replace(temporary, path)
                _flush_folder(path.parent)
        finally:
            remove(temporary)


@contextmanager
def writing(path: Path | str) -> Iterator[BinaryIO]:
    """An open file, which becomes `path` when the block ends well."""
    with atomic(path) as temporary, open(temporary, "wb") as file:
        yield file


@contextmanager
def folder(path: Path | str) -> Iterator[Path]:
    """An empty temporary folder, which takes the place of the folder `path` when the block ends well."""
    path = Path(path)
    _make_folder(path.parent)
    temporary, old = (path.with_name(f".{path.name}.{state}") for state in ("partial", "replaced"))
    with locked(path):
        remove(temporary)
        with _naming(path):
            temporary.mkdir()
        try:
            with _naming(path):
                yield temporary
                for below, _, files in os.walk(temporary):
                    for name in files:
                        _flush(Path(below, name))
                    _flush_folder(Path(below))
                if path.exists():
                    remove(old)
                    os.replace(path, old)
                os.replace(temporary, path)
                _flush_folder(path.parent)
        finally:
            remove(temporary)
            remove(old)


@contextmanager
def locked(path: Path | str) -> Iterator[None]:
    """Nobody else is in a block with the same path meanwhile; says so on stderr while it waits.

    The lock dies with its process, however that ends. Its file, `.NAME.lock` beside the path, is removed by whoever held it last;
    one that a dead process left is harmless. Threads of one process do not keep each other out.
    """
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    _make_folder(lock.parent)
    handle = _acquire(lock, path)
    try:
        yield
    finally:
        if handle is not None:
            with _naming(lock):
                try:
                    lock.unlink(
                        missing_ok=True
                    )  # while it is held: who waits sees that it is gone, and takes a new one
                finally:
                    os.close(handle)


def _acquire(lock: Path, path: Path) -> int | None:
    """An open file that holds the lock; None where the file system has no locks."""
    said = False
    while True:
        with _naming(lock):
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not said:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                fcntl.flock(handle, fcntl.LOCK_EX)
        except BlockingIOError:
            holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "another process"
            print(f"waiting: {holder} is working on {path}; this goes on when that ends", file=sys.stderr, flush=True)
            os.close(handle)
            said = True
            continue
        except OSError as error:
            os.close(handle)
            lock.unlink(missing_ok=True)
            if error.errno not in NO_LOCKS:
                raise OSError(error.errno, error.strerror, str(lock)) from error
            return None
        with _naming(lock):
            if _is_still(handle, lock):
                os.truncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
                return handle
            os.close(handle)


def _is_still(handle: int, lock: Path) -> bool:
    """Whether the lock's name still means the file that is open: its last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(lock))
    except FileNotFoundError:
        return False


def kept(path: Path | str) -> Path:
    """Where a folder of unfinished work lies: where it is told, or below the folder that ASYMFLOW_STATE names.

    No rule declares such work, so no storage plugin carries it; a disk that outlives the job may be named there.
    """
    path = Path(path)
    return Path(os.environ.get("ASYMFLOW_STATE") or path.anchor, path.relative_to(path.anchor))


def tidy(*paths: Path | str) -> None:
    """Removes what a writer of these results left beside them when it was stopped just after it had put them into place."""
    for path in map(Path, paths):
        with locked(path):
            remove(path.with_name(f".{path.stem}.partial{path.suffix}"))


def checksum(path: Path | str) -> str:
    """The checksum of a file's bytes: XXH3 with 128 bits, in hexadecimal. It finds damage and mix-ups, not forgery."""
    hasher = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def explained(error: OSError) -> str:
    """One sentence: which file, what happened, what to do."""
    what = REMEDIES.get(error.errno or 0, error.strerror or str(error))
    name = error.filename2 or error.filename
    return f"{name}: {what}, then give the same command again" if name else f"{what}, then give the same command again"


def _make_folder(path: Path) -> None:
    with _naming(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the system say which file they are about, also those of a write or a flush, which do not by themselves."""
    try:
        yield
    except OSError as error:
        if not isinstance(error.filename, str) or Path(error.filename).name.startswith(f".{path.stem}.partial"):
            number = error.errno or _number_in(error)
            raise OSError(number, os.strerror(number) if number else str(error), str(path)) from error
        raise


def _number_in(error: OSError) -> int:
    """The number of an error whose library gives its text alone."""
    return next((number for number in REMEDIES if os.strerror(number) in str(error)), 0)


def _flush(path: Path) -> None:
    """Puts a file's bytes on the disk, readable for whom the umask lets: some writers keep their files to themselves."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(handle, 0o666 & ~_umask())
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(path: Path) -> None:
    """Puts the names in a folder on the disk, where the file system can do that."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    """What new files are not allowed; reading it means setting it for a moment."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def remove(path: Path) -> None:
    """Removes a file, or a folder with all in it, if it is there."""
    with _naming(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
