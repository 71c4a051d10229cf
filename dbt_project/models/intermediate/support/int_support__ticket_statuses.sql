with

    tickets as (
        select ticket_id, created_at, updated_at, status, is_deleted
        from {{ ref("int_support__tickets") }}
    ),

    events as (
        select ticket_id, audit_id, position, created_at, previous_value, value
        from {{ ref("stg_zendesk__ticket_events") }}
        where field_name = 'status' and value is not null
    ),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    deletions as (
        select ticket_id, max(created_at) as deleted_at
        from events
        where value = 'deleted'
        group by ticket_id
    ),

    -- A ticket that was restored is not deleted: only the ticket itself says so, see `ends`.
    changes as (
        select
            tickets.ticket_id,
            tickets.created_at,
            events.created_at as changed_at,
            events.previous_value,
            events.value as status,
            row_number() over (
                partition by events.ticket_id
                order by events.created_at, events.audit_id, events.position
            ) as number
        from events
        inner join tickets on events.ticket_id = tickets.ticket_id
        where events.value != 'deleted'
    ),

    -- History can start before the ticket (the clock does not), and its first entry is the status
    -- that the ticket was created in, unless it says which one went before.
    dated as (
        select
            ticket_id,
            number,
            status,
            case
                when number = 1 and previous_value is null
                then created_at
                else greatest(changed_at, created_at)
            end as began_at,
            coalesce(
                previous_value = lag(status) over (partition by ticket_id order by number), true
            ) as is_gapless
        from changes
    ),

    starts as (
        select
            ticket_id,
            cast(0 as bigint) as number,
            previous_value as status,
            created_at as began_at,
            true as is_gapless
        from changes
        where number = 1 and previous_value is not null
    ),

    -- Without any history an unsolved ticket has stood in its status since it was created, as far
    -- as anybody can know; when a solved one was solved nobody knows.
    unchanged as (
        select
            tickets.ticket_id,
            cast(0 as bigint) as number,
            tickets.status,
            tickets.created_at as began_at,
            false as is_gapless
        from tickets
        left join changes on tickets.ticket_id = changes.ticket_id and changes.number = 1
        where changes.ticket_id is null and {{ is_unsolved("tickets.status") }}
    ),

    lived as (
        select ticket_id, number, status, began_at, is_gapless
        from dated
        union all
        select ticket_id, number, status, began_at, is_gapless
        from starts
        union all
        select ticket_id, number, status, began_at, is_gapless
        from unchanged
    ),

    lasts as (
        select ticket_id, max(number) as number, max(began_at) as began_at
        from lived
        group by ticket_id
    ),

    ends as (
        select
            lasts.ticket_id,
            lasts.number + 1 as number,
            'deleted' as status,
            greatest(
                coalesce(deletions.deleted_at, tickets.updated_at), lasts.began_at
            ) as began_at,
            true as is_gapless
        from lasts
        inner join tickets on lasts.ticket_id = tickets.ticket_id
        left join deletions on lasts.ticket_id = deletions.ticket_id
        where tickets.is_deleted
    ),

    statuses as (
        select ticket_id, number, status, began_at, is_gapless
        from lived
        union all
        select ticket_id, number, status, began_at, is_gapless
        from ends
    ),

    spans as (
        select
            ticket_id,
            number,
            status,
            began_at,
            is_gapless,
            lead(began_at) over (partition by ticket_id order by number) as ended_at,
            lag(status) over (partition by ticket_id order by number) as previous_status
        from statuses
    ),

    final as (
        select
            spans.ticket_id,
            spans.number,
            spans.status,
            spans.previous_status,
            spans.began_at,
            case when spans.ended_at < as_of.as_of_at then spans.ended_at end as ended_at,
            {{
                seconds_between(
                    "spans.began_at",
                    "least(coalesce(spans.ended_at, as_of.as_of_at), as_of.as_of_at)",
                )
            }} as seconds,
            {{ is_unsolved("spans.status") }} as is_unsolved,
            {{ is_done("spans.status") }}
            and not coalesce({{ is_done("spans.previous_status") }}, false) as is_solve,
            {{ is_unsolved("spans.status") }}
            and coalesce({{ is_done("spans.previous_status") }}, false) as is_reopening,
            cast({{ is_unsolved("spans.status") }} as integer) - coalesce(
                cast({{ is_unsolved("spans.previous_status") }} as integer), 0
            ) as backlog_change,
            spans.is_gapless
        from spans
        inner join as_of on spans.began_at < as_of.as_of_at
    )

select *
from final
