with recursive

    merges as (
        select absorbed_amplitude_key, kept_amplitude_key, merged_at
        from {{ ref("stg_amplitude__merges") }}
        where absorbed_amplitude_key != kept_amplitude_key
    ),

    -- An id that was absorbed more than once follows its last merge, so that the order in which
    -- files of merges arrive changes nothing.
    ranked as (
        select
            absorbed_amplitude_key,
            kept_amplitude_key,
            row_number() over (
                partition by absorbed_amplitude_key order by merged_at desc, kept_amplitude_key
            ) as position
        from merges
    ),

    links as (select absorbed_amplitude_key, kept_amplitude_key from ranked where position = 1),

    walk as (
        select
            absorbed_amplitude_key as amplitude_key,
            kept_amplitude_key as reached_key,
            {{ list_of(["absorbed_amplitude_key", "kept_amplitude_key"]) }} as path,
            1 as steps
        from links

        union all

        select
            walk.amplitude_key,
            links.kept_amplitude_key,
            {{ list_add("walk.path", "links.kept_amplitude_key") }},
            walk.steps + 1
        from walk
        inner join links on walk.reached_key = links.absorbed_amplitude_key
        where not {{ list_has("walk.path", "links.kept_amplitude_key") }}
    ),

    ends as (
        select
            amplitude_key,
            reached_key,
            path,
            row_number() over (partition by amplitude_key order by steps desc) as position
        from walk
    ),

    -- A walk that stopped although another link follows has met a cycle: the ids from the one it
    -- would
    -- have come back to up to the last one. The smallest of them stands for all.
    final as (
        select
            ends.amplitude_key,
            case
                when links.kept_amplitude_key is null
                then ends.reached_key
                else {{ list_min_from("ends.path", "links.kept_amplitude_key") }}
            end as root_amplitude_key
        from ends
        left join links on ends.reached_key = links.absorbed_amplitude_key
        where ends.position = 1
    )

select *
from final
