"""The members of a tar file by position, with checks that it is whole."""

import tarfile
from collections.abc import Iterator
from io import IOBase

import xxhash

BLOCK = tarfile.BLOCKSIZE


def members(file: IOBase, name: str) -> Iterator[tarfile.TarInfo]:
    """The members of an uncompressed tar file in order, with `offset_data` and `size`; each may be read before the next.

    Raises ValueError when the file is not a tar, is cut short, has a damaged header, or goes on behind its end mark.
    """
    count, end = 0, 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                count, end = count + 1, member.offset_data + -(-member.size // BLOCK) * BLOCK
                yield member
        _check_end(file, end, count)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"tar file {name} is truncated or damaged ({error}); fetch or write it again") from error


def read_at(file: IOBase, offset: int, size: int) -> bytes:
    """The bytes at a position of an open file."""
    file.seek(offset)
    return file.read(size)


def member_sum(content: bytes) -> int:
    """The checksum of a member's bytes, of 32 bits."""
    return xxhash.xxh32_intdigest(content)


def _check_end(file: IOBase, end: int, count: int) -> None:
    """Raises ReadError unless the last member is followed by zeros and nothing else.

    Python takes the first thing that is not a header for the end, so a tar cut between two members, one with a damaged
    header, and the second of two tars glued together would otherwise be lost without a word.
    """
    if read_at(file, end, BLOCK) != bytes(BLOCK):
        raise tarfile.ReadError(f"after {count} members there is no end mark")
    while block := file.read(1 << 20):
        if block.strip(b"\0"):
            raise tarfile.ReadError(
                f"there is more behind the end mark after {count} members, as of tars glued together"
            )
