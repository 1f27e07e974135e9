"""What every study takes before it runs: hours, memory, disk, money.

asymflow cost
asymflow cost --configfile workflow/scales/gpu.yaml --config cost='{devices: 8, price: 2.5}'

Lets Snakemake make <results>/cost.csv, and prints it. Prices and devices are in the section `cost` of the configuration.
"""

import argparse
import csv

from asymflow.commands import snakemake
from asymflow.commands.table import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    snakemake.add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    target = f"{snakemake.experiment(arguments).results}/cost.csv"
    if code := snakemake.make(arguments, target):
        return code
    with open(snakemake.project(arguments) / target, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    print(table([{name: _short(value) for name, value in row.items() if name != "checksum"} for row in rows]))
    return 0


def _short(value: str) -> str:
    """A number to three digits; anything else as it is."""
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"
