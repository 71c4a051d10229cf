{#- Lifecycle (definitions, section 3): of each interval how many active learners are new, current
    (active in the interval before, too) or resurrected (active earlier, but not in the interval
    before), and how many are dormant (active in the interval before and not in this one).

    Arguments as of retention(); `active_event` is the condition of being active, and from_day and
    to_day limit the intervals that are shown, not the history they are judged by.
    Gives interval_start, new, current, resurrected, dormant, active, is_complete, one row per
    interval from the first active one on. -#}
{% macro lifecycle(
    relation,
    active_event,
    period="week",
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    moment="activity_date"
) %}
    {%- do check_condition("lifecycle", "active_event", active_event) -%}
    {%- do check_choice("lifecycle", "period", period, ["day", "week", "month"]) -%}
    {%- set week_start = week_start or var("week_start") -%}
    {%- do check_choice("lifecycle", "week_start", week_start, ["monday", "sunday"]) -%}
    {%- set day = day_of("lifecycle", moment, timezone) -%}
    {%- set as_of_day = as_of_day("lifecycle", as_of) -%}
    with

        lifecycle_rows as (
            select learner_key, {{ day }} as active_on from {{ relation }} where {{ active_event }}
        ),

        lifecycle_activity as (
            select distinct
                learner_key, {{ start_of_period("active_on", period, week_start) }} as active_in
            from lifecycle_rows
            where active_on < {{ as_of_day }}
        ),

        lifecycle_previous as (
            select
                learner_key,
                active_in,
                lag(active_in) over (
                    partition by learner_key order by active_in
                ) as previously_active_in
            from lifecycle_activity
        ),

        lifecycle_counts as (
            select
                active_in,
                count(*) as active,
                count(*) filter (where previously_active_in is null) as new,
                count(*) filter (
                    where {{ add_periods("previously_active_in", 1, period) }} = active_in
                ) as current
            from lifecycle_previous
            group by active_in
        ),

        lifecycle_bounds as (
            select
                min(active_in) as first_interval,
                {{ start_of_period(add_days(as_of_day, -1), period, week_start) }} as last_interval
            from lifecycle_activity
        ),

        lifecycle_intervals as (
            select {{ explode_dates("first_interval", "last_interval", period) }} as interval_start
            from lifecycle_bounds
        ),

        lifecycle_dense as (
            select
                lifecycle_intervals.interval_start,
                coalesce(lifecycle_counts.new, 0) as new,
                coalesce(lifecycle_counts.current, 0) as current,
                coalesce(lifecycle_counts.active, 0) as active,
                lag(coalesce(lifecycle_counts.active, 0), 1, 0) over (
                    order by lifecycle_intervals.interval_start
                ) as active_before
            from lifecycle_intervals
            left join
                lifecycle_counts on lifecycle_intervals.interval_start = lifecycle_counts.active_in
        )

    select
        interval_start,
        new,
        current,
        active - new - current as resurrected,
        active_before - current as dormant,
        active,
        {{ add_periods("interval_start", 1, period) }} <= {{ as_of_day }} as is_complete
    from lifecycle_dense
    where
        true
        {%- if from_day is not none %}
            and interval_start >= {{ as_day("lifecycle", "from_day", from_day) }}
        {%- endif %}
        {%- if to_day is not none %}
            and interval_start <= {{ as_day("lifecycle", "to_day", to_day) }}
        {%- endif %}
{% endmacro %}
