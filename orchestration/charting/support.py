"""Plots of the help desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.charting.rendering import inline, render

_WIDTH, _HEIGHT = 640, 240
_GROUPS = ("premium", "free", "no account")


def first_replies_by_month(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Median hours to the first reply by month, one line for each group of requesters.

    Args:
        rows: one per month and group: `month` (a date), `requesters` (premium, free or no account),
            `hours` and `promise`; a month whose promise is `too_few` is hollow.

    Returns:
        SVG.
    """
    import altair as alt

    base = alt.Chart(
        inline(rows),
        title="Half are answered within, by month of asking (hollow: too few tickets to tell)",
    ).encode(
        x=alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", labelAngle=0)),
        y=alt.Y("hours:Q", title="hours"),
    )
    color = alt.Color("requesters:N", title="requesters", sort=list(_GROUPS))
    # The same colours once more, without a second legend.
    fill = alt.Color("requesters:N", sort=list(_GROUPS), legend=None)
    points = base.mark_point(size=45).encode(
        color=color,
        fill=alt.condition("datum.promise == 'too_few'", alt.value("white"), fill),
    )
    lines = base.mark_line().encode(color=color)
    return render(alt.layer(lines, points).properties(width=_WIDTH, height=_HEIGHT))
