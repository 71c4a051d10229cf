with

    events as (
        select
            metric_event_id,
            ticket_id,
            metric,
            instance,
            event_type,
            happened_at,
            policy_id,
            target_seconds,
            is_business_time
        from {{ ref("stg_zendesk__metric_events") }}
    ),

    tickets as (select ticket_id, priority, is_deleted from {{ ref("int_support__tickets") }}),

    changes as (
        select ticket_id, audit_id, position, created_at, previous_value, value
        from {{ ref("stg_zendesk__ticket_events") }}
        where field_name = 'priority'
    ),

    policies as (
        select policy_id, title, targets, valid_from_at, valid_to_at
        from {{ ref("stg_zendesk__sla_policies") }}
    ),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    -- What a metric is called in a policy, and which promise it is.
    timed as (
        select
            events.metric_event_id,
            events.ticket_id,
            events.metric,
            events.instance,
            case
                when events.metric = 'reply_time' and events.instance = 1
                then 'first_reply'
                when events.metric = 'reply_time'
                then 'next_reply'
                else 'resolution'
            end as target,
            case
                when events.metric = 'reply_time' and events.instance = 1
                then 'first_reply_time'
                when events.metric = 'reply_time'
                then 'next_reply_time'
                when events.metric = 'resolution_time'
                then 'total_resolution_time'
                else events.metric
            end as policy_metric,
            events.event_type,
            date_trunc('second', events.happened_at) as happened_at,
            events.policy_id,
            events.target_seconds,
            events.is_business_time,
            tickets.priority as priority_today,
            as_of.as_of_at
        from events
        inner join tickets on events.ticket_id = tickets.ticket_id
        inner join as_of on events.happened_at < as_of.as_of_at
        where
            not tickets.is_deleted
            and events.metric
            in ('reply_time', 'resolution_time', 'requester_wait_time', 'agent_work_time')
    ),

    -- A clock that runs again after it was fulfilled is not fulfilled.
    clocks as (
        select
            ticket_id,
            metric,
            instance,
            target,
            policy_metric,
            priority_today,
            as_of_at,
            min(case when event_type = 'activate' then happened_at end) as activated_at,
            min(case when event_type = 'apply_sla' then happened_at end) as applied_at,
            min(case when event_type = 'breach' then happened_at end) as breached_at,
            max(
                case
                    when event_type in ('fulfill', 'activate')
                    then {{ row_of(["happened_at", "metric_event_id", "event_type"]) }}
                end
            ) as last_step
        from timed
        group by ticket_id, metric, instance, target, policy_metric, priority_today, as_of_at
    ),

    judged as (
        select
            ticket_id,
            metric,
            instance,
            target,
            policy_metric,
            priority_today,
            coalesce(least(activated_at, applied_at), activated_at, applied_at) as began_at,
            case
                when
                    breached_at is not null
                    and (
                        last_step.event_type is null
                        or last_step.event_type = 'activate'
                        or breached_at <= last_step.happened_at
                    )
                then 'breached'
                when last_step.event_type = 'fulfill'
                then 'met'
                else 'running'
            end as result,
            breached_at,
            case
                when last_step.event_type = 'fulfill' then last_step.happened_at
            end as fulfilled_at,
            as_of_at
        from clocks
    ),

    decided as (
        select
            ticket_id,
            metric,
            instance,
            target,
            policy_metric,
            priority_today,
            began_at,
            result,
            case
                result when 'breached' then breached_at when 'met' then fulfilled_at
            end as decided_at,
            case
                result when 'breached' then breached_at when 'met' then fulfilled_at else as_of_at
            end as judged_at
        from judged
    ),

    -- The policy in force is the last one that was applied by then.
    applied as (
        select
            decided.ticket_id,
            decided.metric,
            decided.instance,
            timed.policy_id,
            timed.target_seconds,
            timed.is_business_time,
            row_number() over (
                partition by decided.ticket_id, decided.metric, decided.instance
                order by timed.happened_at desc, timed.metric_event_id desc
            ) as position
        from decided
        inner join
            timed
            on decided.ticket_id = timed.ticket_id
            and decided.metric = timed.metric
            and decided.instance = timed.instance
            and timed.event_type = 'apply_sla'
            and timed.happened_at <= decided.judged_at
    ),

    -- The priority in force: the last change by then, else what the next one says went before it.
    priorities as (
        select
            decided.ticket_id,
            decided.metric,
            decided.instance,
            case
                when changes.created_at <= decided.judged_at
                then changes.value
                else changes.previous_value
            end as priority,
            row_number() over (
                partition by decided.ticket_id, decided.metric, decided.instance
                order by
                    case when changes.created_at <= decided.judged_at then 0 else 1 end,
                    case when changes.created_at <= decided.judged_at then changes.created_at end
                    desc,
                    case when changes.created_at <= decided.judged_at then changes.audit_id end
                    desc,
                    case when changes.created_at <= decided.judged_at then changes.position end
                    desc,
                    changes.created_at,
                    changes.audit_id,
                    changes.position
            ) as position
        from decided
        inner join changes on decided.ticket_id = changes.ticket_id
    ),

    promised as (
        select policy_id, valid_from_at, valid_to_at, {{ explode_list("targets") }} as promise
        from policies
    ),

    promises as (
        select
            policy_id,
            valid_from_at,
            valid_to_at,
            promise.priority as priority,
            promise.metric as metric,
            max(promise.target_seconds) as target_seconds,
            max(case when promise.is_business_time then 1 else 0 end) = 1 as is_business_time
        from promised
        group by policy_id, valid_from_at, valid_to_at, promise.priority, promise.metric
    ),

    prioritized as (
        select
            decided.ticket_id,
            decided.metric,
            decided.instance,
            decided.target,
            decided.policy_metric,
            applied.policy_id,
            coalesce(lower(trim(priorities.priority)), decided.priority_today, 'none') as priority,
            applied.target_seconds,
            applied.is_business_time,
            decided.began_at,
            decided.result,
            decided.decided_at,
            decided.judged_at
        from decided
        inner join
            applied
            on decided.ticket_id = applied.ticket_id
            and decided.metric = applied.metric
            and decided.instance = applied.instance
            and applied.position = 1
        left join
            priorities
            on decided.ticket_id = priorities.ticket_id
            and decided.metric = priorities.metric
            and decided.instance = priorities.instance
            and priorities.position = 1
        where applied.policy_id is not null
    ),

    final as (
        select
            prioritized.ticket_id,
            prioritized.metric,
            prioritized.instance,
            prioritized.target,
            prioritized.policy_id,
            titles.title as policy,
            prioritized.priority,
            coalesce(prioritized.target_seconds, promises.target_seconds) as target_seconds,
            coalesce(prioritized.is_business_time, promises.is_business_time) as is_business_time,
            prioritized.began_at,
            prioritized.result,
            prioritized.decided_at
        from prioritized
        left join
            policies as titles
            on prioritized.policy_id = titles.policy_id
            and titles.valid_to_at is null
        left join
            promises
            on prioritized.policy_id = promises.policy_id
            and prioritized.priority = promises.priority
            and prioritized.policy_metric = promises.metric
            and (prioritized.judged_at >= promises.valid_from_at or promises.valid_from_at is null)
            and (prioritized.judged_at < promises.valid_to_at or promises.valid_to_at is null)
    )

select *
from final
