{{
    config(
        materialized="incremental",
        incremental_strategy="replace_days",
        on_schema_change="sync_all_columns",
    )
}}

with

    day_bounds as (
        {{
            reporting_day_bounds(
                ref("stg_amplitude__events"),
                "email_key is not null and " ~ in_touched_days("event_at"),
            )
        }}
    ),

    events as (
        select user_key, device_key, amplitude_key, email_key, event_at
        from {{ ref("stg_amplitude__events") }}
        where email_key is not null and not is_excluded and {{ in_touched_days("event_at") }}
    ),

    final as (
        select
            events.user_key,
            events.device_key,
            events.amplitude_key,
            events.email_key,
            {{ reporting_day("events.event_at", "day_bounds") }} as activity_date,
            min(events.event_at) as first_event_at,
            '{{ rules_hash() }}' as rules_hash
        from events
        inner join day_bounds on cast(events.event_at as date) = day_bounds.utc_date
        group by
            events.user_key,
            events.device_key,
            events.amplitude_key,
            events.email_key,
            {{ reporting_day("events.event_at", "day_bounds") }}
    )

select *
from final
