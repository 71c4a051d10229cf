{#- The columns tell rows apart: none of them is empty, and no combination occurs twice. -#}
{% test is_key(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as repeats
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1 {%- for column in columns %} or {{ column }} is null {%- endfor %}
{% endtest %}
