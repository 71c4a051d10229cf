{#- Which events an incremental model reads, and how its days are replaced.

    Loading writes the reporting days whose events changed into raw.touched_days. A model built on
    these macros reads only the events of those days and replaces those days, also a day that has
    no events any more. Deleting by the days that were read, which is what dbt's own
    delete+insert does, would leave such a day standing.

    The table remembers the rules that its rows were made by (`rules_hash`). When the model, the
    reporting zone or the tracking plan changes, all days are read again, so that an incremental
    run always gives what a full refresh gives. -#}
{#- Hash of what decides the rows of the current model besides the events. `made_from` is a model
    that remembers its own rules: when those change, so do the rows made from it. -#}
{% macro rules_hash(meanings=none, made_from=none) -%}
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
    {%- if made_from is not none and execute and model.resource_type == "model" -%}
        {%- do rules.append(made_by_rules(made_from) or "") -%}
    {%- endif -%}
    {{ return(local_md5(rules | join("\n"))) }}
{%- endmacro %}


{#- The rules that the rows of a table were made by; none of an empty one, or one that is yet to be
    made. Any row tells: all of them are replaced together when the rules change. -#}
{% macro made_by_rules(relation) -%}
    {%- if load_relation(relation) is none -%} {{ return(none) }}{%- endif -%}
    {%- set rows = run_query("select rules_hash from " ~ relation ~ " limit 1").rows -%}
    {{ return(rows[0][0] if rows | length > 0 else none) }}
{%- endmacro %}


{#- Whether the current run must read every day although its table exists. -#}
{% macro rules_changed(meanings=none, made_from=none) -%}
    {%- if not execute -%} {{ return(false) }}{%- endif -%}
    {%- set known = adapter.get_columns_in_relation(this) | map(attribute="name") | list -%}
    {%- if "rules_hash" not in known -%} {{ return(true) }}{%- endif -%}
    {%- set made_by = made_by_rules(this) -%}
    {%- if made_by is none -%}
        {#- An empty table remembers nothing; it is empty for lack of meanings, or of events. -#}
        {{ return(meanings is not none) }}
    {%- endif -%}
    {{ return(made_by != rules_hash(meanings, made_from)) }}
{%- endmacro %}


{#- Whether the current run makes the whole table. -#}
{% macro makes_all_days(meanings=none, made_from=none) -%}
    {{ return(not is_incremental() or not execute or rules_changed(meanings, made_from)) }}
{%- endmacro %}


{#- The touched days as ranges, neighbours joined: their UTC instants [begins_at, ends_at), their first
    and their last date. Literals, since DuckDB skips row groups by comparing a column with
    constants, not with a subquery. -#}
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
            cast({{ start_of_day(add_days('max(activity_date)', 1)) }} as varchar) as ends_at,
            cast(min(activity_date) as varchar) as first_day,
            cast(max(activity_date) as varchar) as last_day
        from islands
        group by island
        order by min(activity_date)
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}


{#- Condition: the event lies in a day that the current run reads. -#}
{% macro in_touched_days(event_at, meanings=none) -%}
    {%- set touched_days = source("raw", "touched_days") -%}  {#- the dependency, also at parse time -#}
    {%- if makes_all_days(meanings) -%} true
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


{#- Condition: a date is one of the touched days. -#}
{% macro is_touched_date(day) -%}
    {%- set touched_days = source("raw", "touched_days") -%}  {#- the dependency, also at parse time -#}
    {%- set ranges = touched_ranges() if execute else [] -%}
    {%- if ranges | length == 0 -%} false
    {%- elif ranges | length <= 100 -%}
        (
            {%- for range in ranges %}
                {{ day }} between '{{ range[2] }}' and '{{ range[3] }}'
                {%- if not loop.last %} or{% endif %}
            {%- endfor %}
        )
    {%- else -%}({{ day }} in (select activity_date from {{ touched_days }}))
    {%- endif -%}
{%- endmacro %}


{#- Condition: the run that is being tested may have written the row, which lies in a touched day or
    fulfils a condition; without a condition all rows. A full refresh has written them all. The days
    stay touched until a build has passed all tests, so that no day is left untested by a build that
    fails. -#}
{% macro was_written(rewritten=none) -%}
    {%- if rewritten is none or flags.FULL_REFRESH -%} true
    {%- else -%}({{ is_touched_date("activity_date") }} or {{ rewritten }})
    {%- endif -%}
{%- endmacro %}


{#- dbt calls this for `incremental_strategy: replace_days`. -#}
{% macro get_incremental_replace_days_sql(arg_dict) -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    delete from {{ arg_dict["target_relation"] }}
    {%- if not rules_changed(config.get("meanings")) %}
        where {{ is_touched_date("activity_date") }}
    {%- endif %}
    ;

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{%- endmacro %}


{#- dbt calls this for `incremental_strategy: replace_days_and_changes`: touched days are replaced, and
    of all other days the rows that the model gives, by the columns of `row_key`. A row of theirs
    without events is one that is no more. -#}
{% macro get_incremental_replace_days_and_changes_sql(arg_dict) -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set made = arg_dict["temp_relation"] -%}
    {%- set row_key = config.require("row_key") -%}
    {%- if rules_changed(config.get("meanings"), ref(config.require("made_from"))) %}
        delete from {{ target }}
        ;
    {%- else %}
        delete from {{ target }}
        where {{ is_touched_date("activity_date") }}
        ;

        delete from {{ target }}
        using {{ made }} as made
        where
            not {{ is_touched_date("made.activity_date") }}
            {%- for column in row_key %} and {{ target }}.{{ column }} = made.{{ column }}
            {%- endfor %}
        ;
    {%- endif %}

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ made }} where events > 0;
{%- endmacro %}
