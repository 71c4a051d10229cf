{#- Whether a whole text matches a regular expression. -#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch("matches", "northstar")(text, pattern)) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__matches(text, pattern) -%}({{ text }} rlike '^({{ pattern }})$') {%- endmacro %}


{#- All that a regular expression finds in a text, replaced; `\1` in `by` is its first group. -#}
{% macro replaced(text, pattern, by) -%}
    {{ return(adapter.dispatch("replaced", "northstar")(text, pattern, by)) }}
{%- endmacro %}

{% macro default__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ by }}', 'g')
{%- endmacro %}

{% macro spark__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ by | replace("\\", "$") }}')
{%- endmacro %}
