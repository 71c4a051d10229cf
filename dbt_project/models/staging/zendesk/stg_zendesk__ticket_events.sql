with

source as (
    select
        audit_id,
        position,
        ticket_id,
        created_at,
        event_type,
        field_name,
        previous_value,
        value,
        author_key,
        is_public,
        row_hash
    from {{ source('raw', 'zendesk_ticket_events') }}
    where duplicate_reason is null
),

-- An audit never changes and has no time of update: of two versions the greatest hash decides.
ranked as (
    select
        audit_id,
        position,
        ticket_id,
        created_at,
        event_type,
        field_name,
        previous_value,
        value,
        author_key,
        is_public,
        row_number() over (partition by audit_id, position order by row_hash desc) as version
    from source
),

final as (
    select
        audit_id,
        position,
        ticket_id,
        date_trunc('second', created_at) as created_at,
        event_type,
        field_name,
        case
            when field_name = 'status' then {{ ticket_status('previous_value') }}
            else previous_value
        end as previous_value,
        case
            when field_name = 'status' then {{ ticket_status('value') }}
            else value
        end as value,
        author_key,
        is_public
    from ranked
    where version = 1
)

select * from final
