with

    events as (
        select user_key, device_key, amplitude_key, email_key, activity_date, first_event_at
        from {{ ref("int_emails_by_id") }}
        where user_key is null
    ),

    emails as (select email_key, user_key from {{ ref("int_identity__emails") }}),

    unresolved as (
        select
            {{ identity_anonymous_key("events") }} as anonymous_key,
            events.email_key,
            events.first_event_at
        from events {{ identity_joins("events", by_email=false) }}
        where {{ identity_user("events") }} is null
    ),

    ranked as (
        select
            unresolved.anonymous_key,
            emails.user_key,
            row_number() over (
                partition by unresolved.anonymous_key
                order by unresolved.first_event_at, emails.user_key
            ) as position
        from unresolved
        inner join emails on unresolved.email_key = emails.email_key
        where unresolved.anonymous_key is not null
    ),

    final as (select anonymous_key, user_key from ranked where position = 1)

select *
from final
