-- Without this a learner could be counted twice over a 12-month period, which is the one thing the
-- north star promises not to do.
with

    counted as (
        select
            learner_key,
            outcome_date,
            lag(outcome_date) over (
                partition by learner_key order by outcome_date, outcome_id
            ) as previous_date
        from {{ ref("fct_career_outcomes") }}
        where is_counted
    )

select learner_key, previous_date, outcome_date
from counted
where outcome_date < {{ add_months_to("previous_date", 12) }}
