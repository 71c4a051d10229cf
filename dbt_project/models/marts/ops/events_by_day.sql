with

    learner_days as (
        select user_key, device_key, amplitude_key, activity_date, is_excluded, events
        from {{ ref("int_learner_days_by_id") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    judged as (
        select
            learner_days.activity_date as date,
            case
                when learner_days.is_excluded
                then 'excluded'
                when learner_days.activity_date >= as_of.as_of_date
                then 'after_as_of'
                when
                    coalesce(
                        learner_days.user_key, learner_days.amplitude_key, learner_days.device_key
                    )
                    is null
                then 'without_id'
                else 'counted'
            end as status,
            learner_days.events
        from learner_days
        cross join as_of
    ),

    final as (
        select date, status, cast(sum(events) as bigint) as events from judged group by date, status
    )

select *
from final
