with

source as (
    select
        zendesk_user_key,
        user_key,
        email_key,
        role,
        created_at,
        updated_at,
        duplicate_reason
    from {{ source('raw', 'zendesk_users') }}
),

final as (
    select
        zendesk_user_key,
        user_key,
        email_key,
        role,
        created_at,
        updated_at
    from source
    where duplicate_reason is null
)

select * from final
