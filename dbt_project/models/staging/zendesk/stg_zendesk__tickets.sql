with

    source as (
        select
            ticket_id,
            created_at,
            updated_at,
            status,
            channel,
            priority,
            requester_key,
            assignee_key,
            satisfaction,
            organization_id,
            row_hash
        from {{ source("raw", "zendesk_tickets") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            ticket_id,
            created_at,
            updated_at,
            status,
            channel,
            priority,
            requester_key,
            assignee_key,
            satisfaction,
            organization_id,
            row_number() over (
                partition by ticket_id order by updated_at desc, row_hash desc
            ) as position
        from source
    ),

    -- Zendesk writes whole seconds; anything finer would let the clocks miss the resolution.
    final as (
        select
            ticket_id,
            date_trunc('second', created_at) as created_at,
            date_trunc('second', updated_at) as updated_at,
            {{ ticket_status("status") }} as status,
            lower(trim(channel)) as channel,
            lower(trim(priority)) as priority,
            requester_key,
            assignee_key,
            {{ satisfaction_score("satisfaction") }} as satisfaction,
            organization_id,
            coalesce({{ ticket_status("status") }} = 'deleted', false) as is_deleted
        from ranked
        where position = 1
    )

select *
from final
