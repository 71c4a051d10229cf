with

    source as (
        select zendesk_user_key, user_key, email_key, role, created_at, updated_at, row_hash
        from {{ source("raw", "zendesk_users") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            zendesk_user_key,
            user_key,
            email_key,
            role,
            created_at,
            updated_at,
            row_number() over (
                partition by zendesk_user_key order by updated_at desc, row_hash desc
            ) as position
        from source
    ),

    final as (
        select
            zendesk_user_key,
            user_key,
            email_key,
            lower(trim(role)) as role,
            coalesce(lower(trim(role)) in ('agent', 'admin'), false) as is_agent,
            created_at,
            updated_at
        from ranked
        where position = 1
    )

select *
from final
