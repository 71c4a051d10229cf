with

    learner_days as (
        select user_key, device_key, amplitude_key, activity_date, app, event_type, events
        from {{ ref("int_learner_days_by_id") }}
        where not is_excluded
    ),

    meanings as (
        select
            app,
            event_type,
            bool_or(meaning = 'learning') as is_learning,
            bool_or(meaning = 'visit') as is_visit
        from {{ ref("stg_amplitude__meanings") }}
        group by app, event_type
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    resolved as (
        select
            {{ identity_learner("learner_days") }} as learner_key,
            {{ identity_is_anonymous("learner_days") }} as is_anonymous,
            learner_days.activity_date,
            learner_days.app,
            learner_days.event_type,
            learner_days.events
        from learner_days {{ identity_joins("learner_days") }}
    ),

    final as (
        select
            resolved.learner_key,
            resolved.activity_date,
            resolved.event_type,
            cast(sum(resolved.events) as bigint) as events,
            bool_or(coalesce(meanings.is_learning, false)) as is_learning,
            bool_or(coalesce(meanings.is_visit, false)) as is_visit,
            bool_or(resolved.is_anonymous) as is_anonymous
        from resolved
        inner join as_of on resolved.activity_date < as_of.as_of_date
        left join
            meanings on resolved.app = meanings.app and resolved.event_type = meanings.event_type
        where resolved.learner_key is not null
        group by resolved.learner_key, resolved.activity_date, resolved.event_type
    )

select *
from final
