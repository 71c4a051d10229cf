with

    learning_days_of_week as (
        {{
            stickiness(
                learner_days=ref("fct_learner_days"),
                active_event="is_learning",
                interval="day",
                period="week",
            )
        }}
    ),

    final as (
        select
            'learning_days_of_week' as definition,
            period_start,
            intervals,
            learners_exactly,
            learners_at_least,
            is_complete
        from learning_days_of_week
    )

select *
from final
