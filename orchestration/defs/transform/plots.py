"""Which marts show which plots on their pages: one row each.

A plot is drawn when its mart has been built, while dbt goes on with the next, and is kept with the
materialization.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from orchestration import charting
from orchestration.transforming import FinishedNode


@dataclass(frozen=True)
class Plot:
    """A plot of a mart.

    Attributes:
        mart: the dbt model on whose page it stands.
        title: names it there; different for each plot of a mart.
        query: asked of the warehouse when the mart has been built; reads the mart and what it is
            made from, and aggregates: every row ends up in the drawing.
        draw: from the rows, by column name, to SVG.
    """

    mart: str
    title: str
    query: str
    draw: Callable[[Sequence[Mapping[str, Any]]], bytes]


PLOTS: Sequence[Plot] = (
    Plot(
        mart="agg_nps",
        title="NPS by month, with its 95 % interval",
        # Scores come from sums; the interval is the macro's own, over all groups of a month.
        query="""
            with
                months as (
                    select
                        month,
                        sum(respondents)::bigint as respondents,
                        sum(promoters)::bigint as promoters,
                        sum(detractors)::bigint as detractors
                    from nps.agg_nps
                    where basis = 'all_responses'
                    group by month
                ),
                adjusted as (
                    select
                        *,
                        (promoters + 0.75) / (respondents + 3) as up,
                        (detractors + 0.75) / (respondents + 3) as down
                    from months
                ),
                scored as (
                    select
                        *,
                        up - down as middle,
                        1.959963984540054
                        * sqrt((up + down - (up - down) ** 2) / (respondents + 3)) as half
                    from adjusted
                )
            select
                month,
                respondents,
                100 * (promoters - detractors)::double / respondents as nps,
                greatest(-100, 100 * (middle - half)) as nps_low,
                least(100, 100 * (middle + half)) as nps_high,
                respondents < 30 as is_small_group
            from scored
            order by month desc
            limit 60
            """,
        draw=charting.nps_by_month,
    ),
    Plot(
        mart="agg_career_outcomes",
        title="Counted outcomes by month, against the goal",
        query="""
            with
                months as (
                    select month, segment, cast(sum(outcomes) as bigint) as outcomes
                    from outcomes.agg_career_outcomes
                    group by month, segment
                ),
                newest as (select max(year(month)) as year from months)
            select months.month, months.segment, months.outcomes, goals.goal_low, goals.goal_high
            from months
            asof left join staging.goals
                on last_day(make_date(year(months.month), 12, 1)) >= goals.effective_from
            where year(months.month) >= (select year - 2 from newest)
            order by months.month, months.segment
            """,
        draw=charting.counted_outcomes,
    ),
    Plot(
        mart="agg_retention",
        title="Weekly learning retention, % of each cohort",
        query="""
            with
                weekly as (
                    select cohort, interval_index, cohort_size, retained, is_complete
                    from retention.agg_retention
                    where definition = 'learning_weekly' and interval_index <= 12
                ),
                newest as (select distinct cohort from weekly order by cohort desc limit 13)
            select weekly.*
            from weekly
            inner join newest on weekly.cohort = newest.cohort
            order by weekly.cohort, weekly.interval_index
            """,
        draw=charting.retention_triangle,
    ),
    Plot(
        mart="agg_premium_survival",
        title="How long subscriptions last, with the 95 % interval",
        query="""
            select segment, months, survival, survival_low, survival_high
            from retention.agg_premium_survival
            where months <= 36
            order by segment, months
            """,
        draw=charting.survival_curves,
    ),
    Plot(
        mart="paid_first",
        title="First replies by month: are paying customers answered first?",
        query="""
            with
                months as (
                    select * from support.paid_first where month is not null
                    order by month desc limit 60
                ),
                medians as (
                    select
                        month,
                        promise,
                        'premium' as requesters,
                        premium_median_seconds as seconds
                    from months
                    union all
                    select month, promise, 'free', free_median_seconds from months
                    union all
                    select month, promise, 'no account', no_account_median_seconds from months
                )
            select month, promise, requesters, seconds / 3600 as hours
            from medians
            where seconds is not null
            order by month, requesters
            """,
        draw=charting.first_replies_by_month,
    ),
)


def plot_queries() -> dict[str, list[str]]:
    """What to ask of each mart for its plots."""
    queries: dict[str, list[str]] = {}
    for plot in PLOTS:
        queries.setdefault(plot.mart, []).append(plot.query)
    return queries


def plots_of(
    node: FinishedNode, warn: Callable[..., None], plots: Sequence[Plot] = PLOTS
) -> dict[str, dg.MarkdownMetadataValue]:
    """The plots of a finished model, by title.

    A picture is worth no failed run: whatever goes wrong in drawing one is a warning that names the
    mart.

    Args:
        node: with the answers to the queries of `plots`.
        warn: called with a format and its arguments.
        plots: the registry.
    """
    drawn: dict[str, dg.MarkdownMetadataValue] = {}
    mine = [plot for plot in plots if plot.mart == node.name and node.resource_type == "model"]
    for plot, answer in zip(mine, node.answers, strict=False):
        if answer.error is not None:
            warn("No plot %r of %s: %s", plot.title, plot.mart, answer.error)
        elif answer.rows:
            try:
                markdown = charting.as_markdown(plot.draw(answer.rows), plot.title)
            except Exception as error:  # of Altair, Vega, or the plot's own
                warn("No plot %r of %s: %s: %s", plot.title, plot.mart, type(error).__name__, error)
            else:
                drawn[plot.title] = dg.MetadataValue.md(markdown)
    return drawn
