"""How much the tests of damage do, and the seed that repeats them.

The one place that reads `NORTHSTAR_TORTURE` (`full`, which `make torture` sets, or anything else
for the short form that `make test` runs) and `NORTHSTAR_TORTURE_SEED`.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

SWITCH = "NORTHSTAR_TORTURE"
SEED = "NORTHSTAR_TORTURE_SEED"


@dataclass(frozen=True)
class Measure:
    """How often everything is done.

    Attributes:
        is_full: whether this is the full measure.
        kills: how often a run is killed.
        files: how many mutated files are loaded.
        publications: how many publications readers live through.
        seed: of all that is random; printed with every failure.
    """

    is_full: bool
    kills: int
    files: int
    publications: int
    seed: int

    def chance(self, name: str) -> random.Random:
        """A stream of random numbers of its own for every name, repeated by the seed."""
        return random.Random(f"{self.seed} {name}")


def read_measure(environment: Mapping[str, str] = os.environ) -> Measure:
    """The measure that the environment asks for; without a seed every process draws its own."""
    is_full = environment.get(SWITCH) == "full"
    seed = int(environment[SEED]) if environment.get(SEED) else secrets.randbelow(2**31)
    if is_full:
        return Measure(True, kills=100, files=10_000, publications=50, seed=seed)
    return Measure(False, kills=5, files=200, publications=5, seed=seed)


MEASURE = read_measure()
