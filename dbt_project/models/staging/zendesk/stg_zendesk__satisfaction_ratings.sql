with

    source as (
        select rating_id, ticket_id, score, requester_key, created_at, updated_at, row_hash
        from {{ source("raw", "zendesk_satisfaction_ratings") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            rating_id,
            ticket_id,
            score,
            requester_key,
            created_at,
            updated_at,
            row_number() over (
                partition by rating_id order by updated_at desc, row_hash desc
            ) as position
        from source
    ),

    final as (
        select
            rating_id,
            ticket_id,
            {{ satisfaction_score("score") }} as score,
            requester_key,
            created_at,
            updated_at
        from ranked
        where position = 1
    )

select *
from final
