with

    decisions as (
        select
            outcome_id,
            learner_key,
            decision,
            outcome_date,
            family,
            evidence,
            types,
            reports,
            deciding_answer,
            credit_conflict,
            blocked_by_outcome_id
        from {{ ref("int_outcomes__decisions") }}
        where decision in ('not_credited', 'within_12_months', 'counted')
    ),

    final as (
        select
            decisions.outcome_id,
            decisions.learner_key,
            decisions.outcome_date,
            {{ outcome_types_of("decisions.types") }} as outcome_types,
            decisions.family,
            {{ plan_on("decisions") }} as segment,
            decisions.evidence,
            decisions.decision,
            decisions.decision = 'counted' as is_counted,
            decisions.deciding_answer as credited,
            decisions.credit_conflict,
            decisions.reports,
            decisions.blocked_by_outcome_id
        from decisions {{ plan_joins("decisions", day="outcome_date") }}
    )

select *
from final
