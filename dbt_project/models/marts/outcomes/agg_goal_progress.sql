{%- set months = var("outcome_development_months") | int -%}
{%- set least_years = var("forecast_min_years") | int -%}
{%- set z = "1.959963984540054e0" -%}

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

    next_goals as (
        select
            goals.effective_from,
            goals.goal_low,
            goals.goal_high,
            following.effective_from as next_from,
            following.goal_low as next_low,
            following.goal_high as next_high,
            year(following.effective_from) - year(goals.effective_from) as years_to_next
        from goals
        left join
            (
                select
                    earlier.effective_from as earlier_from,
                    min(later.effective_from) as effective_from
                from goals as earlier
                inner join goals as later on earlier.effective_from < later.effective_from
                group by earlier.effective_from
            ) as next_starts
            on goals.effective_from = next_starts.earlier_from
        left join goals as following on next_starts.effective_from = following.effective_from
    ),

    -- The forecast learns from years at whose beginning reports were coming in already.
    triangle as (
        select
            origin_year,
            development_month,
            new_outcomes,
            cumulative_outcomes,
            is_origin_complete,
            is_history
        from {{ ref("agg_outcome_triangle") }}
    ),

    history as (
        select origin_year as origin, development_month as period, cumulative_outcomes as cumulative
        from triangle
        where is_history
    ),

    origins as (
        select
            origin_year,
            max(case when is_origin_complete then 1 else 0 end) as is_complete,
            max(case when is_history then 1 else 0 end) as is_history
        from triangle
        group by origin_year
    ),

    complete_years as (select coalesce(sum(is_complete * is_history), 0) as years from origins),

    ladder as ({{ chain_ladder("history", months) }}),

    forecasts as (
        select
            origins.origin_year,
            case
                when origins.is_complete = 1
                then 'final: the {{ months }} months in which it is reported are over'
                when origins.is_history = 0
                then 'no forecast: reports were not yet coming in when the year began'
                when complete_years.years < {{ least_years }}
                then
                    'no forecast: '
                    || cast(complete_years.years as varchar)
                    || ' complete years of history, {{ least_years }} are needed'
                when ladder.ultimate is null or ladder.standard_error is null
                then
                    'no forecast: in this or an earlier year nothing was counted yet at this '
                    || 'time of the year'
                else 'forecast'
            end as forecast_status,
            ladder.ultimate,
            ladder.standard_error,
            ln(
                1
                + (ladder.standard_error / nullif(ladder.ultimate, 0))
                * (ladder.standard_error / nullif(ladder.ultimate, 0))
            ) as log_variance
        from origins
        cross join complete_years
        left join ladder on origins.origin_year = ladder.origin
    ),

    elapsed as (
        select
            years.year,
            case
                when years.year < year(as_of.as_of_date)
                then 1e0
                when years.year = year(as_of.as_of_date)
                then
                    cast(dayofyear(as_of.as_of_date) - 1 as double)
                    / dayofyear(cast(cast(year(as_of.as_of_date) as varchar) || '-12-31' as date))
                else 0e0
            end as share_of_year_elapsed
        from years
        cross join as_of
    ),

    progress as (
        select
            cast(years.year as integer) as year,
            coalesce(counted.outcomes, 0) as outcomes,
            next_goals.goal_low,
            next_goals.goal_high,
            year(next_goals.next_from) as next_goal_year,
            case
                when next_goals.years_to_next > 0
                then
                    power(
                        cast(next_goals.next_low as double) / next_goals.goal_low,
                        1e0 / next_goals.years_to_next
                    )
                    - 1
            end as growth_needed_low,
            case
                when next_goals.years_to_next > 0
                then
                    power(
                        cast(next_goals.next_high as double) / next_goals.goal_high,
                        1e0 / next_goals.years_to_next
                    )
                    - 1
            end as growth_needed_high,
            elapsed.share_of_year_elapsed,
            years.year < year(as_of.as_of_date) as is_complete
        from years
        cross join as_of
        inner join elapsed on years.year = elapsed.year
        left join counted on years.year = counted.year
        left join goal_starts on years.year = goal_starts.year
        left join next_goals on goal_starts.effective_from = next_goals.effective_from
    ),

    final as (
        select
            progress.year,
            progress.outcomes,
            progress.goal_low,
            progress.goal_high,
            cast(progress.outcomes as double) / progress.goal_low as share_of_goal_low,
            cast(progress.outcomes as double) / progress.goal_high as share_of_goal_high,
            progress.share_of_year_elapsed,
            cast(progress.outcomes as double)
            / nullif(progress.goal_low * progress.share_of_year_elapsed, 0) as pace_of_goal_low,
            cast(progress.outcomes as double)
            / nullif(progress.goal_high * progress.share_of_year_elapsed, 0) as pace_of_goal_high,
            cast(progress.outcomes as double)
            / nullif(progress.share_of_year_elapsed, 0) as outcomes_at_this_pace,
            cast(progress.next_goal_year as integer) as next_goal_year,
            {{ round_half_away("progress.growth_needed_low", 10) }} as growth_needed_low,
            {{ round_half_away("progress.growth_needed_high", 10) }} as growth_needed_high,
            case
                when forecasts.forecast_status = 'forecast' then forecasts.ultimate
            end as forecast_outcomes,
            case
                when forecasts.forecast_status = 'forecast' then forecasts.standard_error
            end as forecast_standard_error,
            case
                when forecasts.forecast_status = 'forecast'
                then
                    {{
                        round_half_away(
                            "forecasts.ultimate * exp(-"
                            ~ z
                            ~ " * sqrt(forecasts.log_variance) - forecasts.log_variance / 2)",
                            6,
                        )
                    }}
            end as forecast_low,
            case
                when forecasts.forecast_status = 'forecast'
                then
                    {{
                        round_half_away(
                            "forecasts.ultimate * exp("
                            ~ z
                            ~ " * sqrt(forecasts.log_variance) - forecasts.log_variance / 2)",
                            6,
                        )
                    }}
            end as forecast_high,
            coalesce(
                forecasts.forecast_status,
                case
                    when progress.is_complete
                    then 'no forecast: nothing was counted in or before this year'
                    else 'no forecast: no month of the year is over'
                end
            ) as forecast_status,
            progress.is_complete
        from progress
        left join forecasts on progress.year = forecasts.origin_year
    )

select *
from final
