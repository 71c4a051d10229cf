-- Without this a wrong `blocked_by_outcome_id` would send an auditor to an outcome that explains
-- nothing.
with

    outcomes as (
        select outcome_id, learner_key, outcome_date, is_counted, blocked_by_outcome_id
        from {{ ref("fct_career_outcomes") }}
    )

select blocked.outcome_id, blocked.blocked_by_outcome_id
from outcomes as blocked
left join outcomes as blocking on blocked.blocked_by_outcome_id = blocking.outcome_id
where
    blocked.blocked_by_outcome_id is not null
    and not coalesce(
        blocking.is_counted
        and blocking.learner_key = blocked.learner_key
        and blocking.outcome_date <= blocked.outcome_date
        and blocked.outcome_date < {{ add_months_to("blocking.outcome_date", 12) }},
        false
    )
