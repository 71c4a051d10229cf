with

    learner_days as (
        select user_key
        from {{ ref("int_learner_days_by_id") }}
        where user_key is not null and not is_excluded
    ),

    zendesk_users as (
        select user_key from {{ ref("stg_zendesk__users") }} where user_key is not null
    ),

    survey_responses as (
        select user_key from {{ ref("stg_surveys__responses") }} where user_key is not null
    ),

    satismeter_responses as (
        select user_key from {{ ref("stg_satismeter__responses") }} where user_key is not null
    ),

    final as (
        select user_key
        from learner_days
        union distinct
        select user_key
        from zendesk_users
        union distinct
        select user_key
        from survey_responses
        union distinct
        select user_key
        from satismeter_responses
    )

select *
from final
