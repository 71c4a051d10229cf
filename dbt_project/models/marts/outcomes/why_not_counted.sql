{{ config(materialized="view") }}

with

    reports as (
        select
            report_id,
            learner_key,
            outcome_date,
            decision,
            invalid_reason,
            outcome_id,
            blocked_by_outcome_id
        from {{ ref("fct_outcome_reports") }}
        where decision != 'counted'
    ),

    outcomes as (
        select outcome_id, outcome_date, evidence, decision, credited
        from {{ ref("fct_career_outcomes") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    reasons as (
        select
            reports.report_id,
            reports.learner_key,
            reports.outcome_date,
            reports.decision,
            reports.invalid_reason,
            outcomes.evidence as carried_by,
            outcomes.outcome_date as real_date,
            outcomes.decision as real_decision,
            blocking.outcome_date as blocking_date,
            as_of.as_of_date,
            case
                when reports.decision = 'not_credited' and outcomes.credited = 'yes'
                then 'could_have_happened_anyway'
                when reports.decision = 'not_credited' and outcomes.credited = 'no'
                then 'answered_no'
                when reports.decision = 'not_credited'
                then 'no_answer'
                when reports.decision = 'duplicate_report'
                then 'of_an_outcome_' || outcomes.decision
                else coalesce(reports.invalid_reason, reports.decision)
            end as reason
        from reports
        cross join as_of
        left join outcomes on reports.outcome_id = outcomes.outcome_id
        left join outcomes as blocking on reports.blocked_by_outcome_id = blocking.outcome_id
    ),

    for_learners as (
        select
            'learner' as scope,
            learner_key,
            report_id,
            outcome_date,
            decision,
            reason,
            cast(1 as bigint) as reports,
            case
                reason
                when 'unknown_type'
                then 'Its type is none of the eight types of outcomes.'
                when 'no_outcome_date'
                then 'It does not say when the outcome happened.'
                when 'no_learner'
                then 'It does not say whose outcome it is.'
                when 'not_yet'
                then
                    'It is dated '
                    || cast(outcome_date as varchar)
                    || ', after '
                    || cast(as_of_date as varchar)
                    || ', the day as of which everything is judged; it will be judged again.'
                when 'no_answer'
                then 'The learner has not said whether the school helped.'
                when 'answered_no'
                then 'The learner''s latest answer is that the school did not help.'
                when 'could_have_happened_anyway'
                then
                    'The learner has not said that the internal move would not have happened '
                    || 'without the training.'
                when 'within_12_months'
                then
                    'The learner has an outcome of '
                    || cast(blocking_date as varchar)
                    || ' that was counted; another one counts from '
                    || cast({{ add_months_to("blocking_date", 12) }} as varchar)
                    || ' on.'
                else
                    'It describes the same outcome as a report from the source '
                    || carried_by
                    || ' of '
                    || cast(real_date as varchar)
                    || case
                        real_decision
                        when 'counted'
                        then ', which was counted.'
                        when 'not_credited'
                        then ', which is not credited to the school.'
                        else ', which came less than 12 months after a counted one.'
                    end
            end as explanation
        from reasons
    ),

    in_total as (
        select
            'total' as scope,
            cast(null as {{ key_type() }}) as learner_key,
            cast(null as {{ key_type() }}) as report_id,
            cast(null as date) as outcome_date,
            decision,
            reason,
            count(*) as reports,
            case
                reason
                when 'unknown_type'
                then 'The type is none of the eight types of outcomes.'
                when 'no_outcome_date'
                then 'There is no date of the outcome.'
                when 'no_learner'
                then 'Nothing says whose outcome it is.'
                when 'not_yet'
                then 'The date lies after the as-of day; judged again later.'
                when 'no_answer'
                then 'The learner has not said whether the school helped.'
                when 'answered_no'
                then 'The learner''s latest answer is that the school did not help.'
                when 'could_have_happened_anyway'
                then 'An internal move that could have happened without the training.'
                when 'within_12_months'
                then 'Less than 12 months after a counted outcome of the same learner.'
                when 'of_an_outcome_counted'
                then 'Another report of an outcome that was counted.'
                when 'of_an_outcome_not_credited'
                then 'Another report of an outcome that is not credited to the school.'
                else 'Another report of an outcome less than 12 months after a counted one.'
            end as explanation
        from reasons
        group by decision, reason
    ),

    final as (
        select scope, learner_key, report_id, outcome_date, decision, reason, reports, explanation
        from for_learners

        union all

        select scope, learner_key, report_id, outcome_date, decision, reason, reports, explanation
        from in_total
    )

select *
from final
