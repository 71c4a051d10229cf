with

    paid_intervals as (
        select learner_key, plan, valid_from_at, valid_to_at, valid_from, valid_to
        from {{ ref("int_plan_history") }}
        where plan != 'free' and (valid_to_at > valid_from_at or valid_to_at is null)
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    compared as (
        select
            learner_key,
            plan,
            valid_from_at,
            valid_to_at,
            valid_from,
            valid_to,
            lag(valid_to) over (
                partition by learner_key order by valid_from_at
            ) as previous_valid_to
        from paid_intervals
    ),

    numbered as (
        select
            learner_key,
            plan,
            valid_from_at,
            valid_to_at,
            valid_from,
            valid_to,
            sum(
                case
                    when
                        {{ days_between("previous_valid_to", "valid_from") }}
                        <= {{ var("grace_period_days") }}
                    then 0
                    else 1
                end
            ) over (
                partition by learner_key
                order by valid_from_at
                rows between unbounded preceding and current row
            ) as spell
        from compared
    ),

    ordered as (
        select
            learner_key,
            plan,
            valid_from_at,
            valid_to_at,
            valid_from,
            valid_to,
            spell,
            row_number() over (partition by learner_key, spell order by valid_from_at) as position,
            row_number() over (
                partition by learner_key, spell order by valid_from_at desc
            ) as position_from_end
        from numbered
    ),

    spells as (
        select
            learner_key,
            spell,
            max(case when position = 1 then plan end) as plan,
            max(case when position_from_end = 1 then plan end) as last_plan,
            min(valid_from_at) as started_at,
            max(case when position_from_end = 1 then valid_to_at end) as ended_at,
            min(valid_from) as started_on,
            max(case when position_from_end = 1 then valid_to end) as ended_on
        from ordered
        group by learner_key, spell
    ),

    final as (
        select
            spells.learner_key,
            spells.plan,
            spells.last_plan,
            spells.started_at,
            spells.ended_at,
            spells.started_on,
            spells.ended_on,
            -- Whether a spell is over is known only after the grace period.
            spells.ended_on is null
            or {{ days_between("spells.ended_on", "as_of.as_of_date") }}
            < {{ var("grace_period_days") }} as is_censored,
            {{
                full_months_between(
                    "spells.started_on", "coalesce(spells.ended_on, as_of.as_of_date)"
                )
            }} as months
        from spells
        cross join as_of
    )

select *
from final
