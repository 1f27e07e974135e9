"""The members of a tar file by position, with checks that it is whole."""

import tarfile
from io import BufferedIOBase
from pathlib import Path

import xxhash

BLOCK = tarfile.BLOCKSIZE


def members(tar: Path) -> list[tarfile.TarInfo]:
    """All members of an uncompressed tar file in order, with `offset_data` and `size`.

    Raises ValueError when the file is not a tar, is cut short, has a damaged header, or goes on behind its end mark.
    """
    try:
        with tarfile.open(tar, "r:") as archive:
            entries = archive.getmembers()
        _check_end(tar, entries)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"tar file {tar} is truncated or damaged ({error}); fetch or write it again") from error
    return entries


def read_at(file: BufferedIOBase, offset: int, size: int) -> bytes:
    """The bytes at a position of an open file."""
    file.seek(offset)
    return file.read(size)


def member_sum(content: bytes) -> int:
    """The checksum of a member's bytes, of 32 bits."""
    return xxhash.xxh32_intdigest(content)


def _check_end(tar: Path, entries: list[tarfile.TarInfo]) -> None:
    """Raises ReadError unless the last member is followed by zeros and nothing else.

    Python takes the first thing that is not a header for the end, so a tar cut between two members, one with a damaged
    header, and the second of two tars glued together would otherwise be lost without a word.
    """
    end = entries[-1].offset_data + -(-entries[-1].size // BLOCK) * BLOCK if entries else 0
    with open(tar, "rb") as file:
        if read_at(file, end, BLOCK) != bytes(BLOCK):
            raise tarfile.ReadError(f"after {len(entries)} members there is no end mark")
        while block := file.read(1 << 20):
            if block.strip(b"\0"):
                raise tarfile.ReadError(
                    f"there is more behind the end mark after {len(entries)} members, as of tars glued together"
                )
