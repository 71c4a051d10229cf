{#- Types, maps, lists, aggregates and numbers that engines spell differently. -#}
{#- The type of `*_key` columns. -#}
{% macro key_type() -%} {{ return(adapter.dispatch("key_type", "northstar")()) }} {%- endmacro %}

{% macro default__key_type() -%} uuid{%- endmacro %}

{% macro spark__key_type() -%} string{%- endmacro %}


{#- A key made of several columns. Nulls count as a value of their own. -#}
{% macro hashed_key(expressions) -%}
    {{ return(adapter.dispatch("hashed_key", "northstar")(expressions)) }}
{%- endmacro %}

{% macro default__hashed_key(expressions) -%}
    cast(
        md5(
            {%- for expression in expressions %}
                coalesce(replace(cast({{ expression }} as varchar), '|', '||'), '|null|')
                {%- if not loop.last %} || '|,|' ||{% endif %}
            {%- endfor %}
        ) as uuid
    )
{%- endmacro %}

{% macro spark__hashed_key(expressions) -%}
    md5(
        concat(
            {%- for expression in expressions %}
                coalesce(replace(cast({{ expression }} as string), '|', '||'), '|null|')
                {%- if not loop.last %}, '|,|',{% endif %}
            {%- endfor %}
        )
    )
{%- endmacro %}


{#- The value of a key of a map, null where it has none. -#}
{% macro map_value(map, key) -%}
    {{ return(adapter.dispatch("map_value", "northstar")(map, key)) }}
{%- endmacro %}

{% macro default__map_value(map, key) -%} {{ map }} ['{{ key }}'] {%- endmacro %}

{% macro spark__map_value(map, key) -%} try_element_at({{ map }}, '{{ key }}') {%- endmacro %}


{#- The same for a key that is an expression; the keys of a map as a list, null for no map. -#}
{% macro map_value_of(map, key) -%}
    {{ return(adapter.dispatch("map_value_of", "northstar")(map, key)) }}
{%- endmacro %}

{% macro default__map_value_of(map, key) -%} {{ map }} [{{ key }}] {%- endmacro %}

{% macro spark__map_value_of(map, key) -%} try_element_at({{ map }}, {{ key }}) {%- endmacro %}


{% macro map_keys_of(map) -%} map_keys({{ map }}) {%- endmacro %}


{#- Aggregate: the distinct non-null values as a sorted list. -#}
{% macro sorted_list(expression) -%}
    {{ return(adapter.dispatch("sorted_list", "northstar")(expression)) }}
{%- endmacro %}

{% macro default__sorted_list(expression) -%}
    list_sort(list(distinct {{ expression }}) filter (where {{ expression }} is not null))
{%- endmacro %}

{% macro spark__sorted_list(expression) -%}
    array_sort(collect_set({{ expression }}))
{%- endmacro %}


{% macro list_join(list, separator=", ") -%}
    {{ return(adapter.dispatch("list_join", "northstar")(list, separator)) }}
{%- endmacro %}

{% macro default__list_join(list, separator) -%}
    array_to_string({{ list }}, '{{ separator }}')
{%- endmacro %}

{% macro spark__list_join(list, separator) -%}
    array_join({{ list }}, '{{ separator }}')
{%- endmacro %}


{% macro list_of(expressions) -%}
    {{ return(adapter.dispatch("list_of", "northstar")(expressions)) }}
{%- endmacro %}

{% macro default__list_of(expressions) -%} [{{ expressions | join(", ") }}] {%- endmacro %}

{% macro spark__list_of(expressions) -%} array({{ expressions | join(", ") }}) {%- endmacro %}


{% macro list_has(list, value) -%}
    {{ return(adapter.dispatch("list_has", "northstar")(list, value)) }}
{%- endmacro %}

{% macro default__list_has(list, value) -%} list_contains({{ list }}, {{ value }}) {%- endmacro %}

{% macro spark__list_has(list, value) -%} array_contains({{ list }}, {{ value }}) {%- endmacro %}


{% macro list_size(list) -%}
    {{ return(adapter.dispatch("list_size", "northstar")(list)) }}
{%- endmacro %}

{% macro default__list_size(list) -%} len({{ list }}) {%- endmacro %}

{% macro spark__list_size(list) -%} size({{ list }}) {%- endmacro %}


{% macro list_add(list, value) -%}
    {{ return(adapter.dispatch("list_add", "northstar")(list, value)) }}
{%- endmacro %}

{% macro default__list_add(list, value) -%} list_append({{ list }}, {{ value }}) {%- endmacro %}

{% macro spark__list_add(list, value) -%} array_append({{ list }}, {{ value }}) {%- endmacro %}


{#- The smallest element of a list from the first occurrence of `value` to the end. -#}
{% macro list_min_from(list, value) -%}
    {{ return(adapter.dispatch("list_min_from", "northstar")(list, value)) }}
{%- endmacro %}

{% macro default__list_min_from(list, value) -%}
    list_min(list_slice({{ list }}, list_position({{ list }}, {{ value }}), len({{ list }})))
{%- endmacro %}

{% macro spark__list_min_from(list, value) -%}
    array_min(
        slice({{ list }}, cast(array_position({{ list }}, {{ value }}) as int), size({{ list }}))
    )
{%- endmacro %}


{#- One row per element, or per integer of a range with both ends; in a select list. -#}
{% macro explode_list(list) -%}
    {{ return(adapter.dispatch("explode_list", "northstar")(list)) }}
{%- endmacro %}

{% macro default__explode_list(list) -%} unnest({{ list }}) {%- endmacro %}

{% macro spark__explode_list(list) -%} explode({{ list }}) {%- endmacro %}


{% macro explode_integers(first, last) -%}
    {{ return(adapter.dispatch("explode_integers", "northstar")(first, last)) }}
{%- endmacro %}

{% macro default__explode_integers(first, last) -%}
    unnest(generate_series(cast({{ first }} as bigint), cast({{ last }} as bigint)))
{%- endmacro %}

{% macro spark__explode_integers(first, last) -%}
    explode(
        case
            when {{ first }} <= {{ last }}
            then sequence(cast({{ first }} as bigint), cast({{ last }} as bigint))
        end
    )
{%- endmacro %}


{#- Aggregates: the value of the row with the smallest or greatest `order_by`. The order must have
    no ties between different values, or the result would depend on the order of arrival. -#}
{% macro first_by(value, order_by) -%}
    {{ return(adapter.dispatch("first_by", "northstar")(value, order_by)) }}
{%- endmacro %}

{% macro default__first_by(value, order_by) -%} arg_min({{ value }}, {{ order_by }}) {%- endmacro %}

{% macro spark__first_by(value, order_by) -%} min_by({{ value }}, {{ order_by }}) {%- endmacro %}


{% macro last_by(value, order_by) -%}
    {{ return(adapter.dispatch("last_by", "northstar")(value, order_by)) }}
{%- endmacro %}

{% macro default__last_by(value, order_by) -%} arg_max({{ value }}, {{ order_by }}) {%- endmacro %}

{% macro spark__last_by(value, order_by) -%} max_by({{ value }}, {{ order_by }}) {%- endmacro %}


{#- Aggregate: the percentile with linear interpolation, `share` from 0 to 1. -#}
{% macro percentile_of(expression, share) -%}
    {{ return(adapter.dispatch("percentile_of", "northstar")(expression, share)) }}
{%- endmacro %}

{% macro default__percentile_of(expression, share) -%}
    quantile_cont({{ expression }}, {{ share }})
{%- endmacro %}

{% macro spark__percentile_of(expression, share) -%}
    percentile({{ expression }}, {{ share }})
{%- endmacro %}


{#- Rounds half away from zero. Through a decimal, since 0.285 as a double lies below the half. -#}
{% macro round_half_away(expression, digits=0) -%}
    cast(round(cast({{ expression }} as decimal(38, 12)), {{ digits }}) as double)
{%- endmacro %}


{#- The values of several expressions, none of them null, as a list from the smallest on. -#}
{% macro sorted_values(expressions) -%}
    {{ return(adapter.dispatch("sorted_values", "northstar")(expressions)) }}
{%- endmacro %}

{% macro default__sorted_values(expressions) -%}
    list_sort({{ list_of(expressions) }})
{%- endmacro %}

{% macro spark__sorted_values(expressions) -%}
    sort_array({{ list_of(expressions) }})
{%- endmacro %}


{#- An element of a list, counted from 1. -#}
{% macro list_item(list, position) -%}
    {{ return(adapter.dispatch("list_item", "northstar")(list, position)) }}
{%- endmacro %}

{% macro default__list_item(list, position) -%} {{ list }} [{{ position }}] {%- endmacro %}

{% macro spark__list_item(list, position) -%} element_at({{ list }}, {{ position }}) {%- endmacro %}
