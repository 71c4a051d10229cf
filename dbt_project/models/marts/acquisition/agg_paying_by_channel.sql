{%- set lookback_days = var("attribution_lookback_days") -%}
with

    subscriptions as (
        select
            learner_key,
            started_at,
            started_on,
            row_number() over (partition by learner_key order by started_at) as position
        from {{ ref("int_subscriptions") }}
    ),

    conversions as (
        select
            learner_key,
            started_at as converted_at,
            started_on as converted_on,
            {{ start_of_period("started_on", "month") }} as month
        from subscriptions
        where position = 1
    ),

    -- One a day: a learner may have come with two devices, or signed in meanwhile. Whole days that
    -- hold all that the attribution may look back to, which counts in hours.
    touches as (
        select touches.learner_key, touches.channel, min(touches.first_touch_at) as touched_at
        from {{ ref("int_touches") }} as touches
        inner join
            conversions
            on touches.learner_key = conversions.learner_key
            and touches.activity_date <= conversions.converted_on
            and touches.activity_date
            >= {{ add_days("conversions.converted_on", -1 - lookback_days) }}
        group by touches.learner_key, touches.channel, touches.activity_date
    ),

    credits as (
        {{
            attribution(
                conversions="conversions",
                touches="touches",
                models=["first", "last", "linear"],
                lookback_days=lookback_days,
            )
        }}
    ),

    final as (
        select
            credits.model as attribution,
            conversions.month,
            credits.channel,
            cast(sum(credits.credit) as decimal(18, 6)) as conversions
        from credits
        inner join conversions on credits.learner_key = conversions.learner_key
        group by credits.model, conversions.month, credits.channel
    )

select *
from final
