with

    targets as (
        select policy_id, policy, priority, target, metric, began_at, result
        from {{ ref("int_support__sla_targets") }}
    ),

    final as (
        select
            {{ start_of_period(local_date("targets.began_at"), "month") }} as month,
            targets.policy_id,
            targets.policy,
            targets.priority,
            targets.target,
            targets.metric,
            count(*) as targets,
            count(*) filter (where targets.result = 'met') as met,
            count(*) filter (where targets.result = 'breached') as breached,
            count(*) filter (where targets.result = 'running') as running
        from targets
        group by
            {{ start_of_period(local_date("targets.began_at"), "month") }},
            targets.policy_id,
            targets.policy,
            targets.priority,
            targets.target,
            targets.metric
    )

select *
from final
