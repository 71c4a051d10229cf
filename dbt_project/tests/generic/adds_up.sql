{#- In every row the parts add up to the total. A null on either side is a failure. -#}
{% test adds_up(model, parts, total) %}
    select * from {{ model }} where coalesce({{ parts | join(" + ") }} != {{ total }}, true)
{% endtest %}
