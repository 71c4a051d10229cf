with

    learning_weekly as (
        {{
            retention(
                relation=ref("fct_learner_days"),
                start_event="is_learning",
                period="week",
                mode="on",
                cohorts="first_time",
            )
        }}
    ),

    final as (
        select
            'learning_weekly' as definition,
            cohort,
            interval_index,
            cohort_size,
            retained,
            is_complete
        from learning_weekly
    )

select *
from final
