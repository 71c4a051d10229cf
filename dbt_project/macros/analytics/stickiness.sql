{#- Stickiness (definitions, section 3): learners active in exactly n, and in at least n, intervals
    of a period, such as days of a week.

    Arguments as of retention(). `interval` lies in `period`: the days of a week, the days or weeks of
    a month, or the hours, days, weeks or months of the `range` from from_day to to_day, which is one
    period then. A week that reaches over the end of a month counts in either month it was used in.
    Gives period_start, intervals, learners_exactly, learners_at_least, is_complete: one row per
    period and number of intervals that it can have, also where no learner has it. -#}
{% macro stickiness(
    relation=none,
    active_event=none,
    interval="day",
    period="week",
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    learner_days=none
) %}
    {%- set name = "stickiness" -%}
    {%- do check_condition(name, "active_event", active_event) -%}
    {%- do check_choice(name, "period", period, ["week", "month", "range"]) -%}
    {%- do check_choice(
        name,
        "interval",
        interval,
        {
            "week": ["day"],
            "month": ["day", "week"],
            "range": ["hour", "day", "week", "month"],
        }[period],
    ) -%}
    {%- set chart = activity_definition(
        name,
        relation,
        learner_days,
        {"is_active": active_event},
        interval,
        "hour" if interval == "hour" else "day",
        as_of,
        timezone,
        week_start,
    ) -%}
    {%- set is_range = period == "range" -%}
    {%- if is_range -%}
        {%- for argument, day in {"from_day": from_day, "to_day": to_day}.items() -%}
            {%- if day is none -%}
                {%- do refuse(name, argument, day, "a day, since the period is a range") -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set day_in_range = "hour_at" if interval == "hour" else "active_on" -%}
        {%- set period_start = first_interval(name, "from_day", from_day, interval, chart.zone) -%}
        {%- set range_end -%}
            {%- if interval != "hour" -%} {{ add_days(as_day(name, "to_day", to_day), 1) }}
            {%- elif kind_of_moment(name, "to_day", to_day) == "time" -%}
                {{ add_seconds("cast('" ~ to_day ~ "' as timestamp)", 3600) }}
            {%- else -%}
                {{ start_of_day(add_days(as_day(name, "to_day", to_day), 1), chart.zone) }}
            {%- endif -%}
        {%- endset -%}
    {%- else -%} {%- set period_start = start_of_period("active_on", period, chart.week_start) -%}
    {%- endif -%}
    {%- set is_days_of_period = interval == "day" and not is_range -%}
    with

        {{ activity_ctes(chart) }},

        {% if is_days_of_period -%}
            stickiness_learners as (
                select
                    learner_key,
                    {{ period_start }} as period_start,
                    {{ count_of_days(days_between(period_start, "active_on")) }} as intervals
                from activity_dated
                group by learner_key, {{ period_start }}
            ),
        {%- else -%}
            -- Distinct first: counting distinct values in millions of groups takes several times
            -- longer.
            stickiness_active as (
                select distinct
                    learner_key,
                    {{ period_start }} as period_start,
                    {{ chart.active_in }} as active_in
                from activity_dated
                {%- if is_range %}
                    where
                        true
                        {{
                            lies_between(
                                name, day_in_range, interval, chart.zone, from_day, to_day
                            )
                        }}
                {%- endif %}
            ),

            stickiness_learners as (
                select learner_key, period_start, count(*) as intervals
                from stickiness_active
                group by learner_key, period_start
            ),
        {%- endif %}

        stickiness_counts as (
            select period_start, intervals, count(*) as learners
            from stickiness_learners
            group by period_start, intervals
        ),

        stickiness_bounds as (
            select
                min(period_start) as first_period,
                {% if is_range -%} {{ period_start }}
                {%- else -%}
                    {{ start_of_period(add_days(chart.as_of_day, -1), period, chart.week_start) }}
                {%- endif %} as last_period
            from stickiness_counts
        ),

        stickiness_periods as (
            {%- if is_range %}select last_period as period_start from stickiness_bounds
            {%- else %}
                select {{ explode_dates("first_period", "last_period", period) }} as period_start
                from stickiness_bounds
            {%- endif %}
        ),

        stickiness_ends as (
            select
                period_start,
                {% if is_range -%} {{ range_end }}
                {%- else -%} {{ add_periods("period_start", 1, period) }}
                {%- endif %} as period_end
            from stickiness_periods
        ),

        stickiness_grid as (
            select
                period_start,
                period_end,
                {{
                    explode_integers(
                        1,
                        (
                            periods_between("period_start", "period_end", interval)
                            if interval == "hour"
                            else periods_between(
                                start_of_period("period_start", interval, chart.week_start),
                                start_of_period(
                                    add_days("period_end", -1), interval, chart.week_start
                                ),
                                interval,
                            )
                            ~ " + 1"
                        ),
                    )
                }} as intervals
            from stickiness_ends
        ),

        stickiness_dense as (
            select
                stickiness_grid.period_start,
                stickiness_grid.period_end,
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
        {{ has_elapsed(chart, "period_end") }} as is_complete
    from stickiness_dense
    {%- if not is_range %}
        where true {{ lies_between(name, "period_start", period, chart.zone, from_day, to_day) }}
    {%- endif %}
{% endmacro %}
