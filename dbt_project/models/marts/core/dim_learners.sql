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

    told as (
        select days.user_key, days.country, max(days.activity_date) as activity_date
        from {{ ref("int_learner_days_by_id") }} as days
        inner join as_of on days.activity_date < as_of.as_of_date
        where days.user_key is not null and days.country is not null and not days.is_excluded
        group by days.user_key, days.country
    ),

    -- The alphabet decides between two countries of one day, so that the answer never depends on
    -- the order of arrival.
    countries as (
        select
            user_key,
            country,
            row_number() over (
                partition by user_key order by activity_date desc, country
            ) as position
        from told
    ),

    last_countries as (select user_key, country from countries where position = 1),

    touches as (
        select learner_key, channel, min(first_touch_at) as first_touch_at
        from {{ ref("int_touches") }}
        group by learner_key, channel
    ),

    -- The alphabet decides here, too.
    first_touches as (
        select
            learner_key, {{ first_by("channel", row_of(["first_touch_at", "channel"])) }} as channel
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
