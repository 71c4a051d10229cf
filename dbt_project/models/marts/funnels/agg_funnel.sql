with

    milestones as (
        select learner_key, event_id, event_at, meaning, plan
        from {{ ref("int_milestones") }}
        where learner_key is not null
    ),

    premium as (
        {{
            funnel(
                relation="milestones",
                steps=[
                    ["signed up", "meaning = 'signup'"],
                    ["started a course", "meaning = 'course_started'"],
                    ["started a paid plan", "meaning = 'plan_started' and plan != 'free'"],
                ],
                window_seconds=90 * 86400,
            )
        }}
    ),

    final as (
        select 'premium' as funnel, step, step_name, learners, converted, pending, median_seconds
        from premium
    )

select *
from final
