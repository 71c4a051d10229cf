with

    responses as (
        select
            month, survey, coalesce(plan, 'unknown') as plan, category, is_latest_per_learner_month
        from {{ ref("fct_nps_responses") }}
    ),

    of_plans as (
        select month, survey, plan, category, is_latest_per_learner_month
        from responses

        union all

        select month, survey, 'all' as plan, category, is_latest_per_learner_month
        from responses
    ),

    based as (
        select 'all_responses' as basis, month, survey, plan, category
        from of_plans

        union all

        select 'latest_per_learner' as basis, month, survey, plan, category
        from of_plans
        where is_latest_per_learner_month
    ),

    sums as (
        select
            basis,
            survey,
            plan,
            month,
            count(*) as respondents,
            count(case when category = 'promoter' then 1 end) as promoters,
            count(case when category = 'detractor' then 1 end) as detractors
        from based
        group by basis, survey, plan, month
    ),

    -- Months without a response are no periods: a quarterly survey is compared with the last
    -- quarter.
    paired as (
        select
            basis,
            survey,
            plan,
            month,
            respondents,
            promoters,
            detractors,
            lag(month) over (partition by basis, survey, plan order by month) as previous_month,
            lag(respondents) over (
                partition by basis, survey, plan order by month
            ) as previous_respondents,
            lag(promoters) over (
                partition by basis, survey, plan order by month
            ) as previous_promoters,
            lag(detractors) over (
                partition by basis, survey, plan order by month
            ) as previous_detractors
        from sums
    ),

    compared as (
        select
            basis,
            survey,
            plan,
            previous_month,
            month,
            previous_respondents,
            respondents,
            {{ nps_score("previous_promoters", "previous_detractors", "previous_respondents") }}
            as previous_nps,
            {{ nps_score("promoters", "detractors", "respondents") }} as nps,
            {{
                nps_change_interval(
                    ["previous_promoters", "previous_detractors", "previous_respondents"],
                    ["promoters", "detractors", "respondents"],
                    "low",
                )
            }} as difference_low,
            {{
                nps_change_interval(
                    ["previous_promoters", "previous_detractors", "previous_respondents"],
                    ["promoters", "detractors", "respondents"],
                    "high",
                )
            }} as difference_high
        from paired
        where previous_month is not null
    ),

    final as (
        select
            basis,
            survey,
            plan,
            previous_month,
            month,
            previous_respondents,
            respondents,
            previous_nps,
            nps,
            nps - previous_nps as difference,
            difference_low,
            difference_high,
            case
                when
                    respondents < {{ var("small_group") }}
                    or previous_respondents < {{ var("small_group") }}
                then 'too few responses to say'
                when difference_low > 0
                then 'rose by more than chance explains'
                when difference_high < 0
                then 'fell by more than chance explains'
                else 'may be chance'
            end as verdict
        from compared
    )

select *
from final
