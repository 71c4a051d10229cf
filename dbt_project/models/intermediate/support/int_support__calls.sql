with

    calls as (
        select
            call_id,
            ticket_id,
            direction,
            completion_status,
            requester_key,
            wait_seconds,
            talk_seconds,
            created_at
        from {{ ref("stg_zendesk__calls") }}
        where coalesce(direction, 'inbound') = 'inbound'
    ),

    legs as (
        select call_id, leg_type, completion_status, talk_seconds
        from {{ ref("stg_zendesk__call_legs") }}
    ),

    -- Who was rung: the legs of agents tell better than the call whether anybody talked.
    rung as (
        select
            call_id,
            cast(sum(coalesce(talk_seconds, 0)) as bigint) as talk_seconds,
            count(*) filter (where completion_status = 'completed' and talk_seconds > 0)
            > 0 as is_answered
        from legs
        where leg_type = 'agent'
        group by call_id
    ),

    tickets as (select ticket_id, requester_key from {{ ref("int_support__tickets") }}),

    requesters as (
        select zendesk_user_key, learner_key, has_account, signed_up_at
        from {{ ref("int_support__requesters") }}
    ),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    callers as (
        select
            calls.call_id,
            calls.completion_status,
            calls.wait_seconds,
            coalesce(rung.talk_seconds, calls.talk_seconds) as talk_seconds,
            rung.is_answered as is_answered_by_legs,
            calls.created_at as called_at,
            requesters.learner_key,
            {{ had_account("requesters", "calls.created_at") }} as had_account
        from calls
        inner join as_of on calls.created_at < as_of.as_of_at
        left join rung on calls.call_id = rung.call_id
        left join tickets on calls.ticket_id = tickets.ticket_id
        left join
            requesters
            on coalesce(calls.requester_key, tickets.requester_key) = requesters.zendesk_user_key
    ),

    -- A completed call in which nobody talked is a message on the answering machine.
    final as (
        select
            callers.call_id,
            callers.called_at,
            {{ local_date("callers.called_at") }} as called_on,
            {{ requester_plan("callers") }} as plan,
            coalesce(
                callers.completion_status = 'completed'
                and coalesce(callers.is_answered_by_legs, callers.talk_seconds > 0, true),
                false
            ) as is_answered,
            coalesce(callers.completion_status like 'abandoned%', false) as is_abandoned,
            callers.wait_seconds,
            callers.talk_seconds
        from callers {{ plan_joins("callers", instant="called_at") }}
    )

select *
from final
