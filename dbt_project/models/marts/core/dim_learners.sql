with

    users as (select user_key from {{ ref("int_identity__users") }}),

    learner_days as (
        select learner_key, activity_date from {{ ref("fct_learner_days") }} where not is_anonymous
    ),

    signups as (select learner_key, signup_date, signup_language from {{ ref("int_signups") }}),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    active as (
        select
            learner_key, min(activity_date) as first_active_on, max(activity_date) as last_active_on
        from learner_days
        group by learner_key
    ),

    -- The days are read twice: of a relation with a name that is read more than once, DuckDB makes
    -- a copy in memory, of years.
    last_told as (
        select days.user_key, max(days.activity_date) as activity_date
        from {{ ref("int_learner_days_by_id") }} as days
        inner join as_of on days.activity_date < as_of.as_of_date
        where days.user_key is not null and days.country is not null and not days.is_excluded
        group by days.user_key
    ),

    -- The alphabet decides between two countries of one day, so that the answer never depends on
    -- the order of arrival. Only the last day of each learner is looked at: sorting all of them
    -- would cost the whole history each day.
    last_countries as (
        select days.user_key, min(days.country) as country
        from {{ ref("int_learner_days_by_id") }} as days
        inner join
            last_told
            on days.user_key = last_told.user_key
            and days.activity_date = last_told.activity_date
        where days.country is not null and not days.is_excluded
        group by days.user_key
    ),

    first_touched as (
        select learner_key, min(first_touch_at) as first_touch_at
        from {{ ref("int_touches") }}
        group by learner_key
    ),

    -- The alphabet decides here, too.
    first_touches as (
        select touches.learner_key, min(touches.channel) as channel
        from {{ ref("int_touches") }} as touches
        inner join
            first_touched
            on touches.learner_key = first_touched.learner_key
            and touches.first_touch_at = first_touched.first_touch_at
        group by touches.learner_key
    ),

    learners as (
        select users.user_key as learner_key, as_of.as_of_date from users cross join as_of
    ),

    final as (
        select
            learners.learner_key,
            signups.signup_date,
            signups.signup_language,
            last_countries.country,
            {{ plan_on("learners") }} as current_plan,
            first_touches.channel as first_touch_channel,
            active.first_active_on,
            active.last_active_on
        from learners
        left join signups on learners.learner_key = signups.learner_key
        left join last_countries on learners.learner_key = last_countries.user_key
        left join first_touches on learners.learner_key = first_touches.learner_key
        left join
            active on learners.learner_key = active.learner_key
            {{ plan_joins("learners", day="as_of_date") }}
    )

select *
from final
