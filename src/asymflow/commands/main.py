"""The console command.

asymflow doctor                                    is everything there, and what will be slow?
asymflow cost --configfile my.yaml                 what will every study take?
asymflow status                                    what is done, what runs, what is to come?
asymflow sample results/runs/rank8/seed0           pictures from a trained run
asymflow export results/runs/rank8/seed0           a run as a folder that others load

`asymflow VERB --help` has the options and examples of each. What makes results is Snakemake: `snakemake results/rank_sweep.csv`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from asymflow.command import run
from asymflow.commands import cost, doctor, export, sample, status

VERBS = {"sample": sample, "status": status, "cost": cost, "export": export, "doctor": doctor}


def main() -> None:
    """Runs the verb that the command line names."""
    run(partial(_main, sys.argv[1:]))


def _main(words: list[str]) -> None:
    arguments = parser(words).parse_args(words)
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read what is printed has seen enough, as in `asymflow status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("asymflow"):
            raise
        sys.exit(
            f"error: {error.name} is not installed; `asymflow {arguments.verb}` needs the whole pipeline: in a clone,"
            " pip install '.[pipeline]'"
        )
    sys.exit(code)


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The command line, a subparser for each verb. Only those that are among the words get their options, which take a while to
    load."""
    made = argparse.ArgumentParser(
        prog="asymflow", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--version", action=_Version, nargs=0, help="the installed version")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        said = module.__doc__ or ""
        verb = verbs.add_parser(
            name,
            help=said.splitlines()[0].rstrip("."),
            description=said,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in words:
            module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return made


class _Version(argparse.Action):
    """Prints the version, looked up when it is asked for."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: object, option_string: str | None = None
    ) -> None:
        from asymflow.version import version

        print(f"asymflow {version()}")
        parser.exit()


if __name__ == "__main__":
    main()
