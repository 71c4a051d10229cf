with

    source as (
        select
            leg_id,
            call_id,
            leg_type,
            completion_status,
            talk_seconds,
            created_at,
            updated_at,
            row_hash
        from {{ source("raw", "zendesk_call_legs") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            leg_id,
            call_id,
            leg_type,
            completion_status,
            talk_seconds,
            created_at,
            updated_at,
            row_number() over (
                partition by leg_id order by updated_at desc, row_hash desc
            ) as position
        from source
    ),

    final as (
        select leg_id, call_id, leg_type, completion_status, talk_seconds, created_at, updated_at
        from ranked
        where position = 1
    )

select *
from final
