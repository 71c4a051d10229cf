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
                "course_id is not null and " ~ in_touched_days("event_at"),
            )
        }}
    ),

    events as (
        select course_id, event_at
        from {{ ref("stg_amplitude__events") }}
        where course_id is not null and not is_excluded and {{ in_touched_days("event_at") }}
    ),

    dated as (
        select
            events.course_id, {{ reporting_day("events.event_at", "day_bounds") }} as activity_date
        from events
        inner join day_bounds on cast(events.event_at as date) = day_bounds.utc_date
    ),

    final as (
        select course_id, activity_date, count(*) as events, '{{ rules_hash() }}' as rules_hash
        from dated
        group by course_id, activity_date
    )

select *
from final
