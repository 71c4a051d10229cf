with

    asked as (
        select
            learner_key,
            response_id,
            survey,
            asked_on,
            responded_at,
            {{ start_of_period("asked_on", "month") }} as month,
            case when rejected_reason is null then 1 else 0 end as is_answered
        from {{ ref("int_nps__answers") }}
        where learner_key is not null and not is_dated_by_period
    ),

    with_last_time as (
        select
            learner_key,
            survey,
            month,
            asked_on,
            is_answered,
            lag(asked_on) over (
                partition by learner_key order by asked_on, responded_at, response_id
            ) as last_asked_on,
            lag(is_answered) over (
                partition by learner_key order by asked_on, responded_at, response_id
            ) as was_answered
        from asked
    ),

    judged as (
        select
            learner_key,
            survey,
            month,
            is_answered,
            was_answered,
            coalesce(
                {{ days_between("last_asked_on", "asked_on") }} <= {{ var("asked_again_days") }},
                false
            ) as is_again
        from with_last_time
    ),

    final as (
        select
            month,
            survey,
            count(*) as asked,
            count(distinct learner_key) as learners_asked,
            count(case when is_again then 1 end) as asked_again,
            count(distinct case when is_again then learner_key end) as learners_asked_again,
            count(
                case when is_again and was_answered = 1 then 1 end
            ) as asked_again_after_an_answer,
            count(
                case when is_again and was_answered = 0 then 1 end
            ) as asked_again_without_an_answer,
            count(case when is_answered = 1 then 1 end) as answered,
            count(case when is_again and is_answered = 1 then 1 end) as answered_again
        from judged
        group by month, survey
    )

select *
from final
