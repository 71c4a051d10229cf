{%- set meanings = [
    "signup",
    "course_enrolled",
    "course_started",
    "course_completed",
    "course_certified",
    "course_failed",
    "course_withdrawn",
    "graduated",
    "plan_started",
    "plan_changed",
    "plan_ended",
    "outcome_reported",
    "session_planned",
    "session_missed",
    "session_cancelled",
] -%}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_days",
        on_schema_change="sync_all_columns",
        meanings=meanings,
    )
}}

with

    meanings as (
        select distinct app, event_type
        from {{ ref("stg_amplitude__meanings") }}
        where meaning in ('{{ meanings | join("', '") }}')
    ),

    events as (
        select
            event_id,
            file_id,
            line_number,
            app,
            event_type,
            event_at,
            server_uploaded_at,
            user_key,
            device_key,
            amplitude_key,
            email_key,
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
        from {{ ref("stg_amplitude__events") }}
        where not is_excluded and {{ in_touched_days("event_at", meanings) }}
    ),

    final as (
        select
            events.event_id,
            events.file_id,
            events.line_number,
            events.app,
            events.event_type,
            events.event_at,
            {{ local_date("events.event_at") }} as activity_date,
            events.server_uploaded_at,
            events.user_key,
            events.device_key,
            events.amplitude_key,
            events.email_key,
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
            events.properties,
            '{{ rules_hash(meanings) }}' as rules_hash
        from events
        inner join meanings on events.app = meanings.app and events.event_type = meanings.event_type
    )

select *
from final
