{#- A model's schema is the one it names. dbt's default would prefix it with the target's
    (`intermediate_core`), and BI tools would see names that no document mentions. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
