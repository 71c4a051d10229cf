-- The backlog is a running sum of what came and went. Without this test a change that is missed
-- once would stand in every later day; counting the tickets that are unsolved at the first instant
-- of the next day finds it.
with

    standing as (
        select days.date, days.plan, count(statuses.ticket_id) as tickets
        from {{ ref("agg_support_daily") }} as days
        left join
            {{ ref("fct_tickets") }} as tickets
            on days.plan = tickets.plan_at_creation
            and tickets.created_date <= days.date
        left join
            {{ ref("int_support__ticket_statuses") }} as statuses
            on tickets.ticket_id = statuses.ticket_id
            and statuses.is_unsolved
            and statuses.began_at < {{ start_of_day(add_days("days.date", 1)) }}
            and (
                statuses.ended_at is null
                or statuses.ended_at >= {{ start_of_day(add_days("days.date", 1)) }}
            )
        group by days.date, days.plan
    )

select days.date, days.plan, days.backlog, standing.tickets
from {{ ref("agg_support_daily") }} as days
inner join standing on days.date = standing.date and days.plan = standing.plan
where days.backlog != standing.tickets
