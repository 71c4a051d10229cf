with

    -- Repeats are not left out here: the same row can stand in an older and in the newest file.
    source as (
        select file_id, holiday_id, schedule_id, starts_on, ends_on, row_hash
        from {{ source("raw", "zendesk_holidays") }}
    ),

    files as (select file_id, path from {{ ref("stg_loading__files") }}),

    ranked as (
        select
            source.holiday_id,
            source.schedule_id,
            source.starts_on,
            source.ends_on,
            row_number() over (
                partition by source.holiday_id
                order by coalesce(files.path, '') desc, source.row_hash desc
            ) as position
        from source
        left join files on source.file_id = files.file_id
    ),

    final as (select holiday_id, schedule_id, starts_on, ends_on from ranked where position = 1)

select *
from final
