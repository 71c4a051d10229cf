"""Plots: functions from rows to SVG, drawn without a browser and without the internet.

Knows nothing of Dagster, dbt or DuckDB. Altair is imported when the first plot is drawn.
"""

from orchestration.charting.nps import nps_by_month
from orchestration.charting.outcomes import counted_outcomes
from orchestration.charting.rendering import MOST_BYTES, as_markdown, inline, render
from orchestration.charting.retention import retention_triangle, survival_curves
from orchestration.charting.support import first_replies_by_month

__all__ = [
    "MOST_BYTES",
    "as_markdown",
    "counted_outcomes",
    "first_replies_by_month",
    "inline",
    "nps_by_month",
    "render",
    "retention_triangle",
    "survival_curves",
]
