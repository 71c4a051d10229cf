{{ config(materialized="view") }}

with

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    -- Read apart from the others, which are few: it spares looking up each of years of touches.
    signed_in as (
        select user_key as learner_key, channel, activity_date, first_touch_at
        from {{ ref("int_touches_by_id") }}
        where user_key is not null
    ),

    anonymous_ids as (
        select user_key, device_key, amplitude_key, channel, activity_date, first_touch_at
        from {{ ref("int_touches_by_id") }}
        where user_key is null
    ),

    anonymous as (
        select
            {{ identity_learner("anonymous_ids") }} as learner_key,
            anonymous_ids.channel,
            anonymous_ids.activity_date,
            anonymous_ids.first_touch_at
        from anonymous_ids {{ identity_joins("anonymous_ids") }}
    ),

    resolved as (
        select learner_key, channel, activity_date, first_touch_at
        from signed_in

        union all

        select learner_key, channel, activity_date, first_touch_at
        from anonymous
        where learner_key is not null
    ),

    final as (
        select
            resolved.learner_key, resolved.activity_date, resolved.channel, resolved.first_touch_at
        from resolved
        inner join as_of on resolved.activity_date < as_of.as_of_date
    )

select *
from final
