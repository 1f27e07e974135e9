"""Packing records as PNG files, in this process or in several, in the order of the records either way."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import NamedTuple

from asymflow.config.data import Small
from asymflow.data.images import ImageError, Shape, crop, nearest, to_png, to_rgb
from asymflow.data.records import Picture, Record, Reject
from asymflow.data.remote import UnreachableError

CHUNK = 8  # images in one message to a process
AHEAD = 4  # chunks for each process that may be under way or waiting to be taken


class Form(NamedTuple):
    """What images become."""

    shapes: Sequence[Shape]  # each takes the nearest
    compression: int = 0  # zlib's level
    small: Small = "reject"  # what becomes of those that are smaller
    threads: int = 1  # images that each process opens at once, where opening is waiting for a server


def pack(picture: Picture, form: Form) -> bytes | str:
    """The image as a PNG file of RGB pixels in this form, or the reason why it cannot be one."""
    try:
        image = to_rgb(picture.open())
        return to_png(crop(image, nearest(image, form.shapes), form.small), form.compression)
    except ImageError as error:
        return str(error)
    except UnreachableError:  # says nothing about the image
        raise
    except (
        Exception
    ) as error:  # decoders meet hostile bytes with errors of nearly every type, and each must become a reject
        return f"cannot be decoded: {type(error).__name__}: {error}"


def pack_chunk(pictures: list[Picture], form: Form) -> list[bytes | str]:
    """What `pack` gives for each picture."""
    if form.threads == 1:
        return [pack(picture, form) for picture in pictures]
    with ThreadPoolExecutor(form.threads) as pool:
        return list(pool.map(partial(pack, form=form), pictures))


def packed(records: Sequence[Record], form: Form, *, processes: int) -> Iterator[tuple[Record, bytes | Reject]]:
    """Each record with its PNG file or its reject, in the given order.

    Several processes are started afresh ("spawn"), so a script that calls this needs `if __name__ == "__main__":`.
    """
    here = processes == 1 and form.threads == 1
    results = (pack(record.picture, form) for record in records) if here else _in_processes(records, form, processes)
    with closing(results):
        for record, result in zip(records, results, strict=True):
            yield record, Reject(record.source, result) if isinstance(result, str) else result


def _in_processes(records: Sequence[Record], form: Form, processes: int) -> Iterator[bytes | str]:
    remaining, waiting = iter(records), deque()
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        while True:
            while len(waiting) < AHEAD * processes and (chunk := list(islice(remaining, CHUNK))):
                pictures = [record.picture for record in chunk]
                waiting.append(pool.submit(pack_chunk, pictures, form))
            if not waiting:
                return
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:  # the system ends a process without a word when the memory is full
        raise MemoryError from error
    finally:
        pool.shutdown(cancel_futures=True)
