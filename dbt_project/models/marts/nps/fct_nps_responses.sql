with

    answers as (
        select
            response_id,
            learner_key,
            responded_at,
            responded_on,
            month,
            is_dated_by_period,
            score,
            survey,
            plan,
            course_id,
            language,
            method
        from {{ ref("int_nps__answers") }}
        where rejected_reason is null
    ),

    ranked as (
        select
            response_id,
            learner_key,
            responded_at,
            responded_on,
            month,
            is_dated_by_period,
            score,
            survey,
            plan,
            course_id,
            language,
            method,
            row_number() over (
                partition by survey, month, coalesce(learner_key, response_id)
                order by responded_at desc, response_id desc
            ) as position
        from answers
    ),

    final as (
        select
            response_id,
            learner_key,
            responded_at,
            responded_on,
            month,
            is_dated_by_period,
            score,
            case
                when score >= 9 then 'promoter' when score >= 7 then 'passive' else 'detractor'
            end as category,
            survey,
            plan,
            course_id,
            language,
            method,
            position = 1 as is_latest_per_learner_month
        from ranked
    )

select *
from final
