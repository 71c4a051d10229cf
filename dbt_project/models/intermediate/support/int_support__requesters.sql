with

    users as (select zendesk_user_key, user_key, email_key from {{ ref("stg_zendesk__users") }}),

    signups as (select learner_key, signed_up_at from {{ ref("int_signups") }}),

    resolved as (
        select
            users.zendesk_user_key,
            {{ contact_learner("users") }} as learner_key,
            coalesce(users.user_key, users_emails.user_key) is not null as has_account
        from users {{ contact_joins("users") }}
    ),

    final as (
        select
            resolved.zendesk_user_key,
            resolved.learner_key,
            resolved.has_account,
            case when resolved.has_account then signups.signed_up_at end as signed_up_at
        from resolved
        left join signups on resolved.learner_key = signups.learner_key
    )

select *
from final
