with

    counted as (
        select learner_key, cast(year(outcome_date) as integer) as year
        from {{ ref("fct_career_outcomes") }}
        where is_counted
    ),

    grid as ({{ group_grid("counted", ["year"]) }}),

    grouped as ({{ in_groups("counted", ["year"]) }}),

    -- That nobody is unknown tells nothing about anybody, unlike any other empty group.
    counts as (
        select grid.year, grid.dimension, grid.group_name, count(grouped.group_name) as outcomes
        from grid
        left join
            grouped
            on grid.year = grouped.year
            and grid.dimension = grouped.dimension
            and grid.group_name = grouped.group_name
        group by grid.year, grid.dimension, grid.group_name
        having grid.group_name != 'unknown' or count(grouped.group_name) > 0
    ),

    flags as ({{ suppression("counts", ["year"], ["outcomes"]) }}),

    final as (
        select
            counts.year,
            counts.dimension,
            counts.group_name,
            case when not flags.suppressed then counts.outcomes end as outcomes,
            flags.suppressed
        from counts
        inner join
            flags
            on counts.year = flags.year
            and counts.dimension = flags.dimension
            and counts.group_name = flags.group_name
    )

select *
from final
