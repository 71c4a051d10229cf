{#- The columns tell rows apart: none of them is empty, and no combination occurs twice.

    `rewritten` is for a table that a run changes in part, whose key has the column activity_date:
    it says which rows a run may write anew besides those of the touched days. Only these are
    looked at then: the others are as they were when they were tested. -#}
{% test is_key(model, columns, rewritten=none) %}
    select {{ columns | join(", ") }}, count(*) as repeats
    from {{ model }}
    where {{ was_written(rewritten) }}
    group by {{ columns | join(", ") }}
    having count(*) > 1 {%- for column in columns %} or {{ column }} is null {%- endfor %}
{% endtest %}
