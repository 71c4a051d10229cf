"""The three figures that a run ends with, read from the published file like any BI tool would."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Group
from rich.table import Table
from rich.text import Text

# Two-sided 95 %.
_Z = 1.959963984540054
_RETENTION = "learning_weekly"
_WEEK = 4


@dataclass(frozen=True)
class Goal:
    """Career outcomes a year that are aimed at; `high` differs from `low` where it is a range."""

    year: int
    low: int
    high: int


@dataclass(frozen=True)
class Nps:
    """A Net Promoter Score with its sums; score and interval are not rounded.

    The interval is the adjusted Wald one at 95 %: add 3 to the respondents and 3/4 to promoters and
    to detractors; clipped to [-100, 100].
    """

    promoters: int
    passives: int
    detractors: int

    @property
    def respondents(self) -> int:
        """Passives are in the denominator."""
        return self.promoters + self.passives + self.detractors

    @property
    def score(self) -> float:
        """100 x (promoters - detractors) / respondents."""
        return 100 * (self.promoters - self.detractors) / self.respondents

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        n = self.respondents + 3
        promoters, detractors = (self.promoters + 0.75) / n, (self.detractors + 0.75) / n
        middle = promoters - detractors
        half = _Z * math.sqrt((promoters + detractors - middle**2) / n)
        return max(-100.0, 100 * (middle - half)), min(100.0, 100 * (middle + half))


@dataclass(frozen=True)
class Share:
    """Learners who came back, of those who could have."""

    retained: int
    cohort_size: int

    @property
    def percent(self) -> float:
        """Per cent, not rounded."""
        return 100 * self.retained / self.cohort_size


@dataclass(frozen=True)
class Headline:
    """The figures; None where there is no data yet.

    Attributes:
        as_of: the first day that is not counted; windows end before it.
        outcomes: counted career outcomes dated in the 12 months before `as_of`.
        goal: the one in force in the year of the last counted day; None before the first goal.
        nps: of all responses (`all_responses`) of the 12 months before `as_of`, counting a month
            that began before it as a whole.
        retention: of week 4 (first_time, calendar, `on`, sum_of_cohorts over complete cohorts).
        chain: entries of the chain of published figures, and its head; None while nothing is told.
    """

    as_of: date | None
    outcomes: int | None
    goal: Goal | None
    nps: Nps | None
    retention: Share | None
    chain: tuple[int, str] | None = None


def headline(path: Path) -> Headline:
    """Read the headline figures from a published file."""
    with duckdb.connect(str(path), read_only=True) as reader:
        as_of = _rows(reader, "ops.published_at", "select as_of from ops.published_at")[0][0]
        return Headline(
            as_of=as_of,
            outcomes=None if as_of is None else _outcomes(reader, as_of),
            goal=None if as_of is None else _goal(reader, as_of),
            nps=None if as_of is None else _nps(reader, as_of),
            retention=_retention(reader),
            chain=_chain(reader),
        )


def render_headline(figures: Headline, path: Path) -> Group:
    """The figures for a terminal, with the path of the file they come from and the chain's head."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    for label, value, note in _lines(figures):
        table.add_row(label, Text(value, style="bold"), Text(note, style="dim"))
    # Not in the table: they would leave the notes no room, and the table would cut the path.
    file = Text("  Published file      ").append(str(path), "bold")
    return Group(table, file, *_head(figures))


def _lines(figures: Headline) -> list[tuple[str, str, str]]:
    no_data = "no data yet"
    period = "" if figures.as_of is None else f"12 months before {figures.as_of:%Y-%m-%d}"
    outcomes, goal = figures.outcomes, figures.goal
    lines = [
        (
            "Career outcomes",
            no_data if outcomes is None else f"{outcomes:,}",
            period if outcomes is None or goal is None else f"{period}; {_against(outcomes, goal)}",
        )
    ]
    if figures.nps is None:
        lines.append(("NPS", no_data, period))
    else:
        low, high = (_rounded(end) for end in figures.nps.interval)
        lines.append(
            (
                "NPS",
                f"{_rounded(figures.nps.score)} [{low}, {high}]",
                f"{period}; {figures.nps.respondents:,} responses, 95 % interval",
            )
        )
    if figures.retention is None:
        lines.append(("Week-4 retention", no_data, ""))
    else:
        share = figures.retention
        lines.append(
            (
                "Week-4 retention",
                f"{share.percent:.1f} %",
                f"{share.retained:,} of {share.cohort_size:,} learners in complete cohorts",
            )
        )
    return lines


