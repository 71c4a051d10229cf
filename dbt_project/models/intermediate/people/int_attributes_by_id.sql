{%- set told = equity_dimensions() -%}
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
                "user_key is not null and " ~ in_touched_days("event_at"),
            )
        }}
    ),

    events as (
        select user_key, event_at, {{ told | join(", ") }}
        from {{ ref("stg_amplitude__events") }}
        where
            coalesce({{ told | join(", ") }}) is not null
            and user_key is not null
            and not is_excluded
            and {{ in_touched_days("event_at") }}
    ),

    dated as (
        select
            events.user_key,
            {{ reporting_day("events.event_at", "day_bounds") }} as activity_date,
            {%- for attribute in told %}
                case
                    when {{ attribute }} is not null then {{ row_of(["event_at", attribute]) }}
                end as {{ attribute }}
                {%- if not loop.last %},{% endif %}
            {%- endfor %}
        from events
        inner join day_bounds on cast(events.event_at as date) = day_bounds.utc_date
    ),

    final as (
        select
            user_key,
            activity_date,
            {%- for attribute in told %} max({{ attribute }}) as {{ attribute }}, {%- endfor %}
            '{{ rules_hash() }}' as rules_hash
        from dated
        group by user_key, activity_date
    )

select *
from final
