with

    graduates as (
        select learner_key, cohort_year, is_placed, looks_for_work
        from {{ ref("int_outcomes__graduates") }}
    ),

    grid as ({{ group_grid("graduates", ["cohort_year"]) }}),

    grouped as ({{ in_groups("graduates", ["cohort_year", "is_placed", "looks_for_work"]) }}),

    -- That nobody is unknown tells nothing about anybody, unlike any other empty group.
    counts as (
        select
            grid.cohort_year,
            grid.dimension,
            grid.group_name,
            count(grouped.group_name) as graduates,
            count(case when grouped.is_placed then 1 end) as placed,
            count(case when not grouped.is_placed then 1 end) as not_placed,
            count(case when grouped.looks_for_work then 1 end) as respondents,
            count(
                case when grouped.looks_for_work and grouped.is_placed then 1 end
            ) as placed_respondents,
            count(
                case when grouped.looks_for_work and not grouped.is_placed then 1 end
            ) as not_placed_respondents
        from grid
        left join
            grouped
            on grid.cohort_year = grouped.cohort_year
            and grid.dimension = grouped.dimension
            and grid.group_name = grouped.group_name
        group by grid.cohort_year, grid.dimension, grid.group_name
        having grid.group_name != 'unknown' or count(grouped.group_name) > 0
    ),

    flags as ({{ suppression("counts", ["cohort_year"], ["placed", "not_placed"]) }}),

    respondent_flags as (
        {{
            suppression(
                "counts", ["cohort_year"], ["placed_respondents", "not_placed_respondents"]
            )
        }}
    ),

    shown as (
        select
            counts.cohort_year,
            counts.dimension,
            counts.group_name,
            case when not flags.suppressed then counts.graduates end as graduates,
            case when not flags.suppressed then counts.placed end as placed,
            flags.suppressed,
            case when not respondent_flags.suppressed then counts.respondents end as respondents,
            case
                when not respondent_flags.suppressed then counts.placed_respondents
            end as placed_respondents,
            respondent_flags.suppressed as respondents_suppressed
        from counts
        inner join
            flags
            on counts.cohort_year = flags.cohort_year
            and counts.dimension = flags.dimension
            and counts.group_name = flags.group_name
        inner join
            respondent_flags
            on counts.cohort_year = respondent_flags.cohort_year
            and counts.dimension = respondent_flags.dimension
            and counts.group_name = respondent_flags.group_name
    ),

    final as (
        select
            cohort_year,
            dimension,
            group_name,
            graduates,
            placed,
            {{ share_of("placed", "graduates") }} as placement_rate_all_graduates,
            {{ wilson("placed", "graduates", "low") }} as placement_rate_all_graduates_low,
            {{ wilson("placed", "graduates", "high") }} as placement_rate_all_graduates_high,
            suppressed,
            respondents,
            placed_respondents,
            {{ share_of("placed_respondents", "respondents") }} as placement_rate_respondents,
            {{ wilson("placed_respondents", "respondents", "low") }}
            as placement_rate_respondents_low,
            {{ wilson("placed_respondents", "respondents", "high") }}
            as placement_rate_respondents_high,
            respondents_suppressed
        from shown
    )

select *
from final
