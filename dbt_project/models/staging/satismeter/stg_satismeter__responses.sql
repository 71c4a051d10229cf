with

    source as (
        select
            file_id,
            line_number,
            row_hash,
            response_id,
            created_at,
            survey,
            method,
            nps_score,
            is_dismissed,
            is_pending,
            user_key,
            email_key,
            respondent_key,
            plan,
            language,
            course_id,
            is_delivered,
            comment,
            themes
        from {{ source("raw", "satismeter_responses") }}
        where duplicate_reason is null
    ),

    files as (select file_id, newest_export_at from {{ ref("stg_loading__files") }}),

    -- A response keeps its time of creation when it is completed: of two versions the pending
    -- one is the older, and of two completed ones that of the older export.
    ranked as (
        select
            source.file_id,
            source.line_number,
            source.response_id,
            source.created_at,
            source.survey,
            source.method,
            source.nps_score,
            source.is_dismissed,
            source.is_pending,
            source.user_key,
            source.email_key,
            source.respondent_key,
            source.plan,
            source.language,
            source.course_id,
            source.is_delivered,
            source.comment,
            source.themes,
            row_number() over (
                partition by source.response_id
                order by
                    source.created_at desc,
                    case when source.is_pending then 1 else 0 end,
                    files.newest_export_at desc nulls last,
                    source.row_hash desc,
                    source.file_id,
                    source.line_number
            ) as position
        from source
        left join files on source.file_id = files.file_id
    ),

    final as (
        select
            response_id,
            file_id,
            line_number,
            created_at,
            survey,
            method,
            nps_score,
            is_dismissed,
            is_pending,
            user_key,
            email_key,
            respondent_key,
            plan,
            language,
            course_id,
            is_delivered,
            comment,
            themes
        from ranked
        where position = 1
    )

select *
from final
