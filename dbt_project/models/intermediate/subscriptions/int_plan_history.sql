with

    milestones as (
        select event_id, learner_key, meaning, event_at, activity_date, plan
        from {{ ref("int_milestones") }}
        where
            meaning in ('plan_started', 'plan_changed', 'plan_ended')
            and learner_key is not null
            and not is_after_as_of
    ),

    -- A start or change says which plan runs from now on; an end that names the plan says which one
    -- ended. Of the same instant ends come first: a change may be sent as an end and a start.
    changes as (
        select
            event_id,
            learner_key,
            event_at,
            activity_date,
            case when meaning = 'plan_ended' then 0 else 1 end as step,
            case when meaning != 'plan_ended' then plan end as started_plan,
            case when meaning = 'plan_ended' and plan != 'free' then plan end as ended_plan
        from milestones
        where meaning = 'plan_ended' or plan is not null
    ),

    running as (
        select
            event_id,
            learner_key,
            event_at,
            activity_date,
            step,
            ended_plan,
            last_value(started_plan ignore nulls) over (
                partition by learner_key
                order by event_at, step, started_plan, event_id
                rows between unbounded preceding and current row
            ) as last_started_plan
        from changes
    ),

    -- The late end of a plan that was already replaced by another one ends nothing.
    states as (
        select
            event_id,
            learner_key,
            event_at,
            activity_date,
            step,
            case when step = 0 then 'free' else last_started_plan end as plan
        from running
        where step = 1 or ended_plan is null or ended_plan = last_started_plan
    ),

    compared as (
        select
            event_id,
            learner_key,
            event_at,
            activity_date,
            step,
            plan,
            lag(plan) over (
                partition by learner_key order by event_at, step, plan, event_id
            ) as previous_plan
        from states
    ),

    final as (
        select
            learner_key,
            plan,
            event_at as valid_from_at,
            lead(event_at) over (
                partition by learner_key order by event_at, step, plan, event_id
            ) as valid_to_at,
            activity_date as valid_from,
            lead(activity_date) over (
                partition by learner_key order by event_at, step, plan, event_id
            ) as valid_to
        from compared
        where plan != coalesce(previous_plan, 'free')
    )

select *
from final
