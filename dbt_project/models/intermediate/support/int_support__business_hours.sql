with

    schedules as (
        select schedule_id, time_zone, intervals, valid_from_at, valid_to_at
        from {{ ref("stg_zendesk__schedules") }}
    ),

    holidays as (select schedule_id, starts_on, ends_on from {{ ref("stg_zendesk__holidays") }}),

    tickets as (select created_at from {{ ref("int_support__tickets") }}),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    -- A schedule's clock can be a day ahead of UTC, or behind.
    bounds as (
        select
            {{ add_days("cast(min(tickets.created_at) as date)", -1) }} as first_day,
            {{ add_days("cast(max(as_of.as_of_at) as date)", 1) }} as last_day
        from as_of
        left join tickets on true
    ),

    zones as (select distinct time_zone from schedules),

    -- What each zone's clock is ahead of UTC. Where that differs from one day to the next, the hour
    -- and then the minute are found in which the clocks change.
    days as (
        select
            zones.time_zone,
            cast(
                {{ explode_dates("bounds.first_day", "bounds.last_day") }} as timestamp
            ) as starts_at
        from zones
        cross join bounds
    ),
    {% for unit, seconds, finer in [
        ("days", 86400, "hours"),
        ("hours", 3600, "minutes"),
        ("minutes", 60, "changes"),
    ] %}
        {{ unit }}_compared as (
            select
                time_zone,
                starts_at,
                {{ seconds_between("starts_at", clock_time("starts_at", "time_zone")) }}
                as offset_seconds,
                {{
                    seconds_between(
                        add_seconds("starts_at", seconds),
                        clock_time(add_seconds("starts_at", seconds), "time_zone"),
                    )
                }} as next_offset_seconds
            from {{ unit }}
        ),

        {% if not loop.last %}
            {{ unit }}_exploded as (
                select
                    time_zone,
                    starts_at,
                    {{ explode_integers(0, seconds // (3600 if unit == "days" else 60) - 1) }}
                    as number
                from {{ unit }}_compared
                where offset_seconds != next_offset_seconds
            ),

            {{ finer }} as (
                select
                    time_zone,
                    {{ add_seconds("starts_at", "number * " ~ (3600 if unit == "days" else 60)) }}
                    as starts_at
                from {{ unit }}_exploded
            ),
        {% endif %}
    {% endfor %}

    offsets as (
        select
            time_zone, {{ add_seconds("starts_at", 60) }} as from_at, next_offset_seconds as seconds
        from minutes_compared
        where offset_seconds != next_offset_seconds
        union all
        select
            time_zone,
            min(starts_at) as from_at,
            {{ first_by("offset_seconds", "starts_at") }} as seconds
        from days_compared
        group by time_zone
    ),

    clocks as (
        select
            offsets.time_zone,
            offsets.seconds,
            offsets.from_at,
            coalesce(
                lead(offsets.from_at) over (
                    partition by offsets.time_zone order by offsets.from_at
                ),
                cast({{ add_days("bounds.last_day", 1) }} as timestamp)
            ) as until_at
        from offsets
        cross join bounds
    ),

    weeks as (
        select
            schedule_id,
            time_zone,
            valid_from_at,
            valid_to_at,
            {{ explode_list("intervals") }} as opening
        from schedules
    ),

    openings as (
        select
            weeks.schedule_id,
            weeks.time_zone,
            weeks.valid_from_at,
            weeks.valid_to_at,
            weeks.opening.start_minute as start_minute,
            weeks.opening.end_minute as end_minute,
            {{ explode_dates("bounds.first_day", "bounds.last_day") }} as day
        from weeks
        cross join bounds
    ),

    -- The part of an opening that lies on a day, in minutes of that day; Sunday begins the week.
    opened_days as (
        select
            schedule_id,
            time_zone,
            valid_from_at,
            valid_to_at,
            day,
            greatest(start_minute - 1440 * ({{ iso_weekday("day") }} % 7), 0) as start_minute,
            least(end_minute - 1440 * ({{ iso_weekday("day") }} % 7), 1440) as end_minute
        from openings
    ),

    open_days as (
        select
            opened_days.schedule_id,
            opened_days.time_zone,
            opened_days.valid_from_at,
            opened_days.valid_to_at,
            {{ add_seconds("cast(opened_days.day as timestamp)", "60 * opened_days.start_minute") }}
            as opens_on_clock,
            {{ add_seconds("cast(opened_days.day as timestamp)", "60 * opened_days.end_minute") }}
            as closes_on_clock
        from opened_days
        left join
            holidays
            on opened_days.schedule_id = holidays.schedule_id
            and opened_days.day between holidays.starts_on and holidays.ends_on
        where holidays.schedule_id is null and opened_days.start_minute < opened_days.end_minute
    ),

    -- Open is when the clock on the wall shows opening hours: a time that it skips never comes, and
    -- one that it shows twice is open twice.
    stretches as (
        select
            open_days.schedule_id,
            greatest(
                {{ add_seconds("open_days.opens_on_clock", "- clocks.seconds") }},
                clocks.from_at,
                coalesce(open_days.valid_from_at, clocks.from_at)
            ) as opens_at,
            least(
                {{ add_seconds("open_days.closes_on_clock", "- clocks.seconds") }},
                clocks.until_at,
                coalesce(open_days.valid_to_at, clocks.until_at)
            ) as closes_at
        from open_days
        inner join
            clocks
            on open_days.time_zone = clocks.time_zone
            and open_days.opens_on_clock < {{ add_seconds("clocks.until_at", "clocks.seconds") }}
            and open_days.closes_on_clock > {{ add_seconds("clocks.from_at", "clocks.seconds") }}
    ),

    -- Cut at midnight of UTC, so that an instant is looked up by its day.
    cut_days as (
        select
            schedule_id,
            opens_at,
            closes_at,
            cast(
                {{ explode_dates("cast(opens_at as date)", "cast(closes_at as date)") }}
                as timestamp
            ) as midnight
        from stretches
        where opens_at < closes_at
    ),

    marks as (
        select
            schedule_id,
            greatest(opens_at, midnight) as from_at,
            least(closes_at, {{ add_seconds("midnight", 86400) }}) as open_until_at
        from cut_days
        where closes_at > midnight
        union all
        select known.schedule_id, days.starts_at as from_at, days.starts_at as open_until_at
        from (select distinct schedule_id, time_zone from schedules) as known
        inner join days on known.time_zone = days.time_zone
    ),

    distinct_marks as (select distinct schedule_id, from_at, open_until_at from marks),

    final as (
        select
            schedule_id,
            cast(from_at as date) as utc_date,
            from_at,
            coalesce(lead(from_at) over ordered, {{ add_seconds("from_at", 86400) }}) as until_at,
            open_until_at,
            cast(
                sum({{ seconds_between("from_at", "open_until_at") }}) over so_far
                - {{ seconds_between("from_at", "open_until_at") }} as bigint
            ) as seconds_before
        from distinct_marks
        window
            ordered as (partition by schedule_id order by from_at, open_until_at),
            so_far as (
                partition by schedule_id
                order by from_at, open_until_at
                rows between unbounded preceding and current row
            )
    )

select *
from final
