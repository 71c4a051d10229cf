with

    subscriptions as (select plan, months, is_censored from {{ ref("fct_subscriptions") }}),

    curves as (
        select plan as segment, months, is_censored
        from subscriptions
        union all
        select 'all' as segment, months, is_censored
        from subscriptions
    ),

    final as (
        {{
            survival(
                relation="curves",
                segment="segment",
                duration="months",
                is_ended="not is_censored",
            )
        }}
    )

select *
from final
