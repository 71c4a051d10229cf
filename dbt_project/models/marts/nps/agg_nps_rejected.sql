with

    answers as (
        select month, survey, rejected_reason
        from {{ ref("int_nps__answers") }}
        where rejected_reason is not null
    ),

    final as (
        select month, survey, rejected_reason as reason, count(*) as answers
        from answers
        group by month, survey, rejected_reason
    )

select *
from final
