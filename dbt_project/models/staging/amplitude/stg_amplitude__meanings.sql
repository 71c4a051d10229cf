with

    source as (select app, event_type, meaning from {{ source("raw", "tracking_plan") }}),

    final as (select app, event_type, meaning from source where meaning != 'none')

select *
from final
