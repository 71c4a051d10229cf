{#- Business time: what a wait costs in opening hours, without counting through it. A clock of
    business seconds runs per schedule (int_support__business_hours holds its reading wherever it
    starts, stops or a day begins); a wait is the difference of two readings. -#}
{#- One row per wait with its business_seconds, null where the hours of a schedule that the ticket was
    under are not known.

    waits  a relation with ticket_id, wait (which of the ticket's), began_at, ended_at -#}
{% macro business_seconds(waits) %}
    with

        business_pieces as (
            select
                waits.ticket_id,
                waits.wait,
                schedules.schedule_id,
                greatest(waits.began_at, schedules.from_at) as began_at,
                least(waits.ended_at, coalesce(schedules.until_at, waits.ended_at)) as ended_at
            from {{ waits }} as waits
            inner join
                {{ ref("int_support__ticket_schedules") }} as schedules
                on waits.ticket_id = schedules.ticket_id
                and (schedules.from_at < waits.ended_at or schedules.from_at = waits.began_at)
                and (schedules.until_at > waits.began_at or schedules.until_at is null)
        ),

        -- Two readings, each found by schedule and day: a year costs as much as an hour.
        business_readings as (
            select
                pieces.ticket_id,
                pieces.wait,
                {{ business_clock("ends", "pieces.ended_at") }}
                - {{ business_clock("begins", "pieces.began_at") }} as seconds
            from business_pieces as pieces
            left join
                {{ ref("int_support__business_hours") }} as begins
                on pieces.schedule_id = begins.schedule_id
                and cast(pieces.began_at as date) = begins.utc_date
                and pieces.began_at >= begins.from_at
                and pieces.began_at < begins.until_at
            left join
                {{ ref("int_support__business_hours") }} as ends
                on pieces.schedule_id = ends.schedule_id
                and cast(pieces.ended_at as date) = ends.utc_date
                and pieces.ended_at >= ends.from_at
                and pieces.ended_at < ends.until_at
        )

    select
        ticket_id,
        wait,
        cast(
            case when count(*) = count(seconds) then sum(seconds) end as bigint
        ) as business_seconds
    from business_readings
    group by ticket_id, wait
{% endmacro %}

{#- What the business clock of a schedule reads at an instant of a row's stretch. -#}
{% macro business_clock(hours, instant) -%}
    (
        {{ hours }}.seconds_before
        + {{
            seconds_between(
                hours ~ ".from_at", "least(" ~ instant ~ ", " ~ hours ~ ".open_until_at)"
            )
        }}
    )
{%- endmacro %}
