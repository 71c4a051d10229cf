"""Plots are drawn without a browser, and are small enough to be kept with every run."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any
from xml.etree import ElementTree

import altair as alt
import pytest

from orchestration.charting import (
    as_markdown,
    counted_outcomes,
    first_replies_by_month,
    inline,
    render,
    retention_triangle,
    survival_curves,
)
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


def test_first_replies_are_drawn_for_each_group_of_requesters() -> None:
    drawn = first_replies_by_month(
        [
            {
                "month": date(2024, month, 1),
                "requesters": requesters,
                "hours": hours + month,
                "promise": "kept" if month % 2 else "too_few",
            }
            for month in range(1, 13)
            for requesters, hours in (("premium", 2), ("free", 11), ("no account", 20))
        ]
    )

    texts = {element.text for element in ElementTree.fromstring(drawn).iter() if element.text}
    assert {"premium", "free", "no account", "hours"} <= texts


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


def test_a_triangle_shows_the_percentages_of_complete_cells_only() -> None:
    rows = [
        {
            "cohort": date(2024, 1, 1 + 7 * week),
            "interval_index": index,
            "cohort_size": 1_250,
            "retained": 1_250 // (1 + 3 * index),
            "is_complete": week + index < 3,
        }
        for week in range(4)
        for index in range(4 - week)
    ]

    texts = [element.text for element in ElementTree.fromstring(retention_triangle(rows)).iter()]
    assert {"2024-01-08 (1,250)", "cohort (learners)"} <= set(texts)
    assert texts.count("25") == 2  # the third cohort's next week is not over
    assert "14" in texts


def test_a_survival_curve_has_a_line_and_a_band_for_each_segment() -> None:
    rows = [
        {
            "segment": segment,
            "months": month,
            "survival": 0.9**month,
            "survival_low": 0.85**month,
            "survival_high": 0.95**month,
        }
        for segment in ("SPARK", "degree")
        for month in range(37)
    ]

    drawing = ElementTree.fromstring(survival_curves(rows))
    assert {"SPARK", "degree", "100%", "share that still runs"} <= {
        element.text for element in drawing.iter()
    }
    marks = [element.get("class") or "" for element in drawing.iter()]
    assert sum("mark-line" in mark for mark in marks) >= 2
    assert sum("mark-area" in mark for mark in marks) >= 2
