with

    ratings as (
        select rating_id, ticket_id, score, requester_key, created_at, updated_at
        from {{ ref("stg_zendesk__satisfaction_ratings") }}
        where score in ('offered', 'good', 'bad')
    ),

    tickets as (
        select ticket_id, updated_at, plan_at_creation, satisfaction, is_deleted
        from {{ ref("int_support__tickets") }}
    ),

    statuses as (
        select ticket_id, began_at, is_solve from {{ ref("int_support__ticket_statuses") }}
    ),

    requesters as (
        select zendesk_user_key, learner_key, has_account, signed_up_at
        from {{ ref("int_support__requesters") }}
    ),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    last_solves as (
        select ticket_id, max(began_at) as solved_at from statuses where is_solve group by ticket_id
    ),

    -- The offer and the answer can be two ratings of one ticket: the latest answer counts.
    ranked as (
        select
            ratings.rating_id,
            ratings.ticket_id,
            ratings.score,
            ratings.requester_key,
            ratings.created_at,
            row_number() over (
                partition by coalesce(ratings.ticket_id, - ratings.rating_id)
                order by
                    case when ratings.score = 'offered' then 1 else 0 end,
                    ratings.updated_at desc,
                    ratings.rating_id desc
            ) as position
        from ratings
        inner join as_of on ratings.created_at < as_of.as_of_at
    ),

    latest as (
        select
            ranked.rating_id,
            ranked.ticket_id,
            ranked.score,
            ranked.created_at as rated_at,
            requesters.learner_key,
            {{ had_account("requesters", "ranked.created_at") }} as had_account
        from ranked
        left join requesters on ranked.requester_key = requesters.zendesk_user_key
        where ranked.position = 1
    ),

    -- A rating whose ticket is not in the exports goes by the requester's plan when it was given.
    rated as (
        select
            latest.rating_id,
            latest.ticket_id,
            case
                when latest.score = 'offered' and tickets.satisfaction in ('good', 'bad')
                then tickets.satisfaction
                else latest.score
            end as score,
            latest.rated_at,
            coalesce(tickets.plan_at_creation, {{ requester_plan("latest") }}) as plan,
            coalesce(tickets.is_deleted, false) as is_deleted
        from latest {{ plan_joins("latest", instant="rated_at") }}
        left join tickets on latest.ticket_id = tickets.ticket_id
    ),

    -- The ticket itself says how it was rated, not when: a survey is sent once it is solved.
    from_tickets as (
        select
            cast(null as bigint) as rating_id,
            tickets.ticket_id,
            tickets.satisfaction as score,
            coalesce(last_solves.solved_at, tickets.updated_at) as rated_at,
            tickets.plan_at_creation as plan,
            tickets.is_deleted
        from tickets
        left join latest on tickets.ticket_id = latest.ticket_id
        left join last_solves on tickets.ticket_id = last_solves.ticket_id
        where latest.ticket_id is null and tickets.satisfaction in ('offered', 'good', 'bad')
    ),

    united as (
        select rating_id, ticket_id, score, rated_at, plan, is_deleted
        from rated
        union all
        select rating_id, ticket_id, score, rated_at, plan, is_deleted
        from from_tickets
    ),

    final as (
        select
            united.rating_id,
            united.ticket_id,
            united.score,
            united.rated_at,
            {{ local_date("united.rated_at") }} as rated_on,
            united.plan,
            united.is_deleted
        from united
        inner join as_of on united.rated_at < as_of.as_of_at
    )

select *
from final
