with

    learner_days as (
        select user_key, amplitude_key, first_event_at
        from {{ ref("int_learner_days_by_id") }}
        where not is_excluded and user_key is not null and amplitude_key is not null
    ),

    roots as (
        select amplitude_key, root_amplitude_key from {{ ref("int_identity__amplitude_roots") }}
    ),

    pairs as (
        select amplitude_key, user_key, min(first_event_at) as first_event_at
        from learner_days
        group by amplitude_key, user_key
    ),

    rooted as (
        select
            coalesce(roots.root_amplitude_key, pairs.amplitude_key) as root_amplitude_key,
            pairs.user_key,
            min(pairs.first_event_at) as first_event_at
        from pairs
        left join roots on pairs.amplitude_key = roots.amplitude_key
        group by coalesce(roots.root_amplitude_key, pairs.amplitude_key), pairs.user_key
    ),

    ranked as (
        select
            root_amplitude_key,
            user_key,
            row_number() over (
                partition by root_amplitude_key order by first_event_at, user_key
            ) as position
        from rooted
    ),

    final as (select root_amplitude_key, user_key from ranked where position = 1)

select *
from final
