{#- Lifecycle (definitions, section 3): of each interval how many active learners are new, current
    (active in the interval before, too) or resurrected (active earlier, but not in the interval
    before), and how many are dormant (active in the interval before and not in this one).

    Arguments as of retention(); `active_event` is the condition of being active, and from_day and
    to_day limit the intervals that are shown, not the history they are judged by.
    first_seen    SQL expression of the UTC time a learner was first seen, such as that of any event;
                  a learner is then new in that interval, whatever was done first. Default: new is
                  who is active for the first time.
    Gives interval_start, new, current, resurrected, dormant, active, is_complete, one row per
    interval from the first active one on. -#}
{% macro lifecycle(
    relation=none,
    active_event=none,
    period="week",
    first_seen=none,
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    learner_days=none
) %}
    {%- set name = "lifecycle" -%}
    {%- do check_condition(name, "active_event", active_event) -%}
    {%- do check_choice(name, "period", period, ["hour", "day", "week", "month"]) -%}
    {%- set chart = activity_definition(
        name,
        relation,
        learner_days,
        {"is_active": active_event},
        period,
        "hour" if period == "hour" else "day",
        as_of,
        timezone,
        week_start,
        [] if first_seen is none else [first_seen],
    ) -%}
    with

        {{ activity_ctes(chart) }},

        lifecycle_activity as (
            select
                learner_key,
                {{ chart.active_in }} as active_in
                {%- if first_seen is not none %}, min(expression_1) as first_seen_at{% endif %}
            from activity_dated
            group by learner_key, {{ chart.active_in }}
        ),

        lifecycle_previous as (
            select
                learner_key,
                active_in,
                lag(active_in) over (
                    partition by learner_key order by active_in
                ) as previously_active_in
                {%- if first_seen is not none %}
                    ,
                    {%- set seen_at = "min(first_seen_at) over (partition by learner_key)" %}
                    {%- if period == "hour" %} {{ start_of_hour(seen_at, chart.zone) }}
                    {%- else %}
                        {{
                            start_of_period(
                                local_date(seen_at, chart.zone), period, chart.week_start
                            )
                        }}
                    {%- endif %} as first_seen_in
                {%- endif %}
            from lifecycle_activity
        ),

        lifecycle_statuses as (
            select
                active_in,
                {% if first_seen is none -%} previously_active_in is null
                {%- else -%} coalesce(first_seen_in = active_in, false)
                {%- endif %} as is_new,
                coalesce(
                    {{ add_periods("previously_active_in", 1, period) }} = active_in, false
                ) as was_active_before
            from lifecycle_previous
        ),

        lifecycle_counts as (
            select
                active_in,
                count(*) as active,
                count(*) filter (where is_new) as new,
                count(*) filter (where was_active_before and not is_new) as current,
                count(*) filter (where was_active_before) as stayed
            from lifecycle_statuses
            group by active_in
        ),

        lifecycle_bounds as (
            select min(active_in) as first_interval, {{ last_interval(chart) }} as last_interval
            from lifecycle_activity
        ),

        lifecycle_numbers as (
            select
                first_interval,
                {{
                    explode_integers(
                        0, periods_between("first_interval", "last_interval", period)
                    )
                }} as number
            from lifecycle_bounds
        ),

        lifecycle_intervals as (
            select {{ add_periods("first_interval", "number", period) }} as interval_start
            from lifecycle_numbers
        ),

        lifecycle_dense as (
            select
                lifecycle_intervals.interval_start,
                coalesce(lifecycle_counts.new, 0) as new,
                coalesce(lifecycle_counts.current, 0) as current,
                coalesce(lifecycle_counts.stayed, 0) as stayed,
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
        active_before - stayed as dormant,
        active,
        {{ has_elapsed(chart, add_periods("interval_start", 1, period)) }} as is_complete
    from lifecycle_dense
    where true {{ lies_between(name, "interval_start", period, chart.zone, from_day, to_day) }}
{% endmacro %}
