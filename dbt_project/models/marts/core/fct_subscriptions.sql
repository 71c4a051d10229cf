with

    final as (
        select learner_key, plan, last_plan, started_on, ended_on, is_censored, months
        from {{ ref("int_subscriptions") }}
    )

select *
from final
