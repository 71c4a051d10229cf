with

    source as (
        select
            file_id,
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
        from {{ source("raw", "zendesk_ticket_events") }}
    ),

    files as (select file_id, source from {{ ref("stg_loading__files") }}),

    -- Zendesk exports the same audit as a ticket event and as an audit, which list its parts in
    -- different orders: mixing them by position would lose some. Repeats are not left out here,
    -- since the one that counts may stand in the other export.
    sourced as (
        select
            source.audit_id,
            source.position,
            source.ticket_id,
            source.created_at,
            source.event_type,
            source.field_name,
            source.previous_value,
            source.value,
            source.author_key,
            source.is_public,
            source.row_hash,
            rank() over (
                partition by source.audit_id
                order by case when files.source = 'zendesk_ticket_audits' then 0 else 1 end
            ) as preference
        from source
        left join files on source.file_id = files.file_id
    ),

    -- An audit has no time of update: of two versions of its part the greatest hash decides.
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
        from sourced
        where preference = 1
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
                when field_name = 'status'
                then {{ ticket_status("previous_value") }}
                else previous_value
            end as previous_value,
            case
                when field_name = 'status' then {{ ticket_status("value") }} else value
            end as value,
            author_key,
            is_public
        from ranked
        where version = 1
    )

select *
from final
