with

    source as (
        select
            call_id,
            ticket_id,
            direction,
            completion_status,
            requester_key,
            wait_seconds,
            talk_seconds,
            created_at,
            updated_at,
            row_hash
        from {{ source("raw", "zendesk_calls") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            call_id,
            ticket_id,
            direction,
            completion_status,
            requester_key,
            wait_seconds,
            talk_seconds,
            created_at,
            updated_at,
            row_number() over (
                partition by call_id order by updated_at desc, row_hash desc
            ) as position
        from source
    ),

    final as (
        select
            call_id,
            ticket_id,
            lower(trim(direction)) as direction,
            lower(trim(completion_status)) as completion_status,
            requester_key,
            wait_seconds,
            talk_seconds,
            created_at,
            updated_at
        from ranked
        where position = 1
    )

select *
from final
