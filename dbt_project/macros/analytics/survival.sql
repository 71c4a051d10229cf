{#- Kaplan-Meier survival (definitions, section 3): which share of spells still runs after t, where
    the end of some spells has not been seen (censored).

    relation     one row per spell
    segment      SQL expression of the group that a curve is drawn for
    duration     SQL expression: whole months (or other units) seen
    is_ended     SQL condition: the end was seen; else the spell is censored
    min_at_risk  a point is given only while as many are at risk; default: the project's variable

    At a tie ends come before censorings: who is censored at t is at risk at t. The interval is
    log-log with Greenwood's variance, 95 %.
    Gives segment, months, at_risk, ended, censored, survival, survival_low, survival_high for every
    unit from 0 on. -#}
{% macro survival(relation, segment, duration, is_ended, min_at_risk=none) %}
    {%- set min_at_risk = var("min_at_risk") if min_at_risk is none else min_at_risk -%}
    {%- do check_whole("survival", "min_at_risk", min_at_risk | int(default=0), 1) -%}
    {%- do check_expression("survival", "segment", segment) -%}
    {%- do check_expression("survival", "duration", duration) -%}
    {%- do check_condition("survival", "is_ended", is_ended) -%}
    {%- set z = 1.959963984540054 -%}
    with

        survival_spells as (
            select
                {{ segment }} as segment,
                {{ duration }} as months,
                case when {{ is_ended }} then 1 else 0 end as ended
            from {{ relation }}
        ),

        survival_counts as (
            select segment, months, count(*) as spells, sum(ended) as ended
            from survival_spells
            group by segment, months
        ),

        survival_bounds as (
            select segment, max(months) as last_month from survival_counts group by segment
        ),

        survival_grid as (
            select segment, {{ explode_integers(0, "last_month") }} as months from survival_bounds
        ),

        survival_at_risk as (
            select
                survival_grid.segment,
                survival_grid.months,
                coalesce(survival_counts.ended, 0) as ended,
                coalesce(survival_counts.spells, 0)
                - coalesce(survival_counts.ended, 0) as censored,
                sum(coalesce(survival_counts.spells, 0)) over (
                    partition by survival_grid.segment
                    order by survival_grid.months desc
                    rows between unbounded preceding and current row
                ) as at_risk
            from survival_grid
            left join
                survival_counts
                on survival_grid.segment = survival_counts.segment
                and survival_grid.months = survival_counts.months
        ),

        -- The product of (1 - ended / at_risk) as a sum of logarithms; a month in which everybody
        -- ended has none, and brings the curve to 0 for good.
        survival_terms as (
            select
                segment,
                months,
                at_risk,
                ended,
                censored,
                case
                    when ended < at_risk then ln(1 - cast(ended as double) / at_risk)
                end as log_term,
                case
                    when ended < at_risk
                    then cast(ended as double) / (cast(at_risk as double) * (at_risk - ended))
                end as variance_term,
                case when ended = at_risk then 1 else 0 end as is_over
            from survival_at_risk
        ),

        survival_sums as (
            select
                segment,
                months,
                at_risk,
                ended,
                censored,
                sum(log_term) over survived as log_survival,
                sum(variance_term) over survived as variance,
                max(is_over) over survived as is_over
            from survival_terms
            window
                survived as (
                    partition by segment
                    order by months
                    rows between unbounded preceding and current row
                )
        ),

        survival_errors as (
            select
                segment,
                months,
                at_risk,
                ended,
                censored,
                log_survival,
                is_over,
                case when log_survival < 0 then sqrt(variance) / - log_survival end as error
            from survival_sums
        )

    select
        segment,
        months,
        cast(at_risk as bigint) as at_risk,
        cast(ended as bigint) as ended,
        cast(censored as bigint) as censored,
        case
            when is_over = 1 then 0.0 else {{ round_half_away("exp(log_survival)", 10) }}
        end as survival,
        case
            when is_over = 1
            then 0.0
            when error is null
            then 1.0
            else {{ round_half_away("exp(log_survival * exp(" ~ z ~ " * error))", 10) }}
        end as survival_low,
        case
            when is_over = 1
            then 0.0
            when error is null
            then 1.0
            else {{ round_half_away("exp(log_survival * exp(-" ~ z ~ " * error))", 10) }}
        end as survival_high
    from survival_errors
    where at_risk >= {{ min_at_risk }}
{% endmacro %}
