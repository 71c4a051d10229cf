with

    subscriptions as (select learner_key, months, is_censored from {{ ref("int_subscriptions") }}),

    signups as (select learner_key, signup_language from {{ ref("int_signups") }}),

    spells as (
        select
            coalesce(signups.signup_language, 'unknown') as language,
            subscriptions.months,
            subscriptions.is_censored
        from subscriptions
        left join signups on subscriptions.learner_key = signups.learner_key
    ),

    curves as (
        {{
            survival(
                relation="spells",
                segment="language",
                duration="months",
                is_ended="not is_censored",
            )
        }}
    ),

    final as (
        select
            segment as language,
            months,
            at_risk,
            ended,
            censored,
            survival,
            survival_low,
            survival_high
        from curves
    )

select *
from final
