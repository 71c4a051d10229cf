with

    -- The days are read where they are needed: of a relation with a name that is read more than
    -- once, DuckDB makes a copy in memory, of years.
    -- Most devices never send an anonymous event, and those that do mostly do before the first
    -- sign-in: this table is small, since only sign-ins that such an event may belong to are in it.
    last_anonymous as (
        select device_key, max(activity_date) as activity_date
        from {{ ref("int_learner_days_by_id") }}
        where not is_excluded and device_key is not null and user_key is null
        group by device_key
    ),

    -- From the day of the last anonymous event on, only the first sign-in decides: these days are
    -- one group, so that all the years need not be read again to find the first of them.
    sign_ins as (
        select
            learner_days.device_key,
            learner_days.user_key,
            case
                when learner_days.activity_date < last_anonymous.activity_date
                then learner_days.activity_date
            end as day_before_last,
            min(learner_days.activity_date) as activity_date,
            min(learner_days.first_event_at) as first_event_at
        from {{ ref("int_learner_days_by_id") }} as learner_days
        inner join last_anonymous on learner_days.device_key = last_anonymous.device_key
        where not learner_days.is_excluded and learner_days.user_key is not null
        group by
            learner_days.device_key,
            learner_days.user_key,
            case
                when learner_days.activity_date < last_anonymous.activity_date
                then learner_days.activity_date
            end
    ),

    ranked as (
        select
            device_key,
            activity_date,
            user_key,
            row_number() over (
                partition by device_key, day_before_last order by first_event_at, user_key
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
