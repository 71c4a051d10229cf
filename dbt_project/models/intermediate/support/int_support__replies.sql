with

    tickets as (select ticket_id, created_at, requester_key from {{ ref("int_support__tickets") }}),

    events as (
        select ticket_id, audit_id, created_at, event_type, author_key, is_public
        from {{ ref("stg_zendesk__ticket_events") }}
    ),

    users as (select zendesk_user_key from {{ ref("stg_zendesk__users") }} where is_agent),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    -- What opens a ticket answers nothing, also when an agent opens it for somebody else.
    openings as (select distinct audit_id from events where lower(event_type) = 'create'),

    -- An agent who asks for help is a requester there.
    replies as (
        select
            events.ticket_id,
            events.audit_id,
            greatest(events.created_at, tickets.created_at) as replied_at
        from events
        inner join tickets on events.ticket_id = tickets.ticket_id
        inner join users on events.author_key = users.zendesk_user_key
        inner join as_of on events.created_at < as_of.as_of_at
        left join openings on events.audit_id = openings.audit_id
        where
            events.is_public
            and openings.audit_id is null
            and (tickets.requester_key is null or events.author_key != tickets.requester_key)
    ),

    final as (
        select ticket_id, min(replied_at) as first_reply_at, count(distinct audit_id) as touches
        from replies
        group by ticket_id
    )

select *
from final
