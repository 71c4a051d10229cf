with

    source as (
        select organization_id, is_deleted, created_at, updated_at, row_hash
        from {{ source("raw", "zendesk_organizations") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            organization_id,
            is_deleted,
            created_at,
            updated_at,
            row_number() over (
                partition by organization_id order by updated_at desc, row_hash desc
            ) as position
        from source
    ),

    final as (
        select organization_id, is_deleted, created_at, updated_at from ranked where position = 1
    )

select *
from final
