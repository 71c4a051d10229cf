with

    asked as (
        select
            {{ start_of_period("asked_on", "month") }} as month,
            survey,
            coalesce(plan, 'unknown') as plan,
            coalesce(course_id, 'unknown') as course_id,
            coalesce(language, 'unknown') as language,
            coalesce(method, 'unknown') as method,
            is_delivered,
            rejected_reason
        from {{ ref("int_nps__answers") }}
    ),

    -- One row without a known delivery, and nobody knows how many there were.
    sums as (
        select
            month,
            survey,
            plan,
            course_id,
            language,
            method,
            count(case when rejected_reason is null then 1 end) as answered,
            case
                when count(*) = count(is_delivered) then count(case when is_delivered then 1 end)
            end as delivered
        from asked
        group by month, survey, plan, course_id, language, method
    ),

    final as (
        select
            month,
            survey,
            plan,
            course_id,
            language,
            method,
            delivered,
            answered,
            cast(answered as double) / nullif(delivered, 0) as response_rate
        from sums
    )

select *
from final
