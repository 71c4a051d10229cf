with

    responses as (
        select
            response_id,
            source,
            file_id,
            line_number,
            submitted_at,
            period,
            user_key,
            email_key,
            respondent_key,
            outcome_type,
            outcome_date,
            credited,
            would_not_have_happened
        from {{ ref("stg_surveys__responses") }}
        where is_outcome_report
    ),

    declarations as (
        select
            event_id,
            file_id,
            line_number,
            learner_key,
            activity_date,
            outcome_type,
            outcome_date,
            credited,
            would_not_have_happened
        from {{ ref("int_milestones") }}
        where meaning = 'outcome_reported'
    ),

    files as (select file_id, path from {{ ref("stg_loading__files") }}),

    statements as (
        select
            responses.response_id as report_id,
            coalesce({{ contact_learner("responses") }}, responses.respondent_key) as learner_key,
            responses.source,
            responses.file_id,
            responses.line_number,
            coalesce({{ local_date("responses.submitted_at") }}, responses.period) as reported_on,
            responses.outcome_type,
            responses.outcome_date,
            responses.credited,
            responses.would_not_have_happened
        from responses {{ contact_joins("responses") }}

        union all

        select
            event_id as report_id,
            learner_key,
            'product' as source,
            file_id,
            line_number,
            activity_date as reported_on,
            outcome_type,
            outcome_date,
            credited,
            would_not_have_happened
        from declarations
    ),

    -- What somebody wrote instead of an accepted type may be anything, and goes no further.
    final as (
        select
            statements.report_id,
            statements.learner_key,
            statements.source,
            files.path as source_file,
            statements.line_number,
            statements.reported_on,
            case
                when statements.outcome_type in ('{{ outcome_types() | join("', '") }}')
                then statements.outcome_type
                when statements.outcome_type is not null
                then 'unknown'
            end as outcome_type,
            statements.outcome_date,
            statements.credited,
            statements.would_not_have_happened
        from statements
        left join files on statements.file_id = files.file_id
    )

select *
from final
