with

    source as (
        select policy_id, title, targets, updated_at, row_hash
        from {{ source("raw", "zendesk_sla_policies") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            policy_id,
            title,
            targets,
            updated_at,
            row_number() over (
                partition by policy_id, updated_at order by row_hash desc
            ) as position
        from source
    ),

    final as (
        select
            policy_id,
            title,
            targets,
            case
                when lag(updated_at) over versions is not null then updated_at
            end as valid_from_at,
            lead(updated_at) over versions as valid_to_at
        from ranked
        where position = 1
        window versions as (partition by policy_id order by updated_at)
    )

select *
from final
