with

    invitations as (
        select
            survey,
            wave,
            wave_date,
            invitee_key,
            learner_key,
            is_delivered,
            is_answered,
            asks_for_outcomes
        from {{ ref("int_surveys__invitations") }}
    ),

    learners as (select learner_key, first_active_on from {{ ref("dim_learners") }}),

    -- Whatever somebody reported in the wave, they are one respondent with an outcome.
    reporting as (
        select distinct survey, wave, learner_key
        from {{ ref("int_surveys__outcomes") }}
        where is_found_by_survey
    ),

    waves as (select distinct survey, wave, wave_date, asks_for_outcomes from invitations),

    members as (
        select waves.survey, waves.wave, waves.wave_date, learners.learner_key
        from waves
        inner join learners on learners.first_active_on <= waves.wave_date

        union distinct

        select survey, wave, wave_date, learner_key
        from invitations
        where learner_key is not null
    ),

    located as (
        select
            members.survey, members.wave, members.learner_key, {{ plan_on("members") }} as segment
        from members {{ plan_joins("members", day="wave_date") }}
    ),

    people as (
        select
            located.survey,
            located.wave,
            located.segment,
            1 as is_member,
            invitations.invitee_key,
            invitations.is_delivered,
            invitations.is_answered,
            reporting.learner_key as reporting_key
        from located
        left join
            invitations
            on located.survey = invitations.survey
            and located.wave = invitations.wave
            and located.learner_key = invitations.learner_key
        left join
            reporting
            on located.survey = reporting.survey
            and located.wave = reporting.wave
            and located.learner_key = reporting.learner_key

        union all

        select
            survey,
            wave,
            'unknown' as segment,
            null as is_member,
            invitee_key,
            is_delivered,
            is_answered,
            null as reporting_key
        from invitations
        where learner_key is null
    ),

    counted as (
        select
            survey,
            wave,
            segment,
            case when segment != 'unknown' then count(is_member) end as population,
            count(invitee_key) as invited,
            case
                when count(is_delivered) = count(invitee_key)
                then count(case when is_delivered then 1 end)
            end as delivered,
            count(case when is_answered then 1 end) as answered,
            case when segment != 'unknown' then count(reporting_key) end as outcomes
        from people
        group by survey, wave, segment
    ),

    final as (
        select
            counted.survey,
            counted.wave,
            waves.wave_date,
            counted.segment,
            counted.population,
            counted.invited,
            counted.delivered,
            counted.answered,
            cast(counted.answered as double) / nullif(counted.delivered, 0) as response_rate,
            case when waves.asks_for_outcomes then counted.outcomes end as outcomes
        from counted
        inner join waves on counted.survey = waves.survey and counted.wave = waves.wave
    )

select *
from final
