{#- A condition is true in every row; where it is null it does not hold. -#}
{% test holds(model, condition) %}
    select * from {{ model }} where coalesce(not ({{ condition }}), true)
{% endtest %}
