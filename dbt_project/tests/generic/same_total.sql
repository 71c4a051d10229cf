{#- An aggregate of this relation equals an aggregate of another one, so that nothing is lost or
    counted twice on the way. `condition` and `to_condition` limit either side. -#}
{% test same_total(model, of, to, to_of=none, condition="true", to_condition="true") %}
    with

        here as (select coalesce({{ of }}, 0) as total from {{ model }} where {{ condition }}),

        there as (
            select coalesce({{ to_of or of }}, 0) as total from {{ to }} where {{ to_condition }}
        )

    select here.total as total_here, there.total as total_there
    from here
    cross join there
    where here.total != there.total
{% endtest %}
