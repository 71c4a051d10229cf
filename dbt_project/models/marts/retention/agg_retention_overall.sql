with

    {% for name, definition in retention_definitions().items() -%}
        {{ name }} as ({{ retention_overall(learner_days=ref("fct_learner_days"), **definition) }}),
    {% endfor %}

    overall as (
        {%- for name in retention_definitions() %}
            select
                '{{ name }}' as definition,
                interval_index,
                cohorts,
                cohort_sizes,
                retained,
                unique_learners,
                unique_retained
            from {{ name }}
            {%- if not loop.last %}
                union all
            {%- endif %}
        {%- endfor %}
    ),

    final as (
        select
            definition,
            interval_index,
            cohorts,
            cohort_sizes,
            retained,
            cast(retained as double) / cohort_sizes as sum_of_cohorts,
            unique_learners,
            unique_retained,
            cast(unique_retained as double) / unique_learners as unique_share
        from overall
    )

select *
from final
