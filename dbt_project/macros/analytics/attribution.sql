{#- Where paying learners come from (definitions, section 3): the channels that conversions are
    credited to.

    conversions    relation with learner_key and converted_at
    touches        relation with learner_key, channel and touched_at
    models         list of first (touch), last (touch), linear (all touches alike)
    lookback_days  only touches at most as many days (of 24 hours) before the conversion count

    Gives model, learner_key, converted_at, channel, credit: one row per model, conversion and channel.
    Credits are decimals of six places, and the last touch takes the remainder, so that the credits
    that a model gives a conversion add up to 1 exactly. A conversion without a touch has channel
    `none`. -#}
{% macro attribution(conversions, touches, models, lookback_days) %}
    {%- if models is string or models is not iterable or not models -%}
        {%- do refuse("attribution", "models", models, "a list of first, last, linear") -%}
    {%- endif -%}
    {%- for model in models -%}
        {%- do check_choice("attribution", "models", model, ["first", "last", "linear"]) -%}
    {%- endfor -%}
    {%- do check_whole("attribution", "lookback_days", lookback_days, 0) -%}
    with

        attribution_conversions as (select learner_key, converted_at from {{ conversions }}),

        attribution_seen as (select learner_key, channel, touched_at from {{ touches }}),

        attribution_touches as (
            select
                conversions.learner_key,
                conversions.converted_at,
                touches.channel,
                touches.touched_at,
                row_number() over (
                    partition by conversions.learner_key, conversions.converted_at
                    order by touches.touched_at, touches.channel
                ) as position,
                count(touches.channel) over (
                    partition by conversions.learner_key, conversions.converted_at
                ) as touches
            from attribution_conversions as conversions
            left join
                attribution_seen as touches
                on conversions.learner_key = touches.learner_key
                and touches.touched_at <= conversions.converted_at
                and conversions.converted_at
                <= {{ add_seconds("touches.touched_at", lookback_days * 86400) }}
        ),

        -- Millionths are whole numbers: they add up without rounding.
        attribution_credits as (
            {%- for model in models %}
                select
                    '{{ model }}' as model,
                    learner_key,
                    converted_at,
                    coalesce(channel, 'none') as channel,
                    {% if model == "first" -%}
                        case when position = 1 then 1000000 else 0 end as millionths
                    {%- elif model == "last" -%}
                        case
                            when touches = 0 or position = touches then 1000000 else 0
                        end as millionths
                    {%- else -%}
                        case
                            when touches = 0
                            then 1000000
                            when position = touches
                            then
                                1000000 - (touches - 1) * cast(floor(1000000.0 / touches) as bigint)
                            else cast(floor(1000000.0 / touches) as bigint)
                        end as millionths
                    {%- endif %}
                from attribution_touches
                {%- if not loop.last %}
                    union all
                {%- endif %}
            {%- endfor %}
        )

    select
        model,
        learner_key,
        converted_at,
        channel,
        cast(sum(millionths) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6)) as credit
    from attribution_credits
    where millionths > 0
    group by model, learner_key, converted_at, channel
{% endmacro %}
