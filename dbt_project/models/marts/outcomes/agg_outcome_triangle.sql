{%- set last_month = var("outcome_development_months") | int -%}

with

    outcomes as (
        select outcome_id, outcome_date, outcome_types
        from {{ ref("fct_career_outcomes") }}
        where is_counted
    ),

    reports as (
        select outcome_id, reported_on, source, credited, would_not_have_happened
        from {{ ref("fct_outcome_reports") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    -- The learner's own yes makes a report countable; an internal move alone needs two.
    answers as (
        select
            outcome_id,
            min(case when {{ own_word("credited", "source") }} then reported_on end) as credited_on,
            min(
                case when {{ own_word("would_not_have_happened", "source") }} then reported_on end
            ) as needed_on
        from reports
        group by outcome_id
    ),

    countable as (
        select
            outcomes.outcome_date,
            case
                when {{ list_join("outcomes.outcome_types") }} = 'internal_mobility'
                then greatest(outcomes.outcome_date, answers.credited_on, answers.needed_on)
                else greatest(outcomes.outcome_date, answers.credited_on)
            end as countable_on
        from outcomes
        inner join answers on outcomes.outcome_id = answers.outcome_id
    ),

    developed as (
        select
            cast(year(outcome_date) as integer) as origin_year,
            (year(countable_on) - year(outcome_date)) * 12
            + month(countable_on) as development_month
        from countable
    ),

    -- Reports were already coming in when the year began; else its first months are not known.
    began as (
        select {{ start_of_period("min(reported_on)", "month") }} as first_month from reports
    ),

    bounds as (
        select
            least(min(developed.origin_year), year(max(as_of.as_of_date))) as first_year,
            year(max(as_of.as_of_date)) as last_year
        from developed
        cross join as_of
    ),

    origins as (
        select {{ explode_integers("first_year", "last_year") }} as origin_year from bounds
    ),

    known as (
        select
            cast(origins.origin_year as integer) as origin_year,
            least(
                {{ last_month }},
                (year(as_of.as_of_date) - origins.origin_year) * 12 + month(as_of.as_of_date) - 1
            ) as last_month
        from origins
        cross join as_of
    ),

    cells as (
        select
            origin_year,
            last_month,
            cast({{ explode_integers("1", "last_month") }} as integer) as development_month
        from known
    ),

    counts as (
        select origin_year, development_month, count(*) as outcomes
        from developed
        group by origin_year, development_month
    ),

    final as (
        select
            cells.origin_year,
            cells.development_month,
            coalesce(counts.outcomes, 0) as new_outcomes,
            cast(
                sum(coalesce(counts.outcomes, 0)) over (
                    partition by cells.origin_year
                    order by cells.development_month
                    rows between unbounded preceding and current row
                ) as bigint
            ) as cumulative_outcomes,
            cells.last_month = {{ last_month }} as is_origin_complete,
            coalesce(
                year(began.first_month) < cells.origin_year
                or (year(began.first_month) = cells.origin_year and month(began.first_month) = 1),
                false
            ) as is_history
        from cells
        cross join began
        left join
            counts
            on cells.origin_year = counts.origin_year
            and cells.development_month = counts.development_month
    )

select *
from final
