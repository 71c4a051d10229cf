with

    touches as (
        select
            user_key,
            device_key,
            amplitude_key,
            channel,
            activity_date,
            touches,
            first_touch_at,
            last_touch_at
        from {{ ref("int_touches_by_id") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    resolved as (
        select
            {{ identity_learner("touches") }} as learner_key,
            touches.channel,
            touches.activity_date,
            touches.touches,
            touches.first_touch_at,
            touches.last_touch_at
        from touches {{ identity_joins("touches") }}
    ),

    final as (
        select
            resolved.learner_key,
            resolved.activity_date,
            resolved.channel,
            cast(sum(resolved.touches) as bigint) as touches,
            min(resolved.first_touch_at) as first_touch_at,
            max(resolved.last_touch_at) as last_touch_at
        from resolved
        inner join as_of on resolved.activity_date < as_of.as_of_date
        where resolved.learner_key is not null
        group by resolved.learner_key, resolved.activity_date, resolved.channel
    )

select *
from final
