"""Small helpers over a seeded generator: everything in the demo is drawn through these."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


def stream(seed: int, topic: str) -> random.Random:
    """A generator of its own for one topic, so that a change in one leaves the others alone."""
    return random.Random(f"{seed}:{topic}")  # noqa: S311 - a simulation, not a secret


@dataclass(frozen=True)
class Lots(Generic[T]):
    """Things to draw, some more often than others."""

    things: tuple[T, ...]
    cumulative: tuple[float, ...]

    @classmethod
    def of(cls, weights: Mapping[T, float]) -> Lots[T]:
        """From thing to weight; weights need not add up to one."""
        return cls(tuple(weights), tuple(accumulate(weights.values())))

    def draw(self, rng: random.Random) -> T:
        """One of the things."""
        return rng.choices(self.things, cum_weights=self.cumulative)[0]


def some(share: float, at_least: int, total: int) -> int:
    """How many of `total`: a share of them, but a few even of a small demo, and never all."""
    return min(max(round(total * share), at_least), max(total - 1, 0))


def pick(rng: random.Random, things: Iterable[T], number: int) -> list[T]:
    """Different ones of the things, at most as many as there are."""
    pool = list(things)
    return rng.sample(pool, min(number, len(pool)))


def steps(rng: random.Random, mean: float) -> int:
    """A geometric number, 1 or more, with this mean."""
    count = 1
    while rng.random() > 1 / mean:
        count += 1
    return count


def uuid_text(rng: random.Random) -> str:
    """A random UUID (version 4)."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
