{#- Whether a whole text matches a regular expression. -#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch("matches", "northstar")(text, pattern)) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__matches(text, pattern) -%}({{ text }} rlike '^({{ pattern }})$') {%- endmacro %}
