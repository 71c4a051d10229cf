with

    users as (select user_key from {{ ref("int_identity__users") }}),

    learner_days as (
        select learner_key, activity_date from {{ ref("fct_learner_days") }} where not is_anonymous
    ),

    countries as (
        select user_key, activity_date, country
        from {{ ref("int_learner_days_by_id") }}
        where user_key is not null and country is not null and not is_excluded
    ),

    signups as (select learner_key, signup_date, signup_language from {{ ref("int_signups") }}),

    touches as (select learner_key, channel, first_touch_at from {{ ref("int_touches") }}),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    active as (
        select
            learner_key, min(activity_date) as first_active_on, max(activity_date) as last_active_on
        from learner_days
        group by learner_key
    ),

    told_countries as (
        select countries.user_key, countries.activity_date, countries.country
        from countries
        inner join as_of on countries.activity_date < as_of.as_of_date
    ),

    last_told as (
        select user_key, max(activity_date) as activity_date from told_countries group by user_key
    ),

    -- The alphabet decides between two countries of one day, so that the answer never depends on
    -- the order of arrival. Only the last day of each learner is looked at: sorting all of them
    -- would cost the whole history each day.
    last_countries as (
        select told_countries.user_key, min(told_countries.country) as country
        from told_countries
        inner join
            last_told
            on told_countries.user_key = last_told.user_key
            and told_countries.activity_date = last_told.activity_date
        group by told_countries.user_key
    ),

    first_touches as (
        select learner_key, min({{ row_of(["first_touch_at", "channel"]) }}) as first_touch
        from touches
        group by learner_key
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
            first_touches.first_touch.channel as first_touch_channel,
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
