-- A chart that misses the days on which nothing happened draws a line over them.
with

    bounds as (
        select plan, count(*) as days, min(date) as first_day, max(date) as last_day
        from {{ ref("agg_support_daily") }}
        group by plan
    )

select bounds.plan, bounds.days, bounds.first_day, bounds.last_day
from bounds
cross join {{ ref("int_as_of") }} as as_of
where
    bounds.days != {{ days_between("bounds.first_day", "bounds.last_day") }} + 1
    or {{ add_days("bounds.last_day", 1) }} != as_of.as_of_date
    or bounds.first_day > (select min(created_date) from {{ ref("fct_tickets") }})
