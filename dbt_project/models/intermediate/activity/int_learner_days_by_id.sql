{{
    config(
        materialized="incremental",
        incremental_strategy="replace_days",
        on_schema_change="sync_all_columns",
    )
}}

with

    day_bounds as (
        {{ reporting_day_bounds(ref("stg_amplitude__events"), in_touched_days("event_at")) }}
    ),

    events as (
        select user_key, device_key, amplitude_key, app, event_type, event_at, country, is_excluded
        from {{ ref("stg_amplitude__events") }}
        where {{ in_touched_days("event_at") }}
    ),

    dated as (
        select
            events.user_key,
            events.device_key,
            events.amplitude_key,
            {{ reporting_day("events.event_at", "day_bounds") }} as activity_date,
            events.app,
            events.event_type,
            events.is_excluded,
            events.event_at,
            events.country
        from events
        inner join day_bounds on cast(events.event_at as date) = day_bounds.utc_date
    ),

    final as (
        select
            user_key,
            device_key,
            amplitude_key,
            activity_date,
            app,
            event_type,
            is_excluded,
            count(*) as events,
            min(event_at) as first_event_at,
            min(country) as country,
            '{{ rules_hash() }}' as rules_hash
        from dated
        group by user_key, device_key, amplitude_key, activity_date, app, event_type, is_excluded
    )

select *
from final
