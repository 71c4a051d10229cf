with

    numbers as (
        select survey, year, answer, number, is_plausible
        from {{ ref("int_outcomes__survey_numbers") }}
        where answer not in ('income_before', 'income_after', 'hours_before', 'hours_after')
    ),

    counts as (
        select
            survey,
            year,
            answer,
            count(*) as answers,
            count(case when is_plausible then 1 end) as plausible,
            count(case when not is_plausible then 1 end) as implausible,
            {{ percentile_of("case when is_plausible then number end", 0.5) }} as median
        from numbers
        group by survey, year, answer
    ),

    final as (
        select
            survey,
            year,
            answer,
            answers,
            plausible,
            implausible,
            case
                when not {{ is_small_cell("plausible") }} then {{ round_half_away("median", 6) }}
            end as median,
            {{ is_small_cell("plausible") }} as suppressed
        from counts
    )

select *
from final
