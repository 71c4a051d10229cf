with

    source as (
        select
            file_id,
            path,
            landed_path,
            source,
            status,
            reason,
            size,
            contract_hash,
            duplicate_of,
            exported_hour,
            rows_in,
            loaded,
            duplicates,
            quarantined,
            not_in_plan,
            erased,
            newest_at
        from {{ source("raw", "loaded_files") }}
    ),

    final as (
        select
            file_id,
            path,
            landed_path,
            source,
            status,
            reason,
            size as bytes,
            contract_hash,
            duplicate_of,
            exported_hour,
            rows_in,
            loaded as rows_loaded,
            duplicates as rows_duplicate,
            quarantined as rows_quarantined,
            not_in_plan as rows_not_in_plan,
            erased as rows_erased,
            newest_at as newest_export_at
        from source
    )

select *
from final
