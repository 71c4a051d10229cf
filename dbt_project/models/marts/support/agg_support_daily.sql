with

    tickets as (
        select
            ticket_id,
            created_date,
            plan_at_creation as plan,
            first_reply_seconds,
            first_reply_business_seconds,
            is_deleted
        from {{ ref("fct_tickets") }}
    ),

    statuses as (
        select ticket_id, began_at, is_solve, is_reopening, backlog_change
        from {{ ref("int_support__ticket_statuses") }}
    ),

    ratings as (
        select rated_on, plan, score from {{ ref("int_support__ratings") }} where not is_deleted
    ),

    calls as (
        select called_on, plan, is_answered, is_abandoned, wait_seconds, talk_seconds
        from {{ ref("int_support__calls") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    first_days as (
        select min(created_date) as first_day
        from tickets
        union all
        select min(rated_on) as first_day
        from ratings
        union all
        select min(called_on) as first_day
        from calls
    ),

    bounds as (
        select
            min(first_days.first_day) as first_day,
            {{ add_days("max(as_of.as_of_date)", -1) }} as last_day
        from first_days
        cross join as_of
    ),

    days as (select {{ explode_dates("first_day", "last_day") }} as date from bounds),

    plans as (
        select 'free' as plan
        union all
        select 'SPARK' as plan
        union all
        select 'degree' as plan
        union all
        select 'none' as plan
    ),

    -- A ticket whose status began to be known at all has a first status.
    with_history as (select distinct ticket_id from statuses),

    created as (
        select
            tickets.created_date as date,
            tickets.plan,
            count(*) as created,
            count(*) filter (where with_history.ticket_id is null) as created_without_history,
            count(tickets.first_reply_seconds) as replied,
            {{ percentile_of("tickets.first_reply_seconds", 0.5) }} as median_first_reply_seconds,
            {{ percentile_of("tickets.first_reply_seconds", 0.9) }} as p90_first_reply_seconds,
            {{ percentile_of("tickets.first_reply_business_seconds", 0.5) }}
            as median_first_reply_business_seconds
        from tickets
        left join with_history on tickets.ticket_id = with_history.ticket_id
        where not tickets.is_deleted
        group by tickets.created_date, tickets.plan
    ),

    changed as (
        select
            {{ local_date("statuses.began_at") }} as date,
            tickets.plan,
            count(*) filter (where statuses.is_solve and not tickets.is_deleted) as solved,
            count(*) filter (where statuses.is_reopening and not tickets.is_deleted) as reopened,
            sum(statuses.backlog_change) as backlog_change,
            sum(
                case when tickets.is_deleted then statuses.backlog_change else 0 end
            ) as backlog_change_deleted
        from statuses
        inner join tickets on statuses.ticket_id = tickets.ticket_id
        group by {{ local_date("statuses.began_at") }}, tickets.plan
    ),

    rated as (
        select
            rated_on as date,
            plan,
            count(*) filter (where score = 'good') as csat_good,
            count(*) filter (where score = 'bad') as csat_bad,
            count(*) as ratings_offered
        from ratings
        group by rated_on, plan
    ),

    called as (
        select
            called_on as date,
            plan,
            count(*) filter (where is_answered) as calls_answered,
            count(*) filter (where is_abandoned) as calls_abandoned,
            sum(case when is_answered then wait_seconds end) as calls_wait_seconds,
            sum(case when is_answered then talk_seconds end) as calls_talk_seconds
        from calls
        group by called_on, plan
    ),

    final as (
        select
            days.date,
            plans.plan,
            coalesce(created.created, 0) as created,
            coalesce(created.created_without_history, 0) as created_without_history,
            coalesce(changed.solved, 0) as solved,
            coalesce(changed.reopened, 0) as reopened,
            cast(coalesce(sum(changed.backlog_change) over running, 0) as bigint) as backlog,
            cast(
                coalesce(sum(changed.backlog_change_deleted) over running, 0) as bigint
            ) as backlog_deleted_later,
            coalesce(created.replied, 0) as replied,
            created.median_first_reply_seconds,
            created.p90_first_reply_seconds,
            created.median_first_reply_business_seconds,
            coalesce(rated.csat_good, 0) as csat_good,
            coalesce(rated.csat_bad, 0) as csat_bad,
            coalesce(rated.ratings_offered, 0) as ratings_offered,
            coalesce(rated.csat_good, 0) + coalesce(rated.csat_bad, 0) as ratings_received,
            cast(rated.csat_good as double) / nullif(rated.csat_good + rated.csat_bad, 0) as csat,
            cast(rated.csat_good + rated.csat_bad as double) / rated.ratings_offered as reply_rate,
            coalesce(called.calls_answered, 0) as calls_answered,
            coalesce(called.calls_abandoned, 0) as calls_abandoned,
            cast(coalesce(called.calls_wait_seconds, 0) as bigint) as calls_wait_seconds,
            cast(coalesce(called.calls_talk_seconds, 0) as bigint) as calls_talk_seconds
        from days
        cross join plans
        left join created on days.date = created.date and plans.plan = created.plan
        left join changed on days.date = changed.date and plans.plan = changed.plan
        left join rated on days.date = rated.date and plans.plan = rated.plan
        left join called on days.date = called.date and plans.plan = called.plan
        window
            running as (
                partition by plans.plan
                order by days.date
                rows between unbounded preceding and current row
            )
    )

select *
from final
