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

    -- The alphabet decides between two countries of one day, so that the answer never depends on
    -- the
    -- order of arrival.
    ranked_countries as (
        select
            countries.user_key,
            countries.country,
            row_number() over (
                partition by countries.user_key
                order by countries.activity_date desc, countries.country
            ) as position
        from countries
        inner join as_of on countries.activity_date < as_of.as_of_date
    ),

    ranked_touches as (
        select
            learner_key,
            channel,
            row_number() over (
                partition by learner_key order by first_touch_at, channel
            ) as position
        from touches
    ),

    learners as (
        select users.user_key as learner_key, as_of.as_of_date from users cross join as_of
    ),

    final as (
        select
            learners.learner_key,
            signups.signup_date,
            signups.signup_language,
            ranked_countries.country,
            {{ plan_on("learners") }} as current_plan,
            ranked_touches.channel as first_touch_channel,
            active.first_active_on,
            active.last_active_on
        from learners
        left join signups on learners.learner_key = signups.learner_key
        left join
            ranked_countries
            on learners.learner_key = ranked_countries.user_key
            and ranked_countries.position = 1
        left join
            ranked_touches
            on learners.learner_key = ranked_touches.learner_key
            and ranked_touches.position = 1
        left join
            active on learners.learner_key = active.learner_key
            {{ plan_joins("learners", day="as_of_date") }}
    )

select *
from final
