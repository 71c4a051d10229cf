"""`python -m orchestration.demo`: write demo exports into the landing folder of the settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date

from orchestration.demo.writing import (
    DEFAULT_END,
    DEFAULT_LEARNERS,
    DEFAULT_MONTHS,
    DEFAULT_SEED,
    write_demo,
)
from orchestration.errors import NorthstarError
from orchestration.secret import refuse_demo
from orchestration.settings import read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = read_settings()
        refuse_demo(settings)
        truth = write_demo(
            settings.landing,
            learners=options.learners,
            months=options.months,
            seed=options.seed,
            end=options.end,
        )
    except NorthstarError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"Wrote demo exports of {truth.learners:,} learners, {truth.first_day} to "
        f"{truth.last_day}, with {truth.events.distinct:,} events, to {settings.landing}."
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.demo",
        description="Write demo exports of an invented school into the (empty) landing folder. "
        "The same options give the same bytes.",
    )
    parser.add_argument(
        "--learners",
        type=int,
        default=DEFAULT_LEARNERS,
        help="people with an account (%(default)s)",
    )
    parser.add_argument(
        "--months", type=int, default=DEFAULT_MONTHS, help="months of history (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="another seed, other people (%(default)s)"
    )
    parser.add_argument(
        "--end",
        type=date.fromisoformat,
        default=DEFAULT_END,
        metavar="YYYY-MM-DD",
        help="last day of the history (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
