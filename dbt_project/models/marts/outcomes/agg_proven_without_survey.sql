with

    monthly as (select month, evidence, outcomes from {{ ref("agg_career_outcomes") }}),

    totals as (
        select
            month,
            cast(sum(outcomes) as bigint) as outcomes,
            cast(
                sum(case when evidence != 'survey' then outcomes else 0 end) as bigint
            ) as proven_without_survey
        from monthly
        group by month
    ),

    final as (
        select
            month,
            outcomes,
            proven_without_survey,
            cast(proven_without_survey as double) / outcomes as share_proven_without_survey
        from totals
    )

select *
from final
