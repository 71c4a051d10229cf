with

    courses as (select course_id, title, language from {{ ref("dim_courses") }}),

    milestones as (
        select learner_key, course_id, meaning, activity_date
        from {{ ref("int_milestones") }}
        where
            meaning in ('course_enrolled', 'course_started', 'course_completed', 'course_certified')
            and course_id is not null
            and learner_key is not null
            and not is_after_as_of
    ),

    career_outcomes as (
        select learner_key, outcome_date from {{ ref("fct_career_outcomes") }} where is_counted
    ),

    learners as (
        select
            course_id,
            learner_key,
            min(case when meaning = 'course_enrolled' then activity_date end) as enrolled_on,
            bool_or(meaning = 'course_started') as has_started,
            bool_or(meaning = 'course_completed') as has_completed,
            bool_or(meaning = 'course_certified') as is_certified
        from milestones
        group by course_id, learner_key
    ),

    -- A learner with two outcomes within the twelve months of a course counts once.
    with_outcome as (
        select distinct learners.course_id, learners.learner_key
        from learners
        inner join
            career_outcomes
            on learners.learner_key = career_outcomes.learner_key
            and career_outcomes.outcome_date >= learners.enrolled_on
            and career_outcomes.outcome_date < {{ add_months_to("learners.enrolled_on", 12) }}
    ),

    counts as (
        select
            learners.course_id,
            count(learners.enrolled_on) as enrolled,
            count(*) filter (where learners.has_started) as started,
            count(*) filter (where learners.has_completed) as completed,
            count(*) filter (where learners.is_certified) as certified,
            count(with_outcome.learner_key) as outcomes_12_months
        from learners
        left join
            with_outcome
            on learners.course_id = with_outcome.course_id
            and learners.learner_key = with_outcome.learner_key
        group by learners.course_id
    ),

    final as (
        select
            courses.course_id,
            courses.title,
            courses.language,
            coalesce(counts.enrolled, 0) as enrolled,
            coalesce(counts.started, 0) as started,
            coalesce(counts.completed, 0) as completed,
            coalesce(counts.certified, 0) as certified,
            coalesce(counts.outcomes_12_months, 0) as outcomes_12_months
        from courses
        left join counts on courses.course_id = counts.course_id
    )

select *
from final
