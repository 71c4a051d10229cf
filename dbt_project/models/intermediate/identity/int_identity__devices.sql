with

    learner_days as (
        select user_key, device_key, activity_date, first_event_at
        from {{ ref("int_learner_days_by_id") }}
        where not is_excluded and device_key is not null
    ),

    -- Most devices never send an anonymous event; asking only for those that do keeps this table
    -- small.
    anonymous_devices as (select distinct device_key from learner_days where user_key is null),

    sign_ins as (
        select
            learner_days.device_key,
            learner_days.activity_date,
            learner_days.user_key,
            min(learner_days.first_event_at) as first_event_at
        from learner_days
        inner join anonymous_devices on learner_days.device_key = anonymous_devices.device_key
        where learner_days.user_key is not null
        group by learner_days.device_key, learner_days.activity_date, learner_days.user_key
    ),

    ranked as (
        select
            device_key,
            activity_date,
            user_key,
            row_number() over (
                partition by device_key, activity_date order by first_event_at, user_key
            ) as position
        from sign_ins
    ),

    first_of_day as (
        select
            device_key,
            user_key,
            activity_date,
            lag(activity_date) over (
                partition by device_key order by activity_date
            ) as previous_date
        from ranked
        where position = 1
    ),

    final as (
        select
            device_key,
            user_key,
            coalesce({{ add_days("previous_date", 1) }}, cast('0001-01-01' as date)) as valid_from,
            activity_date as valid_to
        from first_of_day
    )

select *
from final
