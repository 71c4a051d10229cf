{#- The chain ladder with Mack's standard error (Mack 1993, ASTIN Bulletin 23): what the newest
    years will have come to, from how earlier years grew.

    triangle     relation with the columns `origin`, `period` and `cumulative`: one row per known
                 cell, every period from 1 up to the origin's newest one
    last_period  after so many periods an origin is complete

    The factor of a period is the sum of what origins had after the next one over the sum of what
    the same origins had before. Where one origin alone shows the last step, its variance is
    extrapolated as Mack does. Gives one row per origin: origin, known_periods, latest, ultimate,
    standard_error, links (the smallest number of origins behind a factor that was needed).
    `ultimate` is null where a factor is missing, or an origin had nothing before a step. -#}
{% macro chain_ladder(triangle, last_period) %}
    with

        ladder_cells as (
            select origin, period, cast(cumulative as double) as amount
            from {{ triangle }}
            where period <= {{ last_period }}
        ),

        ladder_links as (
            select cells.period, cells.amount, following.amount as next_amount
            from ladder_cells as cells
            inner join
                ladder_cells as following
                on cells.origin = following.origin
                and cells.period + 1 = following.period
        ),

        ladder_factors as (
            select
                period,
                count(*) as links,
                sum(amount) as amounts,
                min(amount) as least_amount,
                sum(next_amount) / nullif(sum(amount), 0) as factor
            from ladder_links
            group by period
        ),

        ladder_deviations as (
            select
                ladder_links.period,
                sum(
                    power(ladder_links.next_amount - ladder_factors.factor * ladder_links.amount, 2)
                    / nullif(ladder_links.amount, 0)
                )
                / nullif(max(ladder_factors.links) - 1, 0) as variance
            from ladder_links
            inner join ladder_factors on ladder_links.period = ladder_factors.period
            group by ladder_links.period
        ),

        ladder_before as (
            select
                period,
                variance,
                lag(variance, 1) over (order by period) as one_before,
                lag(variance, 2) over (order by period) as two_before
            from ladder_deviations
        ),

        ladder_steps as (
            select
                ladder_factors.period,
                ladder_factors.links,
                ladder_factors.amounts,
                ladder_factors.factor,
                case when ladder_factors.least_amount > 0 then 1 else 0 end as is_sound,
                coalesce(
                    ladder_before.variance,
                    least(
                        ladder_before.one_before
                        * ladder_before.one_before
                        / nullif(ladder_before.two_before, 0),
                        ladder_before.one_before,
                        ladder_before.two_before
                    )
                ) as variance
            from ladder_factors
            inner join ladder_before on ladder_factors.period = ladder_before.period
        ),

        ladder_known as (
            select origin, max(period) as known_periods from ladder_cells group by origin
        ),

        ladder_latest as (
            select ladder_known.origin, ladder_known.known_periods, ladder_cells.amount as latest
            from ladder_known
            inner join
                ladder_cells
                on ladder_known.origin = ladder_cells.origin
                and ladder_known.known_periods = ladder_cells.period
        ),

        ladder_walk as (
            select
                ladder_latest.origin,
                ladder_steps.links,
                ladder_steps.factor,
                ladder_steps.is_sound,
                -- The relative variance that this step adds.
                ladder_steps.variance
                / (ladder_steps.factor * ladder_steps.factor)
                * (
                    1 / (
                        ladder_latest.latest * exp(
                            coalesce(
                                sum(ln(ladder_steps.factor)) over (
                                    partition by ladder_latest.origin
                                    order by ladder_steps.period
                                    rows between unbounded preceding and 1 preceding
                                ),
                                0
                            )
                        )
                    )
                    + 1 / ladder_steps.amounts
                ) as relative_variance
            from ladder_latest
            inner join
                ladder_steps
                on ladder_latest.known_periods <= ladder_steps.period
                and ladder_steps.factor > 0
            where ladder_latest.latest > 0
        ),

        ladder_sums as (
            select
                origin,
                count(*) as steps,
                min(links) as links,
                min(is_sound) as is_sound,
                exp(sum(ln(factor))) as growth,
                -- Unknown as a whole where it is unknown at one step.
                case
                    when count(relative_variance) = count(*) then sum(relative_variance)
                end as relative_variance
            from ladder_walk
            group by origin
        ),

        ladder_ultimates as (
            select
                ladder_latest.origin,
                ladder_latest.known_periods,
                ladder_latest.latest,
                ladder_sums.links,
                ladder_sums.relative_variance,
                case
                    when ladder_latest.known_periods = {{ last_period }}
                    then ladder_latest.latest
                    when
                        ladder_sums.steps = {{ last_period }} - ladder_latest.known_periods
                        and ladder_sums.is_sound = 1
                    then ladder_latest.latest * ladder_sums.growth
                end as ultimate
            from ladder_latest
            left join ladder_sums on ladder_latest.origin = ladder_sums.origin
        )

    select
        origin,
        cast(known_periods as integer) as known_periods,
        latest,
        {{ round_half_away("ultimate", 6) }} as ultimate,
        case
            when known_periods = {{ last_period }}
            then 0e0
            else {{ round_half_away("ultimate * sqrt(relative_variance)", 6) }}
        end as standard_error,
        links
    from ladder_ultimates
{% endmacro %}
