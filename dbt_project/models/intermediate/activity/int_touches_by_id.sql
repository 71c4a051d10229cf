{%- set meanings = ["visit", "signup"] -%}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_days",
        on_schema_change="sync_all_columns",
        meanings=meanings,
    )
}}

with

    meanings as (
        select distinct app, event_type
        from {{ ref("stg_amplitude__meanings") }}
        where meaning in ('{{ meanings | join("', '") }}')
    ),

    day_bounds as (
        {{
            reporting_day_bounds(
                ref("stg_amplitude__events"),
                "channel is not null and " ~ in_touched_days("event_at", meanings),
            )
        }}
    ),

    events as (
        select app, event_type, event_at, user_key, device_key, amplitude_key, channel
        from {{ ref("stg_amplitude__events") }}
        where
            channel is not null and not is_excluded and {{ in_touched_days("event_at", meanings) }}
    ),

    touches as (
        select
            events.user_key,
            events.device_key,
            events.amplitude_key,
            events.channel,
            events.event_at,
            {{ reporting_day("events.event_at", "day_bounds") }} as activity_date
        from events
        inner join meanings on events.app = meanings.app and events.event_type = meanings.event_type
        inner join day_bounds on cast(events.event_at as date) = day_bounds.utc_date
    ),

    final as (
        select
            user_key,
            device_key,
            amplitude_key,
            channel,
            activity_date,
            min(event_at) as first_touch_at,
            '{{ rules_hash(meanings) }}' as rules_hash
        from touches
        group by user_key, device_key, amplitude_key, channel, activity_date
    )

select *
from final
