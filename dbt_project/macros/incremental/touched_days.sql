{#- Which events an incremental model reads, and how its days are replaced.

    Loading writes the reporting days whose events changed into raw.touched_days. A model built on
    these macros reads only the events of those days and replaces those days, also a day that has
    no events any more. Deleting by the days that were read, which is what dbt's own
    delete+insert does, would leave such a day standing.

    The table remembers the rules that its rows were made by (`rules_hash`). When the model, the
    reporting zone or the tracking plan changes, all days are read again, so that an incremental
    run always gives what a full refresh gives. -#}
{#- Hash of what decides the rows of the current model besides the events. -#}
{% macro rules_hash(meanings=none) -%}
    {%- set rules = [model.get("raw_code", ""), var("reporting_timezone")] -%}
    {%- if meanings and execute and model.resource_type == "model" -%}
        {%- set plan = run_query(
            "select app, event_type, meaning from "
            ~ source("raw", "tracking_plan")
            ~ " where meaning in ('"
            ~ meanings
            | join("', '") ~ "') order by app, event_type, meaning"
        ) -%}
        {%- for row in plan.rows -%}
            {%- do rules.append(row[0] ~ "\t" ~ row[1] ~ "\t" ~ row[2]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(local_md5(rules | join("\n"))) }}
{%- endmacro %}


{#- Whether the current run must read every day although its table exists. -#}
{% macro rules_changed(meanings=none) -%}
    {%- if not execute -%} {{ return(false) }}{%- endif -%}
    {%- set known = adapter.get_columns_in_relation(this) | map(attribute="name") | list -%}
    {%- if "rules_hash" not in known -%} {{ return(true) }}{%- endif -%}
    {%- set made_by = run_query("select min(rules_hash), max(rules_hash) from " ~ this).rows[0] -%}
    {%- if made_by[0] is none -%}
        {#- An empty table remembers nothing; it is empty for lack of meanings, or of events. -#}
        {{ return(meanings is not none) }}
    {%- endif -%}
    {%- set hash = rules_hash(meanings) -%}
    {{ return(made_by[0] != hash or made_by[1] != hash) }}
{%- endmacro %}


{#- The touched days as UTC ranges [begins_at, ends_at), neighbours joined. Literals, since DuckDB
    skips row groups by comparing a column with constants, not with a subquery. -#}
{% macro touched_ranges() -%}
    {%- set query -%}
        with

        days as (
            select distinct activity_date from {{ source('raw', 'touched_days') }}
        ),

        islands as (
            select
                activity_date,
                {{ add_days('activity_date', '-row_number() over (order by activity_date)') }} as island
            from days
        )

        select
            cast({{ start_of_day('min(activity_date)') }} as varchar) as begins_at,
            cast({{ start_of_day(add_days('max(activity_date)', 1)) }} as varchar) as ends_at
        from islands
        group by island
        order by min(activity_date)
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}


{#- Condition: the event lies in a day that the current run reads. -#}
{% macro in_touched_days(event_at, meanings=none) -%}
    {%- set touched_days = source("raw", "touched_days") -%}  {#- the dependency, also at parse time -#}
    {%- if not is_incremental() or not execute or rules_changed(meanings) -%} true
    {%- else -%}
        {%- set ranges = touched_ranges() -%}
        {%- if ranges | length == 0 -%} false
        {%- elif ranges | length <= 100 -%}
            (
                {%- for range in ranges %}
                    ({{ event_at }} >= '{{ range[0] }}' and {{ event_at }} < '{{ range[1] }}')
                    {%- if not loop.last %} or{% endif %}
                {%- endfor %}
            )
        {%- else -%}
            (
                {{ event_at }} >= '{{ ranges[0][0] }}'
                and {{ event_at }} < '{{ ranges[-1][1] }}'
                and {{ local_date(event_at) }} in (select activity_date from {{ touched_days }})
            )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#- dbt calls this for `incremental_strategy: replace_days`. -#}
{% macro get_incremental_replace_days_sql(arg_dict) -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    delete from {{ arg_dict["target_relation"] }}
    {%- if not rules_changed(config.get("meanings")) %}
        where activity_date in (select activity_date from {{ source("raw", "touched_days") }})
    {%- endif %}
    ;

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{%- endmacro %}
