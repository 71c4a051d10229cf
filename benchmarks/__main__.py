"""Runs the benchmarks: `make bench`, or `make bench ONLY=days ARGS="--sizes 500000 5000000"`.

An area is a module of this folder with a function `figures(arguments)`, which parses its own
options, measures, and returns what it found. `python -m benchmarks days --help` tells the options
of one.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import cast

from benchmarks.report import Figure, report, show

AREAS = ("loading", "retention", "funnel", "outcomes", "days", "build", "readers", "startup")

Measure = Callable[[Sequence[str]], list[Figure]]


def main(arguments: Sequence[str]) -> int:
    """Measure the areas that are named, or all; returns 1 if a figure is not as wanted."""
    areas = list(takewhile(lambda each: not each.startswith("-"), arguments))
    options = arguments[len(areas) :]
    unknown = sorted(set(areas) - set(AREAS))
    if unknown or (options and len(areas) != 1):
        print(__doc__, f"Areas: {', '.join(AREAS)}. Options go to one area.", sep="\n")
        return 2
    found: list[Figure] = []
    for area in areas or AREAS:
        print(f"\n{area}", flush=True)
        measure = cast(Measure, importlib.import_module(f"benchmarks.{area}").figures)
        figures = measure(options)
        report(figures)  # at once: a later area may be stopped
        found += figures
    show(found)
    return int(any(each.verdict == "no" for each in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
