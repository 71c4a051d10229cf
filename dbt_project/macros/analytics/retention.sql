{#- Retention (definitions, section 3): of the learners who start in an interval, how many return k
    intervals later.

    relation      rows with learner_key and `moment`, and what the conditions name; a CTE or ref()
    start_event   SQL condition: the row is a start event
    return_event  SQL condition: the row is a return event; default: the same
    period        day, week, month
    mode          on (returned in interval k), on_or_after (in interval k or later)
    clock         calendar (intervals of the reporting zone)
    cohorts       first_time (the first start event of all history), recurring (every interval with
                  a start event)
    intervals     the greatest k; default: up to the as-of day
    from_day, to_day   cohorts whose interval begins in between, both included
    as_of         the first day that is not counted; default: that of int_as_of
    timezone, week_start   default: the project's variables
    moment        activity_date (learner days) or event_at (UTC timestamps of events)

    retention() gives cohort, interval_index, cohort_size, retained, is_complete: one row per cohort
    and interval that has begun, also where nobody returned. Interval 0 holds the cohort itself.
    An interval is complete when it has fully elapsed.

    retention_overall() gives per interval the two overall figures over complete cohorts:
    sum_of_cohorts (retained and cohort sizes added up) and unique (different learners). -#}
{% macro retention(
    relation,
    start_event,
    return_event=none,
    period="week",
    mode="on",
    clock="calendar",
    cohorts="first_time",
    intervals=none,
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    moment="activity_date"
) %}
    with

        {{
            retention_ctes(
                "retention",
                relation,
                start_event,
                return_event,
                period,
                mode,
                clock,
                cohorts,
                intervals,
                from_day,
                to_day,
                as_of,
                timezone,
                week_start,
                moment,
            )
        }}

    select cohort, interval_index, cohort_size, retained, is_complete
    from retention_triangle
{% endmacro %}


{% macro retention_overall(
    relation,
    start_event,
    return_event=none,
    period="week",
    mode="on",
    clock="calendar",
    cohorts="first_time",
    intervals=none,
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    moment="activity_date"
) %}
    with

        {{
            retention_ctes(
                "retention_overall",
                relation,
                start_event,
                return_event,
                period,
                mode,
                clock,
                cohorts,
                intervals,
                from_day,
                to_day,
                as_of,
                timezone,
                week_start,
                moment,
            )
        }},

        sums as (
            select
                interval_index,
                count(*) as cohorts,
                cast(sum(cohort_size) as bigint) as cohort_sizes,
                cast(sum(retained) as bigint) as retained
            from retention_triangle
            where is_complete
            group by interval_index
        ),

        -- A learner is in some complete cohort when the earliest cohort is complete.
        earliest as (
            select learner_key, min(cohort) as cohort from retention_members group by learner_key
        ),

        joined_in as (select cohort, count(*) as learners from earliest group by cohort),

        unique_sizes as (
            select
                retention_triangle.interval_index,
                cast(sum(joined_in.learners) as bigint) as learners
            from retention_triangle
            inner join joined_in on retention_triangle.cohort = joined_in.cohort
            where retention_triangle.is_complete
            group by retention_triangle.interval_index
        ),

        unique_returns as (
            select
                retention_triangle.interval_index,
                count(distinct retention_returns.learner_key) as learners
            from retention_returns
            inner join
                retention_triangle
                on retention_returns.cohort = retention_triangle.cohort
                and {% if mode == "on" -%}
                    retention_returns.interval_index = retention_triangle.interval_index
                {%- else -%} retention_returns.interval_index >= retention_triangle.interval_index
                {%- endif %}
            where retention_triangle.is_complete and retention_triangle.interval_index > 0
            group by retention_triangle.interval_index
        )

    select
        sums.interval_index,
        sums.cohorts,
        sums.cohort_sizes,
        sums.retained,
        unique_sizes.learners as unique_learners,
        case
            when sums.interval_index = 0
            then unique_sizes.learners
            else coalesce(unique_returns.learners, 0)
        end as unique_retained
    from sums
    inner join unique_sizes on sums.interval_index = unique_sizes.interval_index
    left join unique_returns on sums.interval_index = unique_returns.interval_index
{% endmacro %}


{% macro retention_ctes(
    name,
    relation,
    start_event,
    return_event,
    period,
    mode,
    clock,
    cohorts,
    intervals,
    from_day,
    to_day,
    as_of,
    timezone,
    week_start,
    moment
) %}
    {%- do check_condition(name, "start_event", start_event) -%}
    {%- set return_event = start_event if return_event is none else return_event -%}
    {%- do check_condition(name, "return_event", return_event) -%}
    {%- do check_choice(name, "period", period, ["day", "week", "month"]) -%}
    {%- do check_choice(name, "mode", mode, ["on", "on_or_after"]) -%}
    {%- do check_choice(name, "clock", clock, ["calendar"]) -%}
    {%- do check_choice(name, "cohorts", cohorts, ["first_time", "recurring"]) -%}
    {%- if intervals is not none -%}
        {%- do check_whole(name, "intervals", intervals, 0) -%}
    {%- endif -%}
    {%- set week_start = week_start or var("week_start") -%}
    {%- do check_choice(name, "week_start", week_start, ["monday", "sunday"]) -%}
    {%- set day = day_of(name, moment, timezone) -%}
    {%- set as_of_day = as_of_day(name, as_of) -%}
    retention_rows as (
        select
            learner_key,
            {{ day }} as active_on,
            coalesce({{ start_event }}, false) as is_start,
            coalesce({{ return_event }}, false) as is_return
        from {{ relation }}
        where ({{ start_event }}) or ({{ return_event }})
    ),

    retention_activity as (
        select
            learner_key,
            {{ start_of_period("active_on", period, week_start) }} as active_in,
            bool_or(is_start) as is_start,
            bool_or(is_return) as is_return
        from retention_rows
        where active_on < {{ as_of_day }}
        group by learner_key, {{ start_of_period("active_on", period, week_start) }}
    ),

    retention_starts as (
        {%- if cohorts == "first_time" %}
            select learner_key, min(active_in) as cohort
            from retention_activity
            where is_start
            group by learner_key
        {%- else %}select learner_key, active_in as cohort from retention_activity where is_start
        {%- endif %}
    ),

    retention_members as (
        select learner_key, cohort
        from retention_starts
        where
            true
            {%- if from_day is not none %}
                and cohort >= {{ as_day(name, "from_day", from_day) }}
            {%- endif %}
            {%- if to_day is not none %}
                and cohort <= {{ as_day(name, "to_day", to_day) }}
            {%- endif %}
    ),

    retention_cohorts as (
        select
            cohort,
            count(*) as cohort_size,
            {{
                periods_between(
                    "cohort", start_of_period(add_days(as_of_day, -1), period, week_start), period
                )
            }} as last_index
        from retention_members
        group by cohort
    ),

    retention_grid as (
        select
            cohort,
            cohort_size,
            {{
                explode_integers(
                    0,
                    "last_index" if intervals is none else "least(last_index, " ~ intervals ~ ")",
                )
            }} as interval_index
        from retention_cohorts
    ),

    -- One row per learner, cohort and interval with a return; for on_or_after the last one is
    -- enough.
    retention_returns as (
        select
            retention_members.learner_key,
            retention_members.cohort,
            {% if mode == "on_or_after" %}
                max(
            {% endif %}
                {{-
                    periods_between(
                        "retention_members.cohort", "retention_activity.active_in", period
                    )
                }}
            {%- if mode == "on_or_after" %}){% endif %} as interval_index
        from retention_members
        inner join
            retention_activity
            on retention_members.learner_key = retention_activity.learner_key
            and retention_activity.active_in > retention_members.cohort
        where retention_activity.is_return
        {%- if mode == "on_or_after" %}
            group by retention_members.learner_key, retention_members.cohort
        {%- endif %}
    ),

    retention_counts as (
        select cohort, interval_index, count(*) as learners
        from retention_returns
        group by cohort, interval_index
    ),

    retention_retained as (
        {%- if mode == "on" %}
            select cohort, interval_index, learners as retained from retention_counts
        {%- else %}
            select
                retention_grid.cohort,
                retention_grid.interval_index,
                sum(retention_counts.learners) as retained
            from retention_grid
            inner join
                retention_counts
                on retention_grid.cohort = retention_counts.cohort
                and retention_grid.interval_index <= retention_counts.interval_index
            group by retention_grid.cohort, retention_grid.interval_index
        {%- endif %}
    ),

    retention_triangle as (
        select
            retention_grid.cohort,
            retention_grid.interval_index,
            retention_grid.cohort_size,
            cast(
                case
                    when retention_grid.interval_index = 0
                    then retention_grid.cohort_size
                    else coalesce(retention_retained.retained, 0)
                end as bigint
            ) as retained,
            {{ add_periods("retention_grid.cohort", "retention_grid.interval_index + 1", period) }}
            <= {{ as_of_day }} as is_complete
        from retention_grid
        left join
            retention_retained
            on retention_grid.cohort = retention_retained.cohort
            and retention_grid.interval_index = retention_retained.interval_index
    )
{%- endmacro %}