def _against(outcomes: int, goal: Goal) -> str:
    aim = f"{goal.low:,}" if goal.low == goal.high else f"{goal.low:,} to {goal.high:,}"
    percent = 100 * outcomes / goal.low
    share = f"{percent:,.0f}" if percent >= 10 else f"{percent:.2g}"
    return f"{share} % of the goal of {aim} a year in force in {goal.year}"


def _rounded(figure: float) -> int:
    """Round half away from zero, as scores are displayed."""
    return int(math.copysign(math.floor(abs(figure) + 0.5), figure))


def _outcomes(reader: duckdb.DuckDBPyConnection, as_of: date) -> int | None:
    found = _rows(
        reader,
        "outcomes.fct_career_outcomes",
        """
        select count(*), count(*) filter (
            is_counted and outcome_date >= $as_of - interval 12 months and outcome_date < $as_of
        )
        from outcomes.fct_career_outcomes
        """,
        {"as_of": as_of},
    )
    return None if not found or found[0][0] == 0 else found[0][1]


def _head(figures: Headline) -> list[Text]:
    if figures.chain is None:
        return []
    number, digest = figures.chain
    return [
        Text(f"\n  Entry {number:,} is the head of what was published, for `make verify`:"),
        Text(f"  {digest}"),
    ]


def _chain(reader: duckdb.DuckDBPyConnection) -> tuple[int, str] | None:
    """What a publication of before the chain does not have."""
    has_chain = _rows(
        reader,
        "ops.published_at",
        """
        select count(*) from duckdb_columns()
        where schema_name = 'ops' and table_name = 'published_at' and column_name = 'chain_head'
        """,
    )[0][0]
    if not has_chain:
        return None
    entries, head = _rows(
        reader, "ops.published_at", "select chain_entries, chain_head from ops.published_at"
    )[0]
    return None if head is None else (entries, head)


def _goal(reader: duckdb.DuckDBPyConnection, as_of: date) -> Goal | None:
    found = _rows(
        reader,
        "outcomes.agg_goal_progress",
        """
        select year, goal_low, goal_high
        from outcomes.agg_goal_progress
        where year = extract(year from $as_of - interval 1 day) and goal_low is not null
        """,
        {"as_of": as_of},
    )
    return Goal(*found[0]) if found else None


def _nps(reader: duckdb.DuckDBPyConnection, as_of: date) -> Nps | None:
    found = _rows(
        reader,
        "nps.agg_nps",
        """
        select sum(promoters)::bigint, sum(passives)::bigint, sum(detractors)::bigint
        from nps.agg_nps
        where basis = 'all_responses'
            and month >= $as_of - interval 12 months
            and month < $as_of
        """,
        {"as_of": as_of},
    )
    if not found or found[0][0] is None:
        return None
    nps = Nps(*found[0])
    return nps if nps.respondents else None


def _retention(reader: duckdb.DuckDBPyConnection) -> Share | None:
    found = _rows(
        reader,
        "retention.agg_retention",
        """
        select sum(retained)::bigint, sum(cohort_size)::bigint
        from retention.agg_retention
        where definition = $definition and interval_index = $week and is_complete
        """,
        {"definition": _RETENTION, "week": _WEEK},
    )
    return Share(*found[0]) if found and found[0][1] else None


def _rows(
    reader: duckdb.DuckDBPyConnection,
    relation: str,
    sql: str,
    parameters: dict[str, object] | None = None,
) -> list[Any]:
    """The rows of a query; none when the relation was not published."""
    exists = reader.execute(
        "select count(*) from duckdb_tables() where schema_name || '.' || table_name = ?",
        [relation],
    ).fetchall()[0][0]
    return reader.execute(sql, parameters or {}).fetchall() if exists else []
