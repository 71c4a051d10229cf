with

    learning_weekly as (
        {{
            retention_overall(
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
            interval_index,
            cohorts,
            cohort_sizes,
            retained,
            cast(retained as double) / cohort_sizes as sum_of_cohorts,
            unique_learners,
            unique_retained,
            cast(unique_retained as double) / unique_learners as unique_share
        from learning_weekly
    )

select *
from final
