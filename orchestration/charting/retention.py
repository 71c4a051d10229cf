"""Plots of coming back and staying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.charting.rendering import inline, render

_CELL = 22
_WIDTH, _HEIGHT = 640, 260


def retention_triangle(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The share of each cohort that was active again, by interval after its first.

    Cells whose interval has not fully elapsed have no colour: they can only grow.

    Args:
        rows: one per cohort and interval: `cohort` (a date), `interval_index`, `cohort_size`,
            `retained`, `is_complete`.

    Returns:
        SVG.
    """
    import altair as alt

    cells = [
        {
            "cohort": f"{row['cohort']:%Y-%m-%d} ({row['cohort_size']:,})",
            "interval": row["interval_index"],
            "percent": 100 * row["retained"] / row["cohort_size"] if row["cohort_size"] else 0,
            "is_complete": row["is_complete"],
        }
        for row in rows
    ]
    base = alt.Chart(inline(cells)).encode(
        x=alt.X("interval:O", title="intervals after the first", axis=alt.Axis(orient="top")),
        y=alt.Y("cohort:O", title="cohort (learners)"),
    )
    complete = base.transform_filter("datum.is_complete")
    squares = complete.mark_rect().encode(
        color=alt.Color(
            "percent:Q",
            title="% active",
            # Everybody is active in interval 0; the colours are for those that follow.
            scale=alt.Scale(scheme="blues", type="sqrt", domain=[0, 100]),
        )
    )
    numbers = base.mark_text(fontSize=9).encode(
        text=alt.Text("percent:Q", format=".0f"),
        color=alt.condition("datum.percent > 45", alt.value("white"), alt.value("black")),
    )
    return render(
        (squares + numbers.transform_filter("datum.is_complete")).properties(
            width=alt.Step(_CELL), height=alt.Step(_CELL * 0.75)
        )
    )


def survival_curves(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The share of each segment's subscriptions that still runs, by month, with its interval.

    Args:
        rows: one per segment and month: `segment`, `months`, `survival`, `survival_low`,
            `survival_high` (0 to 1).

    Returns:
        SVG.
    """
    import altair as alt

    points = alt.Chart(inline(rows))
    month = alt.X("months:Q", title="full months since the start", axis=alt.Axis(tickMinStep=1))
    color = alt.Color("segment:N", title="segment")
    interval = points.mark_area(opacity=0.15, interpolate="step-after").encode(
        x=month, y=alt.Y("survival_low:Q"), y2="survival_high:Q", color=color
    )
    curve = points.mark_line(interpolate="step-after").encode(
        x=month,
        y=alt.Y(
            "survival:Q",
            title="share that still runs",
            axis=alt.Axis(format="%"),
            scale=alt.Scale(domain=[0, 1]),
        ),
        color=color,
    )
    return render(alt.layer(interval, curve).properties(width=_WIDTH, height=_HEIGHT))
