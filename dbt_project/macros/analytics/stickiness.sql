{#- Stickiness (definitions, section 3): learners active in exactly n, and in at least n, intervals
    of a period, such as days of a week.

    Arguments as of retention(); `interval` (day, week) lies in `period` (week, month). A week that
    reaches over the end of a month counts in either month it was used in.
    Gives period_start, intervals, learners_exactly, learners_at_least, is_complete: one row per
    period and number of intervals that it can have, also where no learner has it. -#}
{% macro stickiness(
    relation,
    active_event,
    interval="day",
    period="week",
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    moment="activity_date"
) %}
    {%- do check_condition("stickiness", "active_event", active_event) -%}
    {%- do check_choice("stickiness", "period", period, ["week", "month"]) -%}
    {%- do check_choice(
        "stickiness",
        "interval",
        interval,
        ["day"] if period == "week" else ["day", "week"],
    ) -%}
    {%- set week_start = week_start or var("week_start") -%}
    {%- do check_choice("stickiness", "week_start", week_start, ["monday", "sunday"]) -%}
    {%- set day = day_of("stickiness", moment, timezone) -%}
    {%- set as_of_day = as_of_day("stickiness", as_of) -%}
    {%- set last_day = add_days(add_periods("period_start", 1, period), -1) -%}
    with

        stickiness_rows as (
            select learner_key, {{ day }} as active_on from {{ relation }} where {{ active_event }}
        ),

        stickiness_learners as (
            select
                learner_key,
                {{ start_of_period("active_on", period, week_start) }} as period_start,
                count(
                    distinct {{ start_of_period("active_on", interval, week_start) }}
                ) as intervals
            from stickiness_rows
            where active_on < {{ as_of_day }}
            group by learner_key, {{ start_of_period("active_on", period, week_start) }}
        ),

        stickiness_counts as (
            select period_start, intervals, count(*) as learners
            from stickiness_learners
            group by period_start, intervals
        ),

        stickiness_bounds as (
            select
                min(period_start) as first_period,
                {{ start_of_period(add_days(as_of_day, -1), period, week_start) }} as last_period
            from stickiness_counts
        ),

        stickiness_periods as (
            select {{ explode_dates("first_period", "last_period", period) }} as period_start
            from stickiness_bounds
        ),

        stickiness_grid as (
            select
                period_start,
                {{
                    explode_integers(
                        1,
                        periods_between(
                            start_of_period("period_start", interval, week_start),
                            start_of_period(last_day, interval, week_start),
                            interval,
                        )
                        ~ " + 1",
                    )
                }} as intervals
            from stickiness_periods
        ),

        stickiness_dense as (
            select
                stickiness_grid.period_start,
                stickiness_grid.intervals,
                coalesce(stickiness_counts.learners, 0) as learners_exactly
            from stickiness_grid
            left join
                stickiness_counts
                on stickiness_grid.period_start = stickiness_counts.period_start
                and stickiness_grid.intervals = stickiness_counts.intervals
        )

    select
        period_start,
        intervals,
        learners_exactly,
        cast(
            sum(learners_exactly) over (
                partition by period_start
                order by intervals desc
                rows between unbounded preceding and current row
            ) as bigint
        ) as learners_at_least,
        {{ add_periods("period_start", 1, period) }} <= {{ as_of_day }} as is_complete
    from stickiness_dense
    where
        true
        {%- if from_day is not none %}
            and period_start >= {{ as_day("stickiness", "from_day", from_day) }}
        {%- endif %}
        {%- if to_day is not none %}
            and period_start <= {{ as_day("stickiness", "to_day", to_day) }}
        {%- endif %}
{% endmacro %}
