{#- No row leaves one of the columns empty: one check for all of them. -#}
{% test complete(model, columns) %}
    select * from {{ model }} where {{ columns | join(" is null or ") }} is null
{% endtest %}
