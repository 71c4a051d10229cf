"""Survival curves against lifelines."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lifelines import KaplanMeierFitter

from tests.dbt_project.harness import School

Spell = tuple[str, int, bool]


def random_spells(seed: int) -> list[Spell]:
    """Spells of three segments: many, few, and some that all end."""
    chance = random.Random(seed)
    return [
        (segment, chance.randrange(longest), chance.random() < share)
        for segment, number, longest, share in (
            ("many", 120, 15, 0.6),
            ("few", 7, 30, 0.3),
            ("all end", 20, 6, 1.0),
        )
        for _ in range(number)
    ]


def curves(spells: Sequence[Spell], min_at_risk: int) -> list[tuple[Any, ...]]:
    """The points of each segment's curve at whole months, by lifelines."""
    points: list[tuple[Any, ...]] = []
    by_segment = defaultdict(list)
    for segment, months, ended in spells:
        by_segment[segment].append((months, ended))
    for segment, seen in by_segment.items():
        durations = [months for months, _ in seen]
        fitted = KaplanMeierFitter().fit(
            durations, [ended for _, ended in seen], timeline=range(max(durations) + 1)
        )
        bounds = fitted.confidence_interval_survival_function_
        for month in range(max(durations) + 1):
            at_risk = sum(months >= month for months in durations)
            if at_risk < min_at_risk:
                continue
            survival = float(fitted.survival_function_at_times(month).iloc[0])
            low, high = (float(bound) for bound in bounds.loc[month])
            if survival in (0.0, 1.0):  # log-log has no interval there
                low = high = survival
            ends = seen.count((month, True)), seen.count((month, False))
            points.append((segment, month, at_risk, *ends, survival, low, high))
    return sorted(points)


def test_curves_and_intervals_are_those_of_lifelines(tmp_path: Path) -> None:
    school = School(tmp_path)
    cases = [(random_spells(seed), at_risk) for seed in (1, 2) for at_risk in (1, 5)]
    queries = []
    for spells, min_at_risk in cases:
        rows = ", ".join(f"('{segment}', {months}, {ended})" for segment, months, ended in spells)
        queries.append(
            f'{{{{ survival("(values {rows}) as spells (segment, months, ended)", "segment", '
            f'"months", "ended", min_at_risk={min_at_risk}) }}}}'
        )
    for (spells, min_at_risk), built in zip(cases, school.run_all(queries), strict=True):
        expected = curves(spells, min_at_risk)
        assert len(built) == len(expected) > 20
        for row, wanted in zip(sorted(built), expected, strict=True):
            assert row[:5] == wanted[:5]
            assert row[5:] == pytest.approx(wanted[5:], abs=1e-9), wanted
