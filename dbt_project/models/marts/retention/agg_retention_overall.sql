with

    {% for name, definition in retention_definitions().items() -%}
        {{ name }} as (
            {%- if definition.get("cohorts", "first_time") == "first_time" %}
                -- Nobody is in two cohorts, so that sums over cohorts count different learners, and
                -- the learner days need not be gone through again.
                select
                    interval_index,
                    count(*) as cohorts,
                    cast(sum(cohort_size) as bigint) as cohort_sizes,
                    cast(sum(retained) as bigint) as retained,
                    cast(sum(cohort_size) as bigint) as unique_learners,
                    cast(sum(retained) as bigint) as unique_retained
                from {{ ref("agg_retention") }}
                where definition = '{{ name }}' and is_complete
                group by interval_index
            {%- else -%}{{ retention_overall(learner_days=ref("fct_learner_days"), **definition) }}
            {%- endif %}
        ),
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
