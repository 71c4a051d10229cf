{{ config(materialized="ephemeral") }}

with

    events as (
        select
            event_id,
            app,
            event_type,
            event_at,
            {{ local_date("event_at") }} as activity_date,
            user_key,
            device_key,
            amplitude_key,
            session_id,
            platform,
            country,
            course_id,
            plan,
            properties
        from {{ ref("stg_amplitude__events") }}
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

    final as (
        select
            events.event_id,
            {{ identity_learner("events") }} as learner_key,
            {{ identity_is_anonymous("events") }} as is_anonymous,
            events.event_type,
            events.event_at,
            events.activity_date,
            coalesce(meanings.is_learning, false) as is_learning,
            coalesce(meanings.is_visit, false) as is_visit,
            events.session_id,
            events.platform,
            events.country,
            events.course_id,
            events.plan,
            events.properties
        from events {{ identity_joins("events") }}
        left join meanings on events.app = meanings.app and events.event_type = meanings.event_type
    )

select *
from final
