{#- Builds a table in its place: in one transaction, so that whoever fails leaves the old one.

    The adapter's own materialization builds beside the old table, renames both and drops the old
    one, each with a macro of its own: that takes longer than most of the tables here. Foreign keys
    and indexes, which it has to be careful with, are none of this project's. -#}
{% materialization table, adapter = "duckdb", supported_languages = ["sql"] %}

    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type="table") -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement("main") -%}
        {% if existing is not none -%}
            drop {{ existing.type }} {{ existing }}
            ;
        {%- endif %}
        {{ create_table_as(False, target, compiled_code, "sql") }}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({"relations": [target]}) }}
{% endmaterialization %}


{#- The comments of a mart. Its contract says which columns it has: they are not asked for again. -#}
{% macro duckdb__alter_column_comment(relation, column_dict) %}
    {%- set existing = column_dict -%}
    {%- if not config.get("contract").enforced -%}
        {%- set existing = (
            adapter.get_columns_in_relation(relation) | map(attribute="name") | list
        ) -%}
    {%- endif -%}
    {% for name, column in column_dict.items() if name in existing %}
        {%- set quoted = adapter.quote(name) if column.quote else name -%}
        comment on column {{ relation }}.{{ quoted }}
        is {{ duckdb_escape_comment(column.description) }};
    {% endfor %}
{% endmacro %}
