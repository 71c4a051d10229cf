with

    invitations as (
        select survey, wave, wave_date, learner_key
        from {{ ref("int_surveys__invitations") }}
        where learner_key is not null and asks_for_outcomes
    ),

    responses as (
        select response_id, survey, wave from {{ ref("stg_surveys__responses") }} where is_answered
    ),

    decisions as (
        select report_id, learner_key, decision, outcome_id, outcome_date
        from {{ ref("int_outcomes__decisions") }}
    ),

    reports as (select report_id, source from {{ ref("int_outcomes__reports") }}),

    outcomes as (
        select
            invitations.survey,
            invitations.wave,
            invitations.learner_key,
            decisions.outcome_id,
            decisions.outcome_date
        from invitations
        inner join
            decisions
            on invitations.learner_key = decisions.learner_key
            and decisions.decision = 'counted'
            and decisions.outcome_date < invitations.wave_date
            and decisions.outcome_date >= {{ add_months_to("invitations.wave_date", -12) }}
    ),

    final as (
        select
            outcomes.survey,
            outcomes.wave,
            outcomes.outcome_id,
            outcomes.learner_key,
            outcomes.outcome_date,
            coalesce(
                bool_or(outcomes.survey = responses.survey and outcomes.wave = responses.wave),
                false
            ) as is_found_by_survey,
            bool_or(reports.source = 'product') as is_found_by_product,
            bool_or(reports.source != 'survey') as is_found_without_survey
        from outcomes
        inner join decisions on outcomes.outcome_id = decisions.outcome_id
        inner join reports on decisions.report_id = reports.report_id
        left join responses on decisions.report_id = responses.response_id
        group by
            outcomes.survey,
            outcomes.wave,
            outcomes.outcome_id,
            outcomes.learner_key,
            outcomes.outcome_date
    )

select *
from final
