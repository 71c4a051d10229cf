with

learner_days as (
    select user_key
    from {{ ref('int_learner_days_by_id') }}
    where
        user_key is not null
        and not is_excluded
),

zendesk_users as (
    select user_key
    from {{ ref('stg_zendesk__users') }}
    where user_key is not null
),

final as (
    select user_key from learner_days
    union distinct
    select user_key from zendesk_users
)

select * from final
