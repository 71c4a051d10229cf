with

    events as (
        select
            event_id,
            learner_key,
            meaning,
            activity_date,
            {{ map_value("properties", var("planned_session_property")) }} as session
        from {{ ref("int_milestones") }}
        where
            meaning in ('session_planned', 'session_missed', 'session_cancelled')
            and learner_key is not null
            and not is_after_as_of
    ),

    -- Events that name no session cannot be told to be about the same one: each is its own.
    sessions as (
        select
            learner_key,
            coalesce(session, cast(event_id as varchar)) as session,
            max(case when session is not null then 1 else 0 end) as is_named,
            coalesce(
                min(case when meaning = 'session_planned' then activity_date end),
                min(activity_date)
            ) as planned_on,
            max(case when meaning = 'session_planned' then 1 else 0 end) as was_planned,
            max(case when meaning = 'session_missed' then 1 else 0 end) as was_missed,
            max(case when meaning = 'session_cancelled' then 1 else 0 end) as was_cancelled
        from events
        group by learner_key, coalesce(session, cast(event_id as varchar))
    ),

    counted as (
        select
            {{ start_of_period("planned_on", "month") }} as month,
            case
                when is_named = 1
                then (1 - was_cancelled) * greatest(was_planned, was_missed)
                else was_planned - was_cancelled
            end as planned,
            case
                when is_named = 1 then (1 - was_cancelled) * was_missed else was_missed
            end as missed,
            was_cancelled as cancelled
        from sessions
    ),

    months as (
        select
            month,
            cast(sum(planned) as bigint) as planned,
            cast(sum(missed) as bigint) as missed,
            cast(sum(cancelled) as bigint) as cancelled
        from counted
        group by month
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    final as (
        select
            months.month,
            months.planned,
            months.missed,
            months.cancelled,
            case
                when months.planned > 0 then cast(months.missed as double) / months.planned
            end as absenteeism,
            {{ add_periods("months.month", 1, "month") }} <= as_of.as_of_date as is_complete
        from months
        cross join as_of
    )

select *
from final
