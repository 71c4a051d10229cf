with

    source as (
        select amplitude_key, merged_amplitude_key, merged_at, duplicate_reason
        from {{ source("raw", "amplitude_merges") }}
    ),

    final as (
        select
            amplitude_key as absorbed_amplitude_key,
            merged_amplitude_key as kept_amplitude_key,
            merged_at
        from source
        where duplicate_reason is null
    )

select *
from final
