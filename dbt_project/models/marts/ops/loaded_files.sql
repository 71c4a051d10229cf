with

    final as (
        select
            path,
            source,
            status,
            reason,
            duplicate_of,
            contract_hash,
            bytes,
            exported_hour,
            newest_export_at,
            rows_in,
            rows_loaded,
            rows_duplicate,
            rows_quarantined,
            rows_not_in_plan,
            rows_erased
        from {{ ref("stg_loading__files") }}
    )

select *
from final
