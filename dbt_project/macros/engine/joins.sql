{#- Joins that engines spell differently. -#}
{#- A query that gives each row of a relation the next row of another one: the first of the same key
    whose `at` is not before the expression `after`. All columns are plain names, and `at` decides
    which row is next; of several at the same time any may be taken.

    Gives `columns`, next_<at> and next_<value> for each of `values`, null where none comes next. -#}
{% macro with_next(from_relation, columns, key, after, next_relation, at, values) -%}
    {{
        return(
            adapter.dispatch("with_next", "northstar")(
                from_relation, columns, key, after, next_relation, at, values
            )
        )
    }}
{%- endmacro %}

{% macro default__with_next(from_relation, columns, key, after, next_relation, at, values) %}
    select
        {% for column in columns %} earlier.{{ column }}, {% endfor %}
        {% for value in values %} later.{{ value }} as next_{{ value }}, {% endfor %}
        later.{{ at }} as next_{{ at }}
    from
        (
            select {{ columns | join(", ") }}, {{ after }} as not_before from {{ from_relation }}
        ) as earlier
    asof left join
        {{ next_relation }} as later
        on earlier.{{ key }} = later.{{ key }}
        and earlier.not_before <= later.{{ at }}
{% endmacro %}

{% macro spark__with_next(from_relation, columns, key, after, next_relation, at, values) %}
    select
        {% for column in columns %} earlier.{{ column }}, {% endfor %}
        {% for value in values %}
            min_by(later.{{ value }}, later.{{ at }}) as next_{{ value }},
        {% endfor %}
        min(later.{{ at }}) as next_{{ at }}
    from
        (
            select distinct {{ columns | join(", ") }}, {{ after }} as not_before
            from {{ from_relation }}
        ) as earlier
    left join
        {{ next_relation }} as later
        on earlier.{{ key }} = later.{{ key }}
        and earlier.not_before <= later.{{ at }}
    group by
        {% for column in columns %}
            earlier.{{ column }} {%- if not loop.last %}, {% endif %}
        {% endfor %}
{% endmacro %}
