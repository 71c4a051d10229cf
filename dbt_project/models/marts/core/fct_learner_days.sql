{{ config(materialized="view") }}

with

    learner_days as (
        select learner_key, activity_date, event_type, events, is_learning, is_visit, is_anonymous
        from {{ ref("int_learner_days") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    final as (
        select
            learner_days.learner_key,
            learner_days.activity_date,
            learner_days.event_type,
            learner_days.events,
            learner_days.is_learning,
            learner_days.is_visit,
            learner_days.is_anonymous
        from learner_days
        inner join as_of on learner_days.activity_date < as_of.as_of_date
    )

select *
from final
