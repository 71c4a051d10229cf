{#- Several columns together are the key: one row per combination, null being a value like another. -#}
{% test unique_combination(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as repeats
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1
{% endtest %}
