"""Plots of the Net Promoter Score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.charting.rendering import inline, render

_WIDTH, _HEIGHT = 640, 240
_SMALL = "#9aa5b1"


def nps_by_month(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The score by month within the band of its 95 % interval.

    Small groups are hollow; below each month stands how many answered.

    Args:
        rows: one per month: `month` (a date), `nps`, `nps_low`, `nps_high`, `respondents` and
            `is_small_group`.

    Returns:
        SVG.
    """
    import altair as alt

    month = alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", labelAngle=0))
    base = alt.Chart(
        inline(rows),
        title="NPS of all responses by month, with its 95 % interval (hollow: under 30 responses)",
    )
    scale = alt.Scale(domain=[-100, 100])
    band = base.mark_area(opacity=0.25).encode(
        x=month, y=alt.Y("nps_low:Q", title="NPS", scale=scale), y2="nps_high:Q"
    )
    line = base.mark_line().encode(x=month, y=alt.Y("nps:Q", scale=scale))
    points = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=month,
        y=alt.Y("nps:Q", scale=scale),
        stroke=alt.value("#4c78a8"),
        fill=alt.condition("datum.is_small_group", alt.value("white"), alt.value("#4c78a8")),
    )
    counts = base.mark_text(dy=-2, fontSize=9, color=_SMALL, baseline="bottom").encode(
        x=month, y=alt.datum(-100, type="quantitative"), text="respondents:Q"
    )
    return render(alt.layer(band, line, points, counts).properties(width=_WIDTH, height=_HEIGHT))
