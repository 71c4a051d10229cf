{%- set cut = ["survey", "year", "income_kind", "currency"] -%}

with

    incomes as (
        select
            learner_key,
            survey,
            year,
            income_kind,
            currency,
            is_full_time_equivalent,
            difference,
            percentage,
            has_increased
        from {{ ref("int_outcomes__incomes") }}
    ),

    grid as ({{ group_grid("incomes", cut) }}),

    grouped as (
        {{
            in_groups(
                "incomes",
                cut + ["is_full_time_equivalent", "difference", "percentage", "has_increased"],
            )
        }}
    ),

    counted as (
        select
            {% for column in cut -%} {{ column }}, {% endfor %}
            dimension,
            group_name,
            is_full_time_equivalent,
            difference,
            percentage,
            has_increased,
            row_number() over (
                partition by {{ cut | join(", ") }}, dimension, group_name order by difference
            ) as difference_rank,
            count(difference) over (
                partition by {{ cut | join(", ") }}, dimension, group_name
            ) as differences,
            row_number() over (
                partition by {{ cut | join(", ") }}, dimension, group_name
                order by percentage nulls last
            ) as percentage_rank,
            count(percentage) over (
                partition by {{ cut | join(", ") }}, dimension, group_name
            ) as percentages
        from grouped
    ),

    -- That nobody is unknown tells nothing about anybody, unlike any other empty group.
    counts as (
        select
            {% for column in cut -%} grid.{{ column }}, {% endfor %}
            grid.dimension,
            grid.group_name,
            count(grouped.difference) as people,
            count(case when grouped.is_full_time_equivalent then 1 end) as full_time_equivalents,
            count(grouped.percentage) as people_with_percentage,
            count(case when grouped.has_increased then 1 end) as increased,
            count(case when not grouped.has_increased then 1 end) as not_increased,
            count(
                case when grouped.difference is not null and grouped.percentage is null then 1 end
            ) as without_percentage,
            {{ percentile_of("grouped.difference", 0.5) }} as median_difference,
            {{ percentile_of("grouped.percentage", 0.5) }} as median_percentage,
            {%- for value in ["difference", "percentage"] %}
                max(
                    case
                        when
                            grouped.{{ value }}_rank
                            = {{ median_interval_rank("grouped." ~ value ~ "s") }}
                        then grouped.{{ value }}
                    end
                ) as median_{{ value }}_low,
                max(
                    case
                        when
                            grouped.{{ value }}s + 1 - grouped.{{ value }}_rank
                            = {{ median_interval_rank("grouped." ~ value ~ "s") }}
                        then grouped.{{ value }}
                    end
                ) as median_{{ value }}_high
                {%- if not loop.last %}, {% endif %}
            {%- endfor %}
        from grid
        left join
            counted as grouped
            on {% for column in cut -%} grid.{{ column }} = grouped.{{ column }} and {% endfor %}
            grid.dimension = grouped.dimension and grid.group_name = grouped.group_name
        group by
            {% for column in cut -%} grid.{{ column }}, {% endfor %} grid.dimension, grid.group_name
        having grid.group_name != 'unknown' or count(grouped.group_name) > 0
    ),

    flags as (
        {{
            suppression(
                "counts",
                cut,
                ["increased", "not_increased", "without_percentage"],
                may_be_zero=["without_percentage"],
            )
        }}
    ),

    shown as (
        select
            {% for column in cut -%} counts.{{ column }}, {% endfor %}
            counts.dimension,
            counts.group_name,
            counts.people,
            counts.full_time_equivalents,
            counts.median_difference,
            counts.median_difference_low,
            counts.median_difference_high,
            counts.people_with_percentage,
            counts.median_percentage,
            counts.median_percentage_low,
            counts.median_percentage_high,
            counts.increased,
            flags.suppressed
        from counts
        inner join
            flags
            on {% for column in cut -%} counts.{{ column }} = flags.{{ column }} and {% endfor %}
            counts.dimension = flags.dimension and counts.group_name = flags.group_name
    ),

    final as (
        select
            {% for column in cut -%} {{ column }}, {% endfor %}
            dimension,
            group_name,
            case when not suppressed then people end as people,
            case
                when not suppressed and dimension = 'total' then full_time_equivalents
            end as full_time_equivalents,
            case
                when not suppressed then {{ round_half_away("median_difference", 6) }}
            end as median_difference,
            {%- for end in ["low", "high"] %}
                case
                    when not suppressed then {{ round_half_away("median_difference_" ~ end, 6) }}
                end as median_difference_{{ end }},
            {%- endfor %}
            case when not suppressed then people_with_percentage end as people_with_percentage,
            case
                when not suppressed then {{ round_half_away("median_percentage", 10) }}
            end as median_percentage,
            {%- for end in ["low", "high"] %}
                case
                    when not suppressed then {{ round_half_away("median_percentage_" ~ end, 10) }}
                end as median_percentage_{{ end }},
            {%- endfor %}
            case
                when not suppressed then {{ share_of("increased", "people_with_percentage") }}
            end as share_increased_5_percent,
            {%- for end in ["low", "high"] %}
                case
                    when not suppressed
                    then {{ wilson("increased", "people_with_percentage", end) }}
                end as share_increased_5_percent_{{ end }},
            {%- endfor %}
            suppressed
        from shown
    )

select *
from final
