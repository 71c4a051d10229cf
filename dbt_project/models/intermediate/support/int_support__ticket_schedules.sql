with

    tickets as (select ticket_id, created_at from {{ ref("int_support__tickets") }}),

    events as (
        select ticket_id, audit_id, position, created_at, previous_value, value
        from {{ ref("stg_zendesk__ticket_events") }}
        where field_name = 'schedule_id'
    ),

    schedules as (select schedule_id, created_at from {{ ref("stg_zendesk__schedules") }}),

    -- The oldest schedule is the account's own: what no rule has put under another one is under it.
    defaults as (
        select {{ first_by("schedule_id", row_of(["created_at", "schedule_id"])) }} as schedule_id
        from schedules
    ),

    changes as (
        select
            tickets.ticket_id,
            tickets.created_at,
            greatest(events.created_at, tickets.created_at) as from_at,
            cast(events.previous_value as bigint) as previous_id,
            cast(events.value as bigint) as schedule_id,
            row_number() over (
                partition by events.ticket_id
                order by events.created_at, events.audit_id, events.position
            ) as number
        from events
        inner join tickets on events.ticket_id = tickets.ticket_id
    ),

    spells as (
        select
            tickets.ticket_id,
            cast(0 as bigint) as number,
            coalesce(changes.previous_id, defaults.schedule_id) as schedule_id,
            tickets.created_at as from_at
        from tickets
        cross join defaults
        left join changes on tickets.ticket_id = changes.ticket_id and changes.number = 1
        union all
        select
            changes.ticket_id,
            changes.number,
            coalesce(changes.schedule_id, defaults.schedule_id) as schedule_id,
            changes.from_at
        from changes
        cross join defaults
    ),

    bounded as (
        select
            ticket_id,
            number,
            schedule_id,
            from_at,
            lead(from_at) over (partition by ticket_id order by number) as until_at
        from spells
    ),

    final as (
        select ticket_id, number, schedule_id, from_at, until_at
        from bounded
        where until_at is null or from_at < until_at
    )

select *
from final
