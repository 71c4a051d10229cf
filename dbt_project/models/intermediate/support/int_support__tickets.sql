with

    tickets as (
        select
            ticket_id,
            created_at,
            updated_at,
            status,
            channel,
            priority,
            requester_key,
            satisfaction,
            organization_id,
            is_deleted
        from {{ ref("stg_zendesk__tickets") }}
    ),

    organizations as (
        select organization_id from {{ ref("stg_zendesk__organizations") }} where not is_deleted
    ),

    languages as (
        select zendesk_user_key, language, valid_from_at, valid_to_at
        from {{ ref("stg_zendesk__user_languages") }}
    ),

    signups as (select learner_key, signup_language from {{ ref("int_signups") }}),

    requesters as (
        select zendesk_user_key, learner_key, has_account, signed_up_at
        from {{ ref("int_support__requesters") }}
    ),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    requested as (
        select
            tickets.ticket_id,
            tickets.created_at,
            tickets.updated_at,
            tickets.status,
            tickets.channel,
            tickets.priority,
            tickets.requester_key,
            tickets.satisfaction,
            organizations.organization_id,
            tickets.is_deleted,
            requesters.learner_key,
            coalesce(languages.language, signups.signup_language) as language,
            {{ had_account("requesters", "tickets.created_at") }} as had_account
        from tickets
        inner join as_of on tickets.created_at < as_of.as_of_at
        left join requesters on tickets.requester_key = requesters.zendesk_user_key
        left join organizations on tickets.organization_id = organizations.organization_id
        left join signups on requesters.learner_key = signups.learner_key
        left join
            languages
            on tickets.requester_key = languages.zendesk_user_key
            and (tickets.created_at >= languages.valid_from_at or languages.valid_from_at is null)
            and (tickets.created_at < languages.valid_to_at or languages.valid_to_at is null)
    ),

    final as (
        select
            requested.ticket_id,
            requested.created_at,
            {{ local_date("requested.created_at") }} as created_date,
            requested.updated_at,
            requested.status,
            requested.channel,
            requested.priority,
            requested.requester_key,
            requested.learner_key,
            requested.had_account,
            {{ requester_plan("requested") }} as plan_at_creation,
            requested.language,
            requested.organization_id,
            requested.satisfaction,
            requested.is_deleted
        from requested {{ plan_joins("requested", instant="created_at") }}
    )

select *
from final
