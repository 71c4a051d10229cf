with

    tickets as (select ticket_id, created_at from {{ ref("int_support__tickets") }}),

    replies as (select ticket_id, first_reply_at from {{ ref("int_support__replies") }}),

    solves as (
        select ticket_id, max(began_at) as solved_at
        from {{ ref("int_support__ticket_statuses") }}
        where is_solve
        group by ticket_id
    ),

    waits as (
        select
            tickets.ticket_id,
            'first_reply' as wait,
            tickets.created_at as began_at,
            replies.first_reply_at as ended_at
        from tickets
        inner join replies on tickets.ticket_id = replies.ticket_id
        union all
        select
            tickets.ticket_id,
            'full_resolution' as wait,
            tickets.created_at as began_at,
            solves.solved_at as ended_at
        from tickets
        inner join solves on tickets.ticket_id = solves.ticket_id
    ),

    measured as ({{ business_seconds("waits") }}),

    final as (
        select
            ticket_id,
            max(
                case when wait = 'first_reply' then business_seconds end
            ) as first_reply_business_seconds,
            max(
                case when wait = 'full_resolution' then business_seconds end
            ) as full_resolution_business_seconds
        from measured
        group by ticket_id
    )

select *
from final
