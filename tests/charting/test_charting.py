"""Plots are drawn without a browser, and are small enough to be kept with every run."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any
from xml.etree import ElementTree

import altair as alt
import pytest

from orchestration.charting import as_markdown, counted_outcomes, inline, render
from orchestration.charting.outcomes import running_totals
from orchestration.errors import ChartingError


def _row(month: date, segment: str, outcomes: int, goal: int | None) -> dict[str, Any]:
    return {
        "month": month,
        "segment": segment,
        "outcomes": outcomes,
        "goal_low": goal,
        "goal_high": goal,
    }


ROWS = [
    _row(date(year, month, 1), segment, month, 500_000 if year > 2024 else None)
    for year in (2024, 2025, 2026)
    for month in range(1, 13)
    for segment in ("free", "SPARK", "degree")
]


def test_outcomes_are_drawn_with_the_goal_and_carry_their_own_bytes() -> None:
    drawn = counted_outcomes(ROWS)

    texts = {element.text for element in ElementTree.fromstring(drawn).iter() if element.text}
    assert {"free", "SPARK", "degree", "1,000,000"} <= texts
    markdown = as_markdown(drawn, "Outcomes [by month]")
    head, _, encoded = markdown.partition(";base64,")
    assert head == "![Outcomes (by month)](data:image/svg+xml"
    assert base64.b64decode(encoded.removesuffix(")")) == drawn


def test_a_running_total_begins_anew_each_january_and_keeps_its_years_goal() -> None:
    rows = [
        _row(date(2024, 11, 1), "free", 2, None),
        _row(date(2024, 11, 1), "SPARK", 3, None),
        _row(date(2024, 12, 1), "free", 4, None),
        _row(date(2025, 2, 1), "free", 1, 500_000),
    ]

    assert [
        (total["month"], total["so_far"], total["goal_low"]) for total in running_totals(rows)
    ] == [
        (date(2024, 11, 1), 5, None),
        (date(2024, 12, 1), 9, None),
        (date(2025, 2, 1), 1, 500_000),
    ]


def test_a_drawing_that_is_too_large_is_refused() -> None:
    points = [{"x": number, "y": number % 7} for number in range(2_000)]
    chart = alt.Chart(inline(points)).mark_point().encode(x="x:Q", y="y:Q")

    with pytest.raises(ChartingError, match="Draw fewer points"):
        render(chart)
