with

    outcomes as (select year(month) as year, outcomes from {{ ref("agg_career_outcomes") }}),

    goals as (select effective_from, goal_low, goal_high from {{ ref("goals") }}),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    counted as (select year, cast(sum(outcomes) as bigint) as outcomes from outcomes group by year),

    -- From the first goal to the last counted day no year is missing, whether anything was counted.
    running as (
        select
            year(min(goals.effective_from)) as first_year,
            year({{ add_days("max(as_of.as_of_date)", -1) }}) as last_year
        from goals
        cross join as_of
    ),

    years as (
        select {{ explode_integers("first_year", "last_year") }} as year
        from running

        union

        select year
        from counted

        union

        select last_year as year
        from running
        where last_year is not null
    ),

    goal_starts as (
        select years.year, max(goals.effective_from) as effective_from
        from years
        inner join goals on year(goals.effective_from) <= years.year
        group by years.year
    ),

    final as (
        select
            cast(years.year as integer) as year,
            coalesce(counted.outcomes, 0) as outcomes,
            goals.goal_low,
            goals.goal_high,
            cast(coalesce(counted.outcomes, 0) as double) / goals.goal_low as share_of_goal_low,
            cast(coalesce(counted.outcomes, 0) as double) / goals.goal_high as share_of_goal_high,
            years.year < year(as_of.as_of_date) as is_complete
        from years
        cross join as_of
        left join counted on years.year = counted.year
        left join goal_starts on years.year = goal_starts.year
        left join goals on goal_starts.effective_from = goals.effective_from
    )

select *
from final
