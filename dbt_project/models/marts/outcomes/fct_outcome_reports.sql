with

    reports as (
        select
            report_id,
            learner_key,
            source,
            source_file,
            line_number,
            reported_on,
            outcome_date,
            outcome_type,
            credited,
            would_not_have_happened
        from {{ ref("int_outcomes__reports") }}
    ),

    decisions as (
        select report_id, decision, invalid_reason, outcome_id, blocked_by_outcome_id
        from {{ ref("int_outcomes__decisions") }}
    ),

    final as (
        select
            reports.report_id,
            reports.learner_key,
            reports.source,
            reports.source_file,
            reports.line_number,
            reports.reported_on,
            reports.outcome_date,
            reports.outcome_type,
            reports.credited,
            reports.would_not_have_happened,
            decisions.decision,
            decisions.invalid_reason,
            decisions.outcome_id,
            decisions.blocked_by_outcome_id
        from reports
        inner join decisions on reports.report_id = decisions.report_id
    )

select *
from final
