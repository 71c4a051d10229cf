with

    events as (
        select
            event_id,
            file_id,
            line_number,
            app,
            event_type,
            event_at,
            activity_date,
            server_uploaded_at,
            user_key,
            country,
            course_id,
            plan,
            spoken_language,
            channel,
            outcome_type,
            outcome_date,
            outcome_date_text,
            credited,
            would_not_have_happened,
            quantity,
            properties
        from {{ ref("int_milestones_by_id") }}
    ),

    meanings as (
        select app, event_type, meaning
        from {{ ref("stg_amplitude__meanings") }}
        where meaning not in ('learning', 'lesson_completed', 'visit', 'login')
    ),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    emails as (select email_key, user_key from {{ ref("int_identity__emails") }}),

    -- Only these are looked up, and by their ids alone: joining all events, as wide as they are,
    -- costs five times as much. Read from the table, since DuckDB copies `events` if read twice.
    without_user as (
        select event_id, user_key, device_key, amplitude_key, email_key, activity_date
        from {{ ref("int_milestones_by_id") }}
        where user_key is null
    ),

    -- An event without any id but an e-mail address still has a person.
    looked_up as (
        select
            without_user.event_id,
            coalesce(
                {{ identity_learner("without_user") }}, emails.user_key, without_user.email_key
            ) as learner_key,
            {{ identity_is_anonymous("without_user") }} and emails.user_key is null as is_anonymous
        from without_user {{ identity_joins("without_user") }}
        left join
            emails
            on case
                when {{ identity_learner("without_user") }} is null then without_user.email_key
            end
            = emails.email_key
    ),

    resolved as (
        select
            events.event_id,
            events.file_id,
            events.line_number,
            coalesce(events.user_key, looked_up.learner_key) as learner_key,
            coalesce(looked_up.is_anonymous, false) as is_anonymous,
            events.app,
            events.event_type,
            events.event_at,
            events.activity_date,
            events.server_uploaded_at,
            events.country,
            events.course_id,
            events.plan,
            events.spoken_language,
            events.channel,
            events.outcome_type,
            events.outcome_date,
            events.outcome_date_text,
            events.credited,
            events.would_not_have_happened,
            events.quantity,
            events.properties
        from events
        left join looked_up on events.event_id = looked_up.event_id
    ),

    final as (
        select
            resolved.event_id,
            meanings.meaning,
            resolved.file_id,
            resolved.line_number,
            resolved.learner_key,
            resolved.is_anonymous,
            resolved.app,
            resolved.event_type,
            resolved.event_at,
            resolved.activity_date,
            resolved.server_uploaded_at,
            resolved.country,
            resolved.course_id,
            resolved.plan,
            resolved.spoken_language,
            resolved.channel,
            resolved.outcome_type,
            resolved.outcome_date,
            resolved.outcome_date_text,
            resolved.credited,
            resolved.would_not_have_happened,
            resolved.quantity,
            resolved.properties,
            resolved.event_at >= as_of.as_of_at as is_after_as_of
        from resolved
        inner join
            meanings on resolved.app = meanings.app and resolved.event_type = meanings.event_type
        cross join as_of
    )

select *
from final
