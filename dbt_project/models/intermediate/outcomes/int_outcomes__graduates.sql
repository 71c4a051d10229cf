with

    graduations as (
        select learner_key, min(activity_date) as graduated_on
        from {{ ref("int_milestones") }}
        where meaning = 'graduated' and learner_key is not null and not is_after_as_of
        group by learner_key
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    jobs as (
        select learner_key, outcome_date
        from {{ ref("int_outcomes__decisions") }}
        where family = 'job' and decision in ('not_credited', 'within_12_months', 'counted')
    ),

    responses as (
        select
            user_key,
            email_key,
            coalesce({{ local_date("submitted_at") }}, period, wave_date) as answered_on,
            looking_for_work
        from {{ ref("stg_surveys__responses") }}
        where looking_for_work is not null
    ),

    answers as (
        select
            {{ contact_learner("responses") }} as learner_key,
            responses.answered_on,
            responses.looking_for_work
        from responses {{ contact_joins("responses") }}
    ),

    first_answers as (
        select
            graduations.learner_key, min({{ row_of(["answered_on", "looking_for_work"]) }}) as told
        from graduations
        inner join
            answers
            on graduations.learner_key = answers.learner_key
            and graduations.graduated_on <= answers.answered_on
        group by graduations.learner_key
    ),

    placed as (
        select distinct graduations.learner_key
        from graduations
        inner join
            jobs
            on graduations.learner_key = jobs.learner_key
            and graduations.graduated_on <= jobs.outcome_date
            and jobs.outcome_date < {{ add_months_to("graduations.graduated_on", 6) }}
    ),

    final as (
        select
            graduations.learner_key,
            graduations.graduated_on,
            cast(year(graduations.graduated_on) as integer) as cohort_year,
            placed.learner_key is not null as is_placed,
            coalesce(first_answers.told.looking_for_work = 'yes', false) as looks_for_work
        from graduations
        inner join as_of on {{ add_months_to("graduations.graduated_on", 6) }} <= as_of.as_of_date
        left join placed on graduations.learner_key = placed.learner_key
        left join first_answers on graduations.learner_key = first_answers.learner_key
    )

select *
from final
