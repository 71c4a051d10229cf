{#- Sessions (definitions, section 3): events of a learner on one kind of device, without a silence
    of more than 30 minutes on the web or 5 on a mobile device (convention: the limit itself is no
    silence). A session is dated by its start. Events with session id -1 (or none) are out of session.

    relation     events with learner_key, event_id, event_at (UTC) and session_id
    is_mobile    SQL condition: the event comes from a mobile device
    web_minutes, mobile_minutes   the longest silence within a session
    as_of        the day, or UTC time, from which on nothing is known; default: that of int_as_of
    timezone     of session_date; default: the project's variable

    Gives learner_key, is_mobile, started_at, ended_at, session_date, session_number (of the learner,
    from 1, by start), events, seconds. -#}
{% macro sessions(
    relation=none,
    is_mobile=none,
    web_minutes=30,
    mobile_minutes=5,
    as_of=none,
    timezone=none
) %}
    {%- set name = "sessions" -%}
    {%- if relation is none -%}
        {%- do refuse(
            name,
            "relation",
            relation,
            "events with learner_key, event_id, event_at and session_id",
        ) -%}
    {%- endif -%}
    {%- do check_condition(name, "is_mobile", is_mobile) -%}
    {%- do check_whole(name, "web_minutes", web_minutes, 1) -%}
    {%- do check_whole(name, "mobile_minutes", mobile_minutes, 1) -%}
    {%- set zone = zone_of(name, timezone) -%}
    with

        session_events as (
            select learner_key, event_id, event_at, coalesce({{ is_mobile }}, false) as is_mobile
            from {{ relation }}
            where
                session_id != -1
                and learner_key is not null
                and event_at < {{ as_of_instant(name, as_of, zone) }}
        ),

        session_previous as (
            select
                learner_key,
                is_mobile,
                event_id,
                event_at,
                lag(event_at) over (
                    partition by learner_key, is_mobile order by event_at, event_id
                ) as previous_at
            from session_events
        ),

        session_starts as (
            select
                learner_key,
                is_mobile,
                event_id,
                event_at,
                case
                    when
                        event_at <= case
                            when is_mobile
                            then {{ add_seconds("previous_at", mobile_minutes * 60) }}
                            else {{ add_seconds("previous_at", web_minutes * 60) }}
                        end
                    then 0
                    else 1
                end as is_start
            from session_previous
        ),

        session_numbered as (
            select
                learner_key,
                is_mobile,
                event_at,
                sum(is_start) over (
                    partition by learner_key, is_mobile
                    order by event_at, event_id
                    rows between unbounded preceding and current row
                ) as number
            from session_starts
        ),

        session_bounds as (
            select
                learner_key,
                is_mobile,
                number,
                min(event_at) as started_at,
                max(event_at) as ended_at,
                count(*) as events
            from session_numbered
            group by learner_key, is_mobile, number
        )

    select
        learner_key,
        is_mobile,
        started_at,
        ended_at,
        {{ local_date("started_at", zone) }} as session_date,
        row_number() over (
            partition by learner_key order by started_at, is_mobile
        ) as session_number,
        events,
        {{ seconds_between("started_at", "ended_at") }} as seconds
    from session_bounds
{% endmacro %}
