with

    responses as (
        select
            month,
            survey,
            coalesce(plan, 'unknown') as plan,
            coalesce(course_id, 'unknown') as course_id,
            coalesce(language, 'unknown') as language,
            coalesce(method, 'unknown') as method,
            category,
            is_latest_per_learner_month
        from {{ ref("fct_nps_responses") }}
    ),

    based as (
        select 'all_responses' as basis, month, survey, plan, course_id, language, method, category
        from responses

        union all

        select
            'latest_per_learner' as basis,
            month,
            survey,
            plan,
            course_id,
            language,
            method,
            category
        from responses
        where is_latest_per_learner_month
    ),

    sums as (
        select
            basis,
            month,
            survey,
            plan,
            course_id,
            language,
            method,
            count(*) as respondents,
            count(case when category = 'promoter' then 1 end) as promoters,
            count(case when category = 'passive' then 1 end) as passives,
            count(case when category = 'detractor' then 1 end) as detractors
        from based
        group by basis, month, survey, plan, course_id, language, method
    ),

    final as (
        select
            basis,
            month,
            survey,
            plan,
            course_id,
            language,
            method,
            respondents,
            promoters,
            passives,
            detractors,
            {{ nps_score("promoters", "detractors", "respondents") }} as nps,
            {{ nps_interval("promoters", "detractors", "respondents", "low") }} as nps_low,
            {{ nps_interval("promoters", "detractors", "respondents", "high") }} as nps_high,
            respondents < {{ var("small_group") }} as is_small_group
        from sums
    )

select *
from final
