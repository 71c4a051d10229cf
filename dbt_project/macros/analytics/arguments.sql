{#- Arguments of the analytics macros are checked while compiling: a chart with a wrong definition
    must not build, let alone show a number. -#}
{% macro check_choice(macro_name, argument, value, choices) -%}
    {%- if value not in choices -%}
        {{
            exceptions.raise_compiler_error(
                macro_name ~ ": " ~ argument ~ " is '" ~ value ~ "'; it takes " ~ choices
                | join(", ")
            )
        }}
    {%- endif -%}
{%- endmacro %}

{% macro check_whole(macro_name, argument, value, minimum) -%}
    {%- if value is not integer or value is boolean or value < minimum -%}
        {{
            exceptions.raise_compiler_error(
                macro_name
                ~ ": "
                ~ argument
                ~ " is '"
                ~ value
                ~ "'; it takes a whole number, "
                ~ minimum
                ~ " or more"
            )
        }}
    {%- endif -%}
{%- endmacro %}

{% macro check_condition(macro_name, argument, value) -%}
    {%- if value is not string or not value | trim -%}
        {{
            exceptions.raise_compiler_error(
                macro_name
                ~ ": "
                ~ argument
                ~ " is '"
                ~ value
                ~ "'; it takes an SQL condition on the "
                ~ "columns of the relation, such as \"event_type = 'signed_up'\""
            )
        }}
    {%- endif -%}
{%- endmacro %}

{#- A day as an SQL expression: 'YYYY-MM-DD' becomes a date, anything else stays as it is. -#}
{% macro as_day(macro_name, argument, value) -%}
    {%- if value is not string -%}
        {{
            exceptions.raise_compiler_error(
                macro_name
                ~ ": "
                ~ argument
                ~ " is '"
                ~ value
                ~ "'; it takes a day such as "
                ~ "'2024-03-31' or an SQL expression that is a date"
            )
        }}
    {%- elif modules.re.match("^\d{4}-\d{2}-\d{2}$", value) -%} cast('{{ value }}' as date)
    {%- else -%} {{ value }}
    {%- endif -%}
{%- endmacro %}

{#- The day that is not counted any more: the one given, else that of int_as_of. -#}
{% macro as_of_day(macro_name, as_of) -%}
    {%- if as_of is none -%} (select as_of_date from {{ ref("int_as_of") }})
    {%- else -%} {{ as_day(macro_name, "as_of", as_of) }}
    {%- endif -%}
{%- endmacro %}

{#- The reporting day of a row: `moment` names a date (learner days) or a UTC timestamp (events). -#}
{% macro day_of(macro_name, moment, timezone) -%}
    {%- do check_choice(macro_name, "moment", moment, ["activity_date", "event_at"]) -%}
    {%- if moment == "activity_date" -%} activity_date
    {%- else -%} {{ local_date("event_at", timezone) }}
    {%- endif -%}
{%- endmacro %}
