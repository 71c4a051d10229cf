{#- Retention (definitions, section 3): of the learners who start in an interval, how many return k
    intervals later.

    relation      events: rows with learner_key, event_type, event_at (UTC), event_id and what the
                  conditions name; a ref(), the name of a CTE or a subquery with an alias
    start_event   SQL condition: the row is a start event
    return_event  SQL condition: the row is a return event; default: the same
    period        hour, day, week, month
    mode          on (returned in interval k), on_or_after (in interval k or later), brackets (in one
                  of a group of intervals)
    clock         calendar (intervals of the reporting zone), rolling (windows of 24 hours from the
                  start event, floored to the hour; a week is 7 days, a month 30)
    cohorts       first_time (the first start event of all history), recurring (every interval with
                  a start event; with the rolling clock from the first one in it)
    intervals     the greatest k; default: up to the as-of
    brackets      for mode brackets: list of [first k, last k], from 1, in ascending order
    from_day, to_day   cohorts whose interval begins in between, both included
    as_of         the day, or UTC time, from which on nothing is known; default: that of int_as_of
    timezone, week_start   default: the project's variables
    learner_days  the same activity at the grain of learner days; it is read instead of the events
                  when it can answer (see activity_definition)

    retention() gives cohort, interval_index, cohort_size, retained, is_complete: one row per cohort
    and interval that has begun, also where nobody returned. Interval 0 holds the cohort itself.
    With brackets interval_index is the number of the bracket, from 1. A cohort is the first day of
    its interval; of hours the UTC instant. An interval is complete when it has fully elapsed for the
    whole cohort.

    retention_overall() gives per interval the two overall figures over complete cohorts:
    sum_of_cohorts (retained and cohort sizes added up) and unique (different learners). -#}
{% macro retention(
    relation=none,
    start_event=none,
    return_event=none,
    period="week",
    mode="on",
    clock="calendar",
    cohorts="first_time",
    intervals=none,
    brackets=none,
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    learner_days=none
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
                brackets,
                from_day,
                to_day,
                as_of,
                timezone,
                week_start,
                learner_days,
            )
        }}

    select cohort, interval_index, cohort_size, retained, is_complete
    from retention_triangle
{% endmacro %}


