{#- The plan of a learner on a day or at an instant, from the history of plans. Join with
    `plan_joins(rows, day='outcome_date')` or `plan_joins(rows, instant='created_at')`, then
    `plan_on(rows)` is the plan: free before the first paid one and after its end. A plan counts on
    the day it starts and no longer on the day it ends. -#}
{% macro plan_joins(rows, day=none, instant=none) %}
    {%- if (day is none) == (instant is none) -%}
        {{
            exceptions.raise_compiler_error(
                "plan_joins: give one of day (a date column) and instant (a UTC timestamp column)"
            )
        }}
    {%- endif -%}
    {%- set suffix = "" if day is not none else "_at" -%}
    {%- set moment = rows ~ "." ~ (day or instant) %}
    left join
        {{ ref("int_plan_history") }} as {{ rows }}_plans
        on {{ rows }}.learner_key = {{ rows }}_plans.learner_key
        and {{ moment }} >= {{ rows }}_plans.valid_from{{ suffix }}
        and (
            {{ moment }} < {{ rows }}_plans.valid_to{{ suffix }}
            or {{ rows }}_plans.valid_to{{ suffix }} is null
        )
{%- endmacro %}

{% macro plan_on(rows) -%} coalesce({{ rows }}_plans.plan, 'free') {%- endmacro %}
