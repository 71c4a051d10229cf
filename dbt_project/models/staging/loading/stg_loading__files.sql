with

    source as (
        select
            file_id,
            path,
            {{ shown_path("path") }} as masked_path,
            {{ shown_path("landed_path") }} as landed_path,
            source,
            status,
            {{ shown_path("reason") }} as reason,
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

    -- Masked, the paths of two files may be alike: a number tells them apart.
    shown as (
        select
            path,
            case
                when masked_path like '%[e-mail]%' or masked_path like '%[phone]%'
                then
                    masked_path
                    || ' ('
                    || cast(row_number() over (partition by masked_path order by path) as varchar)
                    || ')'
                else masked_path
            end as shown_path
        from source
    ),

    final as (
        select
            source.file_id,
            shown.shown_path as path,
            source.landed_path,
            source.source,
            source.status,
            source.reason,
            source.size as bytes,
            source.contract_hash,
            originals.shown_path as duplicate_of,
            source.exported_hour,
            source.rows_in,
            source.loaded as rows_loaded,
            source.duplicates as rows_duplicate,
            source.quarantined as rows_quarantined,
            source.not_in_plan as rows_not_in_plan,
            source.erased as rows_erased,
            source.newest_at as newest_export_at
        from source
        inner join shown on source.path = shown.path
        left join shown as originals on source.duplicate_of = originals.path
    )

select *
from final
