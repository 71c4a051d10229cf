{#- Which share of those who did not answer would have to have an outcome, so that together with the
    respondents' outcomes a goal is met: above 1 it is out of reach, and 0 where it is met already.
    For a row of agg_estimated_outcomes' `totals`. -#}
{% macro break_even_rate(goal) -%}
    case
        when totals.respondents_with_outcome >= {{ goal }}
        then 0e0
        else
            cast({{ goal }} - totals.respondents_with_outcome as double)
            / nullif(totals.population - totals.respondents, 0)
    end
{%- endmacro %}
