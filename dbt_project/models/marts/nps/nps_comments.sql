with

    -- Words that were typed and never sent are nobody's answer.
    answers as (
        select
            response_id,
            responded_on,
            month,
            score,
            survey,
            plan,
            course_id,
            language,
            method,
            comment,
            themes
        from {{ ref("int_nps__answers") }}
        where comment is not null and coalesce(rejected_reason, '') not in ('dismissed', 'pending')
    ),

    final as (
        select
            response_id,
            responded_on,
            month,
            score,
            case
                when score >= 9
                then 'promoter'
                when score >= 7
                then 'passive'
                when score >= 0
                then 'detractor'
            end as category,
            survey,
            plan,
            course_id,
            language,
            method,
            themes,
            comment
        from answers
    )

select *
from final
