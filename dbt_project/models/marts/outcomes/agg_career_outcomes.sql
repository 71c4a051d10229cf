-- The plot of this mart draws the goals.
-- depends_on: {{ ref("goals") }}
with

    outcomes as (
        select {{ start_of_period("outcome_date", "month") }} as month, segment, family, evidence
        from {{ ref("fct_career_outcomes") }}
        where is_counted
    ),

    final as (
        select month, segment, family, evidence, count(*) as outcomes
        from outcomes
        group by month, segment, family, evidence
    )

select *
from final
