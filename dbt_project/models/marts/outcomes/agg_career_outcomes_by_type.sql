with

    outcomes as (
        select
            {{ start_of_period("outcome_date", "month") }} as month,
            segment,
            {{ explode_list("outcome_types") }} as outcome_type
        from {{ ref("fct_career_outcomes") }}
        where is_counted
    ),

    final as (
        select month, segment, outcome_type, count(*) as outcomes
        from outcomes
        group by month, segment, outcome_type
    )

select *
from final
