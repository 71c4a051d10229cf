"""Plots of career outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from orchestration.charting.rendering import inline, render

_WIDTH, _HEIGHT = 640, 190
_SEGMENTS = ("free", "SPARK", "degree")


def counted_outcomes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Counted outcomes by month, and the year's running total against the year's goal.

    The goal is one of a year, so it is compared with the year so far, never divided by twelve; on a
    logarithmic scale, since a school on its way may be a thousandth of its goal.

    Args:
        rows: one per month and segment: `month` (a date), `segment`, `outcomes`, `goal_low` and
            `goal_high` (of the month's year, null before the first goal). From January on, where
            the first year is to be a whole one.

    Returns:
        SVG.
    """
    import altair as alt

    month = alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", labelAngle=0))
    by_month = (
        alt.Chart(inline(rows), title="Counted outcomes by month of the outcome, and segment")
        .mark_bar(width={"band": 0.8})
        .encode(
            x=alt.X("yearmonth(month):T", title=None, axis=alt.Axis(format="%b %y")),
            y=alt.Y("sum(outcomes):Q", title="outcomes"),
            color=alt.Color("segment:N", title="segment", sort=list(_SEGMENTS)),
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )
    totals = alt.Chart(inline(running_totals(rows)))
    so_far = totals.mark_line(point=True).encode(
        x=month,
        y=alt.Y(
            "so_far:Q",
            title="outcomes since January",
            scale=alt.Scale(type="log", nice=True),
            axis=alt.Axis(format=",d", grid=False),
        ),
        detail="year:N",
    )
    with_goal = totals.transform_filter("isValid(datum.goal_low)")
    goal = with_goal.mark_area(opacity=0.5, color="#e45756", line={"color": "#e45756"}).encode(
        x=month, y="goal_low:Q", y2="goal_high:Q", detail="year:N"
    )
    against_goal = alt.layer(
        goal, so_far, title="The year so far (blue) against the year's goal (red), logarithmic"
    ).properties(width=_WIDTH, height=_HEIGHT)
    return render(alt.vconcat(by_month, against_goal))


def running_totals(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Outcomes from January to each month that has any, with the goal of its year."""
    of_month: dict[date, int] = defaultdict(int)
    goals: dict[date, tuple[int | None, int | None]] = {}
    for row in rows:
        of_month[row["month"]] += row["outcomes"]
        goals[row["month"]] = (row["goal_low"], row["goal_high"])
    totals: list[dict[str, Any]] = []
    for month in sorted(of_month):
        before = totals[-1]["so_far"] if totals and totals[-1]["year"] == month.year else 0
        low, high = goals[month]
        totals.append(
            {
                "month": month,
                "year": month.year,
                "so_far": before + of_month[month],
                "goal_low": low,
                "goal_high": high,
            }
        )
    return totals
