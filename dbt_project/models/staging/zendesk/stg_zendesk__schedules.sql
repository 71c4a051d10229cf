with

    source as (
        select schedule_id, time_zone, intervals, created_at, updated_at, row_hash
        from {{ source("raw", "zendesk_schedules") }}
        where duplicate_reason is null
    ),

    ranked as (
        select
            schedule_id,
            time_zone,
            intervals,
            created_at,
            updated_at,
            row_number() over (
                partition by schedule_id, updated_at order by row_hash desc
            ) as position
        from source
    ),

    final as (
        select
            schedule_id,
            time_zone,
            intervals,
            min(created_at) over (partition by schedule_id) as created_at,
            case
                when lag(updated_at) over versions is not null then updated_at
            end as valid_from_at,
            lead(updated_at) over versions as valid_to_at
        from ranked
        where position = 1
        window versions as (partition by schedule_id order by updated_at)
    )

select *
from final
