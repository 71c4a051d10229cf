with

    source as (
        select
            file_id,
            line_number,
            row_hash,
            response_id,
            survey,
            source,
            submitted_at,
            period,
            wave,
            wave_date,
            invited_at,
            is_delivered,
            is_answered,
            user_key,
            email_key,
            respondent_key,
            course_id,
            plan,
            language,
            method,
            nps_score,
            is_outcome_report,
            outcome_type,
            outcome_date,
            credited,
            would_not_have_happened,
            looking_for_work,
            income_currency,
            income_kind,
            gender,
            disability,
            region,
            prior_education,
            numbers,
            implausible,
            answers,
            comment,
            themes
        from {{ source("raw", "survey_responses") }}
        where duplicate_reason is null
    ),

    files as (select file_id, newest_export_at from {{ ref("stg_loading__files") }}),

    -- A later export can hold a corrected answer under its old time of submission: then the export
    -- itself says which one is newer.
    ranked as (
        select
            source.file_id,
            source.line_number,
            source.response_id,
            source.survey,
            source.source,
            source.submitted_at,
            source.period,
            source.wave,
            source.wave_date,
            source.invited_at,
            source.is_delivered,
            source.is_answered,
            source.user_key,
            source.email_key,
            source.respondent_key,
            source.course_id,
            source.plan,
            source.language,
            source.method,
            source.nps_score,
            source.is_outcome_report,
            source.outcome_type,
            source.outcome_date,
            source.credited,
            source.would_not_have_happened,
            source.looking_for_work,
            source.income_currency,
            source.income_kind,
            source.gender,
            source.disability,
            source.region,
            source.prior_education,
            source.numbers,
            source.implausible,
            source.answers,
            source.comment,
            source.themes,
            row_number() over (
                partition by source.response_id
                order by
                    source.submitted_at desc nulls last,
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
            survey,
            source,
            file_id,
            line_number,
            submitted_at,
            period,
            wave,
            wave_date,
            invited_at,
            is_delivered,
            is_answered,
            user_key,
            email_key,
            respondent_key,
            course_id,
            plan,
            language,
            method,
            nps_score,
            is_outcome_report,
            outcome_type,
            outcome_date,
            credited,
            would_not_have_happened,
            looking_for_work,
            income_currency,
            income_kind,
            gender,
            disability,
            region,
            prior_education,
            numbers,
            implausible,
            answers,
            comment,
            themes
        from ranked
        where position = 1
    )

select *
from final
