with

    waves as (
        select distinct survey, wave, wave_date
        from {{ ref("int_surveys__invitations") }}
        where asks_for_outcomes
    ),

    outcomes as (
        select
            survey,
            wave,
            outcome_id,
            is_found_by_survey,
            is_found_by_product,
            is_found_without_survey
        from {{ ref("int_surveys__outcomes") }}
    ),

    compared as (
        select
            survey,
            wave,
            'product' as compared_with,
            is_found_by_survey,
            is_found_by_product as is_found_otherwise
        from outcomes

        union all

        select
            survey,
            wave,
            'all_other_sources' as compared_with,
            is_found_by_survey,
            is_found_without_survey as is_found_otherwise
        from outcomes
    ),

    comparisons as (
        select survey, wave, wave_date, 'product' as compared_with
        from waves

        union all

        select survey, wave, wave_date, 'all_other_sources' as compared_with
        from waves
    ),

    counted as (
        select
            comparisons.survey,
            comparisons.wave,
            comparisons.wave_date,
            comparisons.compared_with,
            count(case when compared.is_found_by_survey then 1 end) as found_by_survey,
            count(case when compared.is_found_otherwise then 1 end) as found_otherwise,
            count(
                case when compared.is_found_by_survey and compared.is_found_otherwise then 1 end
            ) as found_by_both
        from comparisons
        left join
            compared
            on comparisons.survey = compared.survey
            and comparisons.wave = compared.wave
            and comparisons.compared_with = compared.compared_with
        group by
            comparisons.survey, comparisons.wave, comparisons.wave_date, comparisons.compared_with
    ),

    -- A source that found nothing says nothing about what both missed.
    judged as (
        select
            survey,
            wave,
            wave_date,
            compared_with,
            found_by_survey,
            found_otherwise,
            found_by_both,
            found_by_survey + found_otherwise - found_by_both as found_by_either,
            case
                when found_by_survey > 0 and found_otherwise > 0
                then (found_by_survey + 1e0) * (found_otherwise + 1e0) / (found_by_both + 1e0) - 1
            end as estimate,
            sqrt(
                (found_by_survey + 1e0)
                * (found_otherwise + 1e0)
                * (found_by_survey - found_by_both)
                * (found_otherwise - found_by_both)
                / ((found_by_both + 1e0) * (found_by_both + 1e0) * (found_by_both + 2e0))
            ) as error
        from counted
    ),

    final as (
        select
            survey,
            wave,
            wave_date,
            compared_with,
            found_by_survey,
            found_otherwise,
            found_by_both,
            found_by_survey - found_by_both as found_by_survey_only,
            found_otherwise - found_by_both as missed_by_survey,
            found_by_either,
            estimate as estimated_outcomes,
            case
                when estimate is not null
                then
                    greatest(
                        cast(found_by_either as double), estimate - 1.959963984540054e0 * error
                    )
            end as estimated_low,
            estimate + 1.959963984540054e0 * error as estimated_high
        from judged
    )

select *
from final
