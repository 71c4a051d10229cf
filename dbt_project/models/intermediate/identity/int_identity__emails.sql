with

    zendesk_users as (
        select user_key, email_key, created_at
        from {{ ref("stg_zendesk__users") }}
        where user_key is not null and email_key is not null
    ),

    events as (
        select user_key, device_key, amplitude_key, email_key, activity_date, first_event_at
        from {{ ref("int_emails_by_id") }}
    ),

    -- What an event says by its own user id weighs more than what it says through a device.
    from_events as (
        select
            events.email_key,
            {{ identity_user("events") }} as user_key,
            case when events.user_key is not null then 2 else 3 end as strength,
            min(events.first_event_at) as seen_at
        from events {{ identity_joins("events", by_email=false) }}
        group by
            events.email_key,
            {{ identity_user("events") }},
            case when events.user_key is not null then 2 else 3 end
    ),

    claims as (
        select email_key, user_key, 1 as strength, created_at as seen_at
        from zendesk_users

        union all

        select email_key, user_key, strength, seen_at
        from from_events
        where user_key is not null
    ),

    ranked as (
        select
            email_key,
            user_key,
            row_number() over (
                partition by email_key order by strength, seen_at nulls last, user_key
            ) as position
        from claims
    ),

    final as (select email_key, user_key from ranked where position = 1)

select *
from final
