-- Whoever adds the published counts up must come to the published backlog: yesterday's plus what
-- was created and reopened, minus what was solved. Tickets deleted since are in the backlog only,
-- and of some solved ones nobody knows when: both have a column of their own.
with

    compared as (
        select
            date,
            plan,
            backlog - backlog_deleted_later as kept,
            coalesce(
                lag(backlog - backlog_deleted_later) over (partition by plan order by date), 0
            ) as kept_before,
            created - created_without_history + reopened - solved as change
        from {{ ref("agg_support_daily") }}
    )

select date, plan, kept_before, change, kept
from compared
where kept != kept_before + change
