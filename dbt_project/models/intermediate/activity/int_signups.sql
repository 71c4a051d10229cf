with

    milestones as (
        select
            event_id, learner_key, is_anonymous, event_at, activity_date, spoken_language, country
        from {{ ref("int_milestones") }}
        where meaning = 'signup' and learner_key is not null and not is_after_as_of
    ),

    ranked as (
        select
            learner_key,
            is_anonymous,
            event_at,
            activity_date,
            spoken_language,
            country,
            row_number() over (partition by learner_key order by event_at, event_id) as position
        from milestones
    ),

    final as (
        select
            learner_key,
            is_anonymous,
            event_at as signed_up_at,
            activity_date as signup_date,
            spoken_language as signup_language,
            country as signup_country
        from ranked
        where position = 1
    )

select *
from final
