with

    responses as (
        select
            response_id,
            survey,
            wave,
            wave_date,
            invited_at,
            is_delivered,
            is_answered,
            user_key,
            email_key,
            respondent_key
        from {{ ref("stg_surveys__responses") }}
        where invited_at is not null
    ),

    -- A survey in which nobody ever reported an outcome does not ask about them.
    asking_surveys as (
        select distinct survey from {{ ref("stg_surveys__responses") }} where is_outcome_report
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    waves as (
        select
            survey, wave, coalesce(min(wave_date), {{ local_date("min(invited_at)") }}) as wave_date
        from responses
        group by survey, wave
    ),

    resolved as (
        select
            responses.response_id,
            coalesce({{ contact_learner("responses") }}, responses.respondent_key) as learner_key,
            responses.survey,
            responses.wave,
            responses.is_delivered,
            responses.is_answered
        from responses {{ contact_joins("responses") }}
    ),

    -- Whoever was invited twice, by number and by e-mail, is one person who was invited.
    people as (
        select
            survey,
            wave,
            coalesce(learner_key, response_id) as invitee_key,
            max(learner_key) as learner_key,
            case
                when bool_or(is_delivered) then true when count(is_delivered) = count(*) then false
            end as is_delivered,
            bool_or(is_answered) as is_answered
        from resolved
        group by survey, wave, coalesce(learner_key, response_id)
    ),

    final as (
        select
            people.survey,
            people.wave,
            waves.wave_date,
            people.invitee_key,
            people.learner_key,
            people.is_delivered,
            people.is_answered,
            asking_surveys.survey is not null as asks_for_outcomes
        from people
        inner join waves on people.survey = waves.survey and people.wave = waves.wave
        inner join as_of on waves.wave_date < as_of.as_of_date
        left join asking_surveys on people.survey = asking_surveys.survey
    )

select *
from final
