with

    {% for name, definition in retention_definitions().items() -%}
        {{ name }} as ({{ retention(learner_days=ref("fct_learner_days"), **definition) }}),
    {% endfor %}

    final as (
        {%- for name in retention_definitions() %}
            select
                '{{ name }}' as definition,
                cohort,
                interval_index,
                cohort_size,
                retained,
                is_complete
            from {{ name }}
            {%- if not loop.last %}
                union all
            {%- endif %}
        {%- endfor %}
    )

select *
from final
