with

    files as (select newest_export_at from {{ ref("stg_loading__files") }}),

    judged as (
        select
            {% if var("as_of") -%} cast('{{ var("as_of") }}' as date) as as_of_date
            {%- else -%} {{ add_days(local_date("max(newest_export_at)"), 1) }} as as_of_date
            {%- endif %}
        from files
    ),

    final as (
        select max(as_of_date) as as_of_date, {{ start_of_day("max(as_of_date)") }} as as_of_at
        from judged
    )

select *
from final
