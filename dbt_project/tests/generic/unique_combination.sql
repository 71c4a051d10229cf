{#- Several columns together are the key: one row per combination, null being a value like another.
    `rewritten` as of is_key. -#}
{% test unique_combination(model, columns, rewritten=none) %}
    select {{ columns | join(", ") }}, count(*) as repeats
    from {{ model }}
    where {{ was_written(rewritten) }}
    group by {{ columns | join(", ") }}
    having count(*) > 1
{% endtest %}
