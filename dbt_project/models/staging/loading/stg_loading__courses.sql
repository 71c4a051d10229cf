with final as (select course_id, title, language from {{ source("raw", "courses") }})

select *
from final
