with

    listed as (select course_id, title, language from {{ ref("stg_loading__courses") }}),

    seen as (
        select course_id, min(activity_date) as first_seen_on, max(activity_date) as last_seen_on
        from {{ ref("int_course_days") }}
        group by course_id
    ),

    final as (
        select
            coalesce(listed.course_id, seen.course_id) as course_id,
            listed.title,
            listed.language,
            listed.course_id is not null as is_listed,
            seen.first_seen_on,
            seen.last_seen_on
        from listed
        full outer join seen on listed.course_id = seen.course_id
    )

select *
from final
