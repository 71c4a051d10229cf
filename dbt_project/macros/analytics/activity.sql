{#- What retention, lifecycle and stickiness are made of: who was active in which interval. -#}
{#- The columns that learner days have in common with events. -#}
{% macro learner_day_columns() -%}
    {{ return(["learner_key", "event_type", "is_learning", "is_visit", "is_anonymous"]) }}
{%- endmacro %}


{#- Whether SQL conditions name nothing but `columns`. Every other word is taken for a column or a
    function, so that a doubt means no. -#}
{% macro reads_only(conditions, columns) -%}
    {%- set words = [
        "and",
        "or",
        "not",
        "in",
        "is",
        "null",
        "true",
        "false",
        "between",
        "like",
    ] -%}
    {%- set others = [] -%}
    {%- for condition in conditions -%}
        {%- set without_texts = modules.re.sub("'(?:[^']|'')*'", " ", condition) -%}
        {%- for word in modules.re.findall("[^\W\d]\w*", without_texts) -%}
            {%- if word | lower not in words + columns -%}
                {%- do others.append(word) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(others | length == 0) }}
{%- endmacro %}


{#- Checks the arguments that the charts of activity share, and chooses what they are computed from:
    learner days where they can answer (a day or longer, the calendar clock, the reporting zone,
    conditions on columns that learner days have), since they are far fewer than the events.

    flags       condition by name: which kinds of activity to tell apart
    grain       `hour` where the chart needs the hour of an event, else `day`
    expressions   further SQL expressions that the chart needs

    Gives a dictionary that the macros below read. -#}
{% macro activity_definition(
    name,
    relation,
    learner_days,
    flags,
    period,
    grain,
    as_of,
    timezone,
    week_start,
    expressions=[]
) -%}
    {%- for argument in [relation, learner_days] -%}
        {%- if argument is not none and not argument | string | trim -%}
            {%- do refuse(
                name,
                "relation",
                argument,
                "a ref(), the name of a CTE or a subquery with an alias",
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set zone = zone_of(name, timezone) -%}
    {%- set days_can_answer = (
        grain == "day"
        and period != "hour"
        and zone == var("reporting_timezone")
        and (as_of is none or kind_of_moment(name, "as_of", as_of) != "time")
        and reads_only(flags.values() | list + expressions, learner_day_columns())
    ) -%}
    {%- if relation is none and learner_days is none -%}
        {%- do refuse(
            name,
            "relation",
            relation,
            "events with learner_key, event_type, event_at and event_id",
        ) -%}
    {%- elif relation is none and not days_can_answer -%}
        {%- do refuse(
            name,
            "relation",
            relation,
            "events: learner_days alone cannot tell hours, rolling clocks, other time zones, or "
            ~ "conditions on more than "
            ~ learner_day_columns()
            | join(", "),
        ) -%}
    {%- endif -%}
    {%- set from_days = learner_days is not none and days_can_answer -%}
    {%- set as_of_at = as_of_instant(name, as_of, zone) -%}
    {{
        return(
            {
                "name": name,
                "relation": learner_days if from_days else relation,
                "from_days": from_days,
                "flags": flags,
                "period": period,
                "grain": grain,
                "zone": zone,
                "week_start": week_start_of(name, week_start),
                "as_of_at": as_of_at,
                "as_of_day": (
                    as_of_day(name, as_of)
                    if (zone == var("reporting_timezone") or as_of is not none)
                    and (as_of is none or kind_of_moment(name, "as_of", as_of) != "time")
                    else local_date(as_of_at, zone)
                ),
                "active_in": (
                    "hour_at"
                    if period == "hour"
                    else start_of_period("active_on", period, week_start_of(name, week_start))
                ),
                "expressions": expressions,
            }
        )
    }}
{%- endmacro %}


{#- The last interval that has begun. -#}
{% macro last_interval(chart) -%}
    {%- set last_second = add_seconds(chart.as_of_at, -1) -%}
    {%- if chart.period == "hour" -%} {{ start_of_hour(last_second, chart.zone) }}
    {%- elif chart.from_days -%}
        {{ start_of_period(add_days(chart.as_of_day, -1), chart.period, chart.week_start) }}
    {%- else -%}
        {{ start_of_period(local_date(last_second, chart.zone), chart.period, chart.week_start) }}
    {%- endif -%}
{%- endmacro %}


{#- Whether everything before the start of an interval has elapsed. -#}
{% macro has_elapsed(chart, start) -%}
    {{ start }} <= {{ chart.as_of_at if chart.period == "hour" else chart.as_of_day }}
{%- endmacro %}


{#- CTEs, the last of which is activity_dated: learner_key, active_on (the reporting day), hour_at (of
    events, where the grain is the hour: the UTC instant at which the hour of the reporting zone
    began) and the flags, if there is more than one. The relation is scanned once.

    Asking the time zone library per event takes most of the time of a large chart (50 million
    events: 50 s), so it is asked once per day since 2000; days before are asked for one by one. -#}
{% macro activity_ctes(chart) -%}
    {%- set tells_apart = chart.flags | length > 1 -%}
    {%- set is_active -%}
        {%- for condition in chart.flags.values() -%}
            ({{ condition }}) {%- if not loop.last %} or {% endif -%}
        {%- endfor -%}
    {%- endset -%}
    {%- if chart.from_days %}
        activity_dated as (
            select
                learner_key,
                activity_date as active_on
                {%- if tells_apart %}
                    {%- for flag, condition in chart.flags.items() %}
                        , coalesce({{ condition }}, false) as {{ flag }}
                    {%- endfor %}
                {%- endif %}
            from {{ chart.relation }}
            where activity_date < {{ chart.as_of_day }} and ({{ is_active }})
        )
    {%- else %}
        activity_utc_days as (
            select
                {{
                    explode_dates(
                        "cast('2000-01-01' as date)",
                        "cast(" ~ add_seconds(chart.as_of_at, 2 * 86400) ~ " as date)",
                    )
                }} as utc_date
        ),

        activity_midnights as (
            select utc_date, {{ start_of_day("utc_date", chart.zone) }} as begins_at
            from activity_utc_days
        ),

        activity_bounds as (
            select
                utc_date,
                begins_at,
                lag(begins_at) over (order by utc_date) as previous_begins_at,
                lead(begins_at) over (order by utc_date) as next_begins_at
            from activity_midnights
        ),

        activity_rows as (
            select
                learner_key,
                event_at
                {%- if tells_apart %}
                    {%- for flag, condition in chart.flags.items() %}
                        , coalesce({{ condition }}, false) as {{ flag }}
                    {%- endfor %}
                {%- endif %}
                {%- for expression in chart.expressions %}
                    , {{ expression }} as expression_{{ loop.index }}
                {%- endfor %}
            from {{ chart.relation }}
            where event_at < {{ chart.as_of_at }} and learner_key is not null and ({{ is_active }})
        ),

        activity_days as (
            select
                activity_rows.*,
                case
                    when bounds.previous_begins_at is null
                    then {{ local_date("activity_rows.event_at", chart.zone) }}
                    when activity_rows.event_at < bounds.begins_at
                    then {{ add_days("bounds.utc_date", -1) }}
                    when activity_rows.event_at >= bounds.next_begins_at
                    then {{ add_days("bounds.utc_date", 1) }}
                    else bounds.utc_date
                end as active_on
                {%- if chart.grain == "hour" %}
                    ,
                    case
                        when bounds.previous_begins_at is null
                        then null
                        when activity_rows.event_at < bounds.begins_at
                        then bounds.previous_begins_at
                        when activity_rows.event_at >= bounds.next_begins_at
                        then bounds.next_begins_at
                        else bounds.begins_at
                    end as day_begins_at
                {%- endif %}
            from activity_rows
            left join
                activity_bounds as bounds on cast(activity_rows.event_at as date) = bounds.utc_date
        ),

        activity_dated as (
            select
                activity_days.*
                {%- if chart.grain == "hour" %}
                    ,
                    case
                        when day_begins_at is null
                        then {{ start_of_hour("event_at", chart.zone) }}
                        else
                            {{
                                add_seconds(
                                    "day_begins_at",
                                    "3600 * "
                                    ~ whole_parts(
                                        seconds_between("day_begins_at", "event_at"), 3600
                                    ),
                                )
                            }}
                    end as hour_at
                {%- endif %}
            from activity_days
        )
    {%- endif %}
{%- endmacro %}
