with

    source as (
        select
            metric_event_id,
            ticket_id,
            metric,
            instance,
            event_type,
            happened_at,
            is_deleted,
            policy_id,
            target_seconds,
            is_business_time,
            row_hash
        from {{ source("raw", "zendesk_metric_events") }}
        where duplicate_reason is null
    ),

    -- A metric event has no time of update; all that ever happens to one is that it is taken back.
    ranked as (
        select
            metric_event_id,
            ticket_id,
            metric,
            instance,
            event_type,
            happened_at,
            is_deleted,
            policy_id,
            target_seconds,
            is_business_time,
            row_number() over (
                partition by metric_event_id
                order by case when is_deleted then 0 else 1 end, row_hash desc
            ) as position
        from source
    ),

    final as (
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
        from ranked
        where position = 1 and not is_deleted
    )

select *
from final
