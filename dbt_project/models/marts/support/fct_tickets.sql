with

    tickets as (
        select
            ticket_id,
            created_at,
            created_date,
            learner_key,
            channel,
            priority,
            status,
            had_account,
            plan_at_creation,
            language,
            organization_id,
            is_deleted
        from {{ ref("int_support__tickets") }}
    ),

    statuses as (
        select ticket_id, number, status, began_at, seconds, is_unsolved, is_solve, is_gapless
        from {{ ref("int_support__ticket_statuses") }}
    ),

    replies as (select ticket_id, first_reply_at, touches from {{ ref("int_support__replies") }}),

    business_waits as (
        select ticket_id, first_reply_business_seconds, full_resolution_business_seconds
        from {{ ref("int_support__business_waits") }}
    ),

    ratings as (
        select ticket_id, score from {{ ref("int_support__ratings") }} where ticket_id is not null
    ),

    solves as (
        select
            ticket_id,
            count(*) as solves,
            max(number) as last_solve_number,
            max(began_at) as solved_at
        from statuses
        where is_solve
        group by ticket_id
    ),

    clocks as (
        select
            statuses.ticket_id,
            cast(
                sum(case when statuses.status = 'new' then statuses.seconds else 0 end) as bigint
            ) as new_seconds,
            cast(
                sum(case when statuses.status = 'open' then statuses.seconds else 0 end) as bigint
            ) as open_seconds,
            cast(
                sum(
                    case when statuses.status = 'pending' then statuses.seconds else 0 end
                ) as bigint
            ) as pending_seconds,
            cast(
                sum(case when statuses.status = 'hold' then statuses.seconds else 0 end) as bigint
            ) as on_hold_seconds,
            cast(
                sum(
                    case
                        when
                            {{ is_done("statuses.status") }}
                            and statuses.number < solves.last_solve_number
                        then statuses.seconds
                        else 0
                    end
                ) as bigint
            ) as solved_before_reopening_seconds,
            {{ last_by("statuses.status", "statuses.number") }} as last_status,
            max(case when statuses.status = 'deleted' then statuses.began_at end) as deleted_at,
            count(*) filter (
                where
                    not statuses.is_gapless
                    or statuses.status
                    not in ('new', 'open', 'pending', 'hold', 'solved', 'closed', 'deleted')
            )
            = 0 as is_gapless
        from statuses
        left join solves on statuses.ticket_id = solves.ticket_id
        group by statuses.ticket_id
    ),

    final as (
        select
            tickets.ticket_id,
            tickets.created_at,
            tickets.created_date,
            tickets.learner_key,
            tickets.channel,
            tickets.priority,
            coalesce(clocks.last_status, tickets.status) as status,
            tickets.plan_at_creation,
            tickets.had_account,
            tickets.language,
            tickets.organization_id,
            replies.first_reply_at,
            {{ seconds_between("tickets.created_at", "replies.first_reply_at") }}
            as first_reply_seconds,
            business_waits.first_reply_business_seconds,
            solves.solved_at,
            {{ seconds_between("tickets.created_at", "solves.solved_at") }}
            as full_resolution_seconds,
            business_waits.full_resolution_business_seconds,
            clocks.new_seconds,
            clocks.open_seconds,
            clocks.pending_seconds,
            clocks.on_hold_seconds,
            clocks.solved_before_reopening_seconds,
            clocks.new_seconds
            + clocks.open_seconds
            + clocks.on_hold_seconds as requester_wait_seconds,
            clocks.pending_seconds as agent_wait_seconds,
            coalesce(solves.solves, 0) as solves,
            greatest(coalesce(solves.solves, 0) - 1, 0) as reopens,
            coalesce(replies.touches, 0) as touches,
            coalesce(
                replies.touches = 1
                and solves.solves = 1
                and coalesce(clocks.last_status, tickets.status) in ('solved', 'closed'),
                false
            ) as is_one_touch,
            case when ratings.score in ('good', 'bad') then ratings.score end as csat,
            ratings.score is not null as was_asked_to_rate,
            tickets.is_deleted,
            clocks.deleted_at,
            -- Zendesk closes solved tickets without always writing it into their history.
            coalesce(
                clocks.is_gapless
                and (
                    clocks.last_status = tickets.status
                    or (clocks.last_status = 'solved' and tickets.status = 'closed')
                ),
                false
            ) as has_complete_history
        from tickets
        left join clocks on tickets.ticket_id = clocks.ticket_id
        left join solves on tickets.ticket_id = solves.ticket_id
        left join replies on tickets.ticket_id = replies.ticket_id
        left join business_waits on tickets.ticket_id = business_waits.ticket_id
        left join ratings on tickets.ticket_id = ratings.ticket_id
    )

select *
from final
