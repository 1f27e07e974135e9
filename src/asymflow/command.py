"""How a stage ends when something stops it: in one sentence, which file, what happened, what to do."""

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from asymflow.files import explained

PACKAGE = Path(__file__).parent
OUT_OF_MEMORY = (
    "the memory is full; close other programs, ask the cluster for more (mem_mb), or lower the batch (training.batch,"
    " training.micro_batch, sampling's batch), then give the same command again"
)


def long_arguments(description: str) -> argparse.ArgumentParser:
    """A parser for a stage that is told of a whole study: an argument @FILE stands for the line that the file holds.

    Linux passes no argument of more than 128 KiB, which a study of a hundred arms exceeds.
    """
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, fromfile_prefix_chars="@"
    )


def run(main: Callable[[], None]) -> None:
    """Runs a stage. What it says of its input or of the system ends the process in one sentence, without a traceback.

    A ValueError of a library comes with its traceback: nobody has written it for the one who reads it here.
    """
    try:
        main()
    except FloatingPointError as error:
        sys.exit(f"error: {error}")
    except ValueError as error:
        if not _is_ours(error):
            traceback.print_exc()
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {explained(error)}")
    except MemoryError:
        sys.exit(f"error: {OUT_OF_MEMORY}")
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError" and "can't allocate memory" not in str(error):
            raise
        sys.exit(f"error: {OUT_OF_MEMORY} ({str(error).splitlines()[0]})")


def _is_ours(error: BaseException) -> bool:
    """Whether a line of this package raised the error."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).is_relative_to(PACKAGE)
