{#- Walks over a list: "take the first, then the next one far enough from the last one taken". A
    window function cannot know what was taken before; folding a sorted list does, in one pass. -#}
{#- Aggregate: the dates that a walk in order of date takes, as a sorted list. The first is taken;
    after that `opens` decides, a condition on {next}, the date at hand, and {last}, the last one
    taken. It must stay true for later dates. -#}
{% macro greedy_dates(date, opens) -%}
    {{ return(adapter.dispatch("greedy_dates", "northstar")(date, opens)) }}
{%- endmacro %}

{#- DuckDB folds without a start value only when list and element have one type: each date becomes a
    list of its own. Repeated dates do no harm, and sorting them out would cost more. -#}
{% macro default__greedy_dates(date, opens) -%}
    list_reduce(
        list_transform(list({{ date }} order by {{ date }}), lambda each_date:[each_date]),
        lambda taken,
        candidate: case
            when {{ opens | replace("{last}", "taken[-1]") | replace("{next}", "candidate[1]") }}
            then list_concat(taken, candidate)
            else taken
        end
    )
{%- endmacro %}

{% macro spark__greedy_dates(date, opens) -%}
    aggregate(
        array_sort(collect_set({{ date }})),
        cast(array() as array<date>),
        (taken, candidate) -> case
            when size(taken) = 0
            then array(candidate)
            when
                {{
                    opens | replace("{last}", "element_at(taken, -1)") | replace(
                        "{next}", "candidate"
                    )
                }}
            then array_append(taken, candidate)
            else taken
        end
    )
{%- endmacro %}


{#- The greatest element of a list that is not after `value`; null if all are. -#}
{% macro list_last_not_after(list, value) -%}
    {{ return(adapter.dispatch("list_last_not_after", "northstar")(list, value)) }}
{%- endmacro %}

{% macro default__list_last_not_after(list, value) -%}
    list_max(list_filter({{ list }}, lambda element:element <= {{ value }}))
{%- endmacro %}

{% macro spark__list_last_not_after(list, value) -%}
    array_max(filter({{ list }}, element -> element <= {{ value }}))
{%- endmacro %}


{#- A list of the expressions that are not null. -#}
{% macro list_of_present(expressions) -%}
    {{ return(adapter.dispatch("list_of_present", "northstar")(expressions)) }}
{%- endmacro %}

{% macro default__list_of_present(expressions) -%}
    list_filter({{ list_of(expressions) }}, lambda element:element is not null)
{%- endmacro %}

{% macro spark__list_of_present(expressions) -%}
    filter({{ list_of(expressions) }}, element -> element is not null)
{%- endmacro %}


{#- Several values as one, which sorts by the first, then the second ... `min` of it brings the whole
    row that comes first, in a hash aggregate: a window function would have to sort all rows. The
    fields have the names of the columns. -#}
{% macro row_of(columns) -%}
    {{ return(adapter.dispatch("row_of", "northstar")(columns)) }}
{%- endmacro %}

{% macro default__row_of(columns) -%}
    struct_pack(
        {%- for column in columns %}
            {{ column }} := {{ column }} {%- if not loop.last %}, {% endif %}
        {%- endfor %}
    )
{%- endmacro %}

{% macro spark__row_of(columns) -%} struct({{ columns | join(", ") }}) {%- endmacro %}