{% macro retention_overall(
    relation=none,
    start_event=none,
    return_event=none,
    period="week",
    mode="on",
    clock="calendar",
    cohorts="first_time",
    intervals=none,
    brackets=none,
    from_day=none,
    to_day=none,
    as_of=none,
    timezone=none,
    week_start=none,
    learner_days=none
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
                brackets,
                from_day,
                to_day,
                as_of,
                timezone,
                week_start,
                learner_days,
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
                and {% if mode == "on_or_after" -%}
                    retention_returns.interval_index >= retention_triangle.interval_index
                {%- else -%} retention_returns.interval_index = retention_triangle.interval_index
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


{% macro check_brackets(name, mode, brackets) -%}
    {%- set takes = "a list of [first interval, last interval], from 1 and in ascending order, with mode 'brackets' and no other" -%}
    {%- if mode != "brackets" -%}
        {%- if brackets is not none -%}
            {%- do refuse(name, "brackets", brackets, takes) -%}
        {%- endif -%}
    {%- else -%}
        {%- if brackets is none or brackets is string or brackets is not iterable or not brackets -%}
            {%- do refuse(name, "brackets", brackets, takes) -%}
        {%- endif -%}
        {%- set seen = namespace(last=0) -%}
        {%- for bracket in brackets -%}
            {%- if bracket is string or bracket is not iterable or bracket | length != 2 -%}
                {%- do refuse(name, "brackets", brackets, takes) -%}
            {%- endif -%}
            {%- for end in bracket -%}
                {%- if end is not integer or end is boolean -%}
                    {%- do refuse(name, "brackets", brackets, takes) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- if bracket[0] <= seen.last or bracket[1] < bracket[0] -%}
                {%- do refuse(name, "brackets", brackets, takes) -%}
            {%- endif -%}
            {%- set seen.last = bracket[1] -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


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
    brackets,
    from_day,
    to_day,
    as_of,
    timezone,
    week_start,
    learner_days
) %}
    {%- do check_condition(name, "start_event", start_event) -%}
    {%- set return_event = start_event if return_event is none else return_event -%}
    {%- do check_condition(name, "return_event", return_event) -%}
    {%- do check_choice(name, "period", period, ["hour", "day", "week", "month"]) -%}
    {%- do check_choice(name, "mode", mode, ["on", "on_or_after", "brackets"]) -%}
    {%- do check_choice(name, "clock", clock, ["calendar", "rolling"]) -%}
    {%- do check_choice(name, "cohorts", cohorts, ["first_time", "recurring"]) -%}
    {%- if intervals is not none -%}
        {%- do check_whole(name, "intervals", intervals, 0) -%}
    {%- endif -%}
    {%- do check_brackets(name, mode, brackets) -%}
    {%- set rolling = clock == "rolling" -%}
    {%- set same_event = start_event == return_event -%}
    {%- set window = {"hour": 3600, "day": 86400, "week": 604800, "month": 2592000}[period] -%}
    {%- set chart = activity_definition(
        name,
        relation,
        learner_days,
        (
            {"is_start": start_event}
            if same_event
            else {"is_start": start_event, "is_return": return_event}
        ),
        period,
        "hour" if rolling or period == "hour" else "day",
        as_of,
        timezone,
        week_start,
    ) -%}
    {#- When a start happened, and when a return did, as what intervals are counted between. -#}
    {%- set started = "started_at" if rolling else "cohort" -%}
    {%- set moment = "retention_activity.hour_at" if rolling else "retention_activity.active_in" -%}
    {%- set interval_of_return -%}
        {%- if rolling -%}
            {{ whole_parts(seconds_between("retention_members.started_at", moment), window) }}
        {%- else -%} {{ periods_between("retention_members.cohort", moment, period) }}
        {%- endif -%}
    {%- endset -%}
    {#- A first start and a last return are all that decides then, which one look at each learner tells;
        to tell the intervals apart first takes four times as long. -#}
    {%- set first_to_last = (
        mode == "on_or_after" and cohorts == "first_time" and same_event and not rolling
    ) -%}
    {{ activity_ctes(chart) }},

    {% if not first_to_last -%}
        retention_activity as (
            select
                learner_key,
                {{ chart.active_in }} as active_in
                {%- if rolling %}, hour_at{% endif %}
                {%- if not same_event %}
                    , bool_or(is_start) as is_start, bool_or(is_return) as is_return
                {%- endif %}
            from activity_dated
            group by
                learner_key,
                {{ chart.active_in }}
                {%- if rolling and period != "hour" %}, hour_at{% endif %}
        ),
    {%- endif %}

    retention_starts as (
        {%- if first_to_last %}
            select
                learner_key,
                min({{ chart.active_in }}) as cohort,
                max({{ chart.active_in }}) as last_active_in
            from activity_dated
            group by learner_key
        {%- else %}
            select
                learner_key,
                {% if cohorts == "first_time" -%} min(active_in) as cohort
                {%- else -%} active_in as cohort
                {%- endif %}
                {%- if rolling %}, min(hour_at) as started_at
                {% endif %}
            from retention_activity
            {%- if not same_event %} where is_start
            {%- endif %}
            {%- if cohorts == "first_time" %} group by learner_key
            {%- elif rolling %} group by learner_key, active_in
            {%- endif %}
        {%- endif %}
    ),

    retention_members as (
        select
            learner_key,
            cohort
            {%- if rolling %}, started_at{% endif %}
            {%- if first_to_last %}, last_active_in{% endif %}
        from retention_starts
        where true {{ lies_between(name, "cohort", period, chart.zone, from_day, to_day) }}
    ),

    retention_cohorts as (
        select
            cohort,
            count(*) as cohort_size,
            {% if rolling -%}
                max(started_at) as last_started_at,
                {{
                    whole_parts(
                        seconds_between("min(started_at)", add_seconds(chart.as_of_at, -1)),
                        window,
                    )
                }} as last_index
            {%- else -%} {{ periods_between("cohort", last_interval(chart), period) }} as last_index
            {%- endif %}
        from retention_members
        group by cohort
    ),

    retention_grid as (
        {%- if mode == "brackets" %}
            {%- for bracket in [[0, 0]] + brackets | list %}
                select
                    cohort,
                    cohort_size,
                    {{ loop.index0 }} as interval_index,
                    {{ bracket[1] }} as last_interval
                    {%- if rolling %}, last_started_at{% endif %}
                from retention_cohorts
                where
                    last_index >= {{ bracket[0] }}
                    {%- if intervals is not none %}
                        and {{ bracket[0] }} <= {{ intervals }}
                    {%- endif %}
                {%- if not loop.last %}
                    union all
                {%- endif %}
            {%- endfor %}
        {%- else %}
            select
                cohort,
                cohort_size,
                interval_index,
                interval_index as last_interval
                {%- if rolling %}, last_started_at
                {% endif %}
            from
                (
                    select
                        cohort,
                        cohort_size,
                        {% if rolling %} last_started_at,
                        {% endif %}
                        {{
                            explode_integers(
                                0,
                                (
                                    "last_index"
                                    if intervals is none
                                    else "least(last_index, " ~ intervals ~ ")"
                                ),
                            )
                        }} as interval_index
                    from retention_cohorts
                ) as begun
        {%- endif %}
    ),

    {% if not first_to_last -%}
        retention_returns_by_interval as (
            select
                retention_members.learner_key,
                retention_members.cohort,
                {{ interval_of_return }} as return_interval
            from retention_members
            inner join
                retention_activity
                on retention_members.learner_key = retention_activity.learner_key
                and {{ moment }} > retention_members.{{ started }}
            {%- if not same_event %} where retention_activity.is_return {%- endif %}
        ),
    {%- endif %}

    -- One row per learner, cohort and interval (or bracket) with a return; for on_or_after the last
    -- one is enough.
    retention_returns as (
        {%- if first_to_last %}
            select
                learner_key,
                cohort,
                {{ periods_between("cohort", "last_active_in", period) }} as interval_index
            from retention_members
            where last_active_in > cohort
        {%- elif mode == "on_or_after" %}
            select learner_key, cohort, max(return_interval) as interval_index
            from retention_returns_by_interval
            where return_interval > 0
            group by learner_key, cohort
        {%- elif mode == "brackets" %}
            select distinct
                learner_key,
                cohort,
                case
                    {%- for bracket in brackets %}
                        when return_interval between {{ bracket[0] }} and {{ bracket[1] }}
                        then {{ loop.index }}
                    {%- endfor %}
                end as interval_index
            from retention_returns_by_interval
            where return_interval > 0
        {%- else %}
            select
                {% if rolling %} distinct
                {% endif %}
                learner_key,
                cohort,
                return_interval as interval_index
            from retention_returns_by_interval
            where return_interval > 0
        {%- endif %}
    ),

    retention_counts as (
        select cohort, interval_index, count(*) as learners
        from retention_returns
        group by cohort, interval_index
    ),

    retention_retained as (
        {%- if mode == "on_or_after" %}
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
        {%- else %}select cohort, interval_index, learners as retained from retention_counts
        {%- endif %}
    ),

    retention_triangle as (
        select
            retention_grid.cohort,
            cast(retention_grid.interval_index as bigint) as interval_index,
            retention_grid.cohort_size,
            cast(
                case
                    when retention_grid.interval_index = 0
                    then retention_grid.cohort_size
                    else coalesce(retention_retained.retained, 0)
                end as bigint
            ) as retained,
            {%- if rolling %}
                {{
                    add_seconds(
                        "retention_grid.last_started_at",
                        window ~ " * (retention_grid.last_interval + 1)",
                    )
                }} <= {{ chart.as_of_at }}
                and {{ has_elapsed(chart, add_periods("retention_grid.cohort", 1, period)) }}
                as is_complete
            {%- else %}
                {{
                    has_elapsed(
                        chart,
                        add_periods(
                            "retention_grid.cohort", "retention_grid.last_interval + 1", period
                        ),
                    )
                }} as is_complete
            {%- endif %}
        from retention_grid
        left join
            retention_retained
            on retention_grid.cohort = retention_retained.cohort
            and retention_grid.interval_index = retention_retained.interval_index
    )
{%- endmacro %}
