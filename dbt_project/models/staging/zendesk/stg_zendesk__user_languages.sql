with

    source as (
        select zendesk_user_key, language, updated_at, row_hash
        from {{ source("raw", "zendesk_users") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            zendesk_user_key,
            language,
            updated_at,
            row_number() over (
                partition by zendesk_user_key, updated_at order by row_hash desc
            ) as position
        from source
    ),

    final as (
        select
            zendesk_user_key,
            language,
            case
                when lag(updated_at) over versions is not null then updated_at
            end as valid_from_at,
            lead(updated_at) over versions as valid_to_at
        from ranked
        where position = 1
        window versions as (partition by zendesk_user_key order by updated_at)
    )

select *
from final
