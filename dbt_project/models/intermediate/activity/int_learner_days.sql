{%- set meanings = ["learning", "visit"] -%}
{%- set by_id = ref("int_learner_days_by_id") -%}
{{
    config(
        materialized="incremental",
        incremental_strategy="replace_days_and_changes",
        on_schema_change="sync_all_columns",
        meanings=meanings,
        made_from="int_learner_days_by_id",
        row_key=["learner_key", "activity_date", "event_type"],
    )
}}
{%- set all_days = makes_all_days(meanings, by_id) %}

with

    plan as (
        select
            app,
            event_type,
            bool_or(meaning = 'learning') as is_learning,
            bool_or(meaning = 'visit') as is_visit
        from {{ ref("stg_amplitude__meanings") }}
        group by app, event_type
    ),

    -- Only these can turn out to be somebody else's, on any day of the past.
    anonymous_ids as (
        select device_key, amplitude_key, user_key, activity_date, app, event_type, events
        from {{ by_id }}
        where not is_excluded and user_key is null
    ),

    anonymous as (
        select
            {{ identity_learner("anonymous_ids") }} as learner_key,
            {{ identity_is_anonymous("anonymous_ids") }} as is_anonymous,
            anonymous_ids.activity_date,
            anonymous_ids.event_type,
            cast(sum(anonymous_ids.events) as bigint) as events,
            bool_or(coalesce(plan.is_learning, false)) as is_learning,
            bool_or(coalesce(plan.is_visit, false)) as is_visit
        from anonymous_ids {{ identity_joins("anonymous_ids") }}
        left join
            plan on anonymous_ids.app = plan.app and anonymous_ids.event_type = plan.event_type
        group by
            {{ identity_learner("anonymous_ids") }},
            {{ identity_is_anonymous("anonymous_ids") }},
            anonymous_ids.activity_date,
            anonymous_ids.event_type
    ),

    {% if not all_days -%}
        {%- set touched = is_touched_date("activity_date") %}
        anonymous_before as (
            select
                learner_key,
                activity_date,
                event_type,
                anonymous_events,
                is_anonymous_learning,
                is_anonymous_visit
            from {{ this }}
            where anonymous_events > 0 and not {{ touched }}
        ),

        anonymous_now as (
            select learner_key, activity_date, event_type, events, is_learning, is_visit
            from anonymous
            where learner_key is not null and not {{ touched }}
        ),

        -- What a merge, a sign-in or an e-mail address has moved since the table was made.
        moved as (
            select
                coalesce(now.learner_key, before.learner_key) as learner_key,
                coalesce(now.activity_date, before.activity_date) as activity_date,
                coalesce(now.event_type, before.event_type) as event_type
            from anonymous_now as now
            full outer join
                anonymous_before as before
                on now.learner_key = before.learner_key
                and now.activity_date = before.activity_date
                and now.event_type = before.event_type
            where
                now.events is distinct from before.anonymous_events
                or now.is_learning is distinct from before.is_anonymous_learning
                or now.is_visit is distinct from before.is_anonymous_visit
        ),

    {%- endif %}

    signed_in_ids as (
        {% if all_days -%}
            select user_key as learner_key, activity_date, app, event_type, events
            from {{ by_id }}
            where not is_excluded and user_key is not null
        {%- else -%}
            select user_key as learner_key, activity_date, app, event_type, events
            from {{ by_id }}
            where not is_excluded and user_key is not null and {{ touched }}

            union all

            select
                learner_days.user_key as learner_key,
                learner_days.activity_date,
                learner_days.app,
                learner_days.event_type,
                learner_days.events
            from {{ by_id }} as learner_days
            inner join
                moved
                on learner_days.user_key = moved.learner_key
                and learner_days.activity_date = moved.activity_date
                and learner_days.event_type = moved.event_type
            where not learner_days.is_excluded
        {%- endif %}
    ),

    parts as (
        select
            signed_in_ids.learner_key,
            signed_in_ids.activity_date,
            signed_in_ids.event_type,
            signed_in_ids.events,
            coalesce(plan.is_learning, false) as is_learning,
            coalesce(plan.is_visit, false) as is_visit,
            false as is_anonymous,
            0 as anonymous_events,
            false as is_anonymous_learning,
            false as is_anonymous_visit
        from signed_in_ids
        left join
            plan on signed_in_ids.app = plan.app and signed_in_ids.event_type = plan.event_type

        union all

        select
            anonymous.learner_key,
            anonymous.activity_date,
            anonymous.event_type,
            anonymous.events,
            anonymous.is_learning,
            anonymous.is_visit,
            anonymous.is_anonymous,
            anonymous.events as anonymous_events,
            anonymous.is_learning as is_anonymous_learning,
            anonymous.is_visit as is_anonymous_visit
        from anonymous
        {% if all_days -%} where anonymous.learner_key is not null
        {%- else -%}
            left join
                moved
                on anonymous.learner_key = moved.learner_key
                and anonymous.activity_date = moved.activity_date
                and anonymous.event_type = moved.event_type
            where
                anonymous.learner_key is not null
                and (
                    moved.learner_key is not null
                    or {{ is_touched_date("anonymous.activity_date") }}
                )

            union all

            -- So that a row from which all events have moved away is found, and goes.
            select
                learner_key,
                activity_date,
                event_type,
                0 as events,
                false as is_learning,
                false as is_visit,
                false as is_anonymous,
                0 as anonymous_events,
                false as is_anonymous_learning,
                false as is_anonymous_visit
            from moved
        {%- endif %}
    ),

    final as (
        select
            learner_key,
            activity_date,
            event_type,
            cast(sum(events) as bigint) as events,
            bool_or(is_learning) as is_learning,
            bool_or(is_visit) as is_visit,
            bool_or(is_anonymous) as is_anonymous,
            cast(sum(anonymous_events) as bigint) as anonymous_events,
            bool_or(is_anonymous_learning) as is_anonymous_learning,
            bool_or(is_anonymous_visit) as is_anonymous_visit,
            '{{ rules_hash(meanings, by_id) }}' as rules_hash
        from parts
        group by learner_key, activity_date, event_type
    )

select *
from final
