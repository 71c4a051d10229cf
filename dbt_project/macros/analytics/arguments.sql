{#- Arguments of the analytics macros are checked while compiling: a chart with a wrong definition
    must not build, let alone show a number. -#}
{% macro refuse(macro_name, argument, value, takes) -%}
    {{
        exceptions.raise_compiler_error(
            macro_name ~ ": " ~ argument ~ " is '" ~ value ~ "'; it takes " ~ takes
        )
    }}
{%- endmacro %}

{% macro check_choice(macro_name, argument, value, choices) -%}
    {%- if value not in choices -%}
        {%- do refuse(macro_name, argument, value, choices | join(", ")) -%}
    {%- endif -%}
{%- endmacro %}

{% macro check_whole(macro_name, argument, value, minimum) -%}
    {%- if value is not integer or value is boolean or value < minimum -%}
        {%- do refuse(macro_name, argument, value, "a whole number, " ~ minimum ~ " or more") -%}
    {%- endif -%}
{%- endmacro %}

{% macro check_condition(macro_name, argument, value) -%}
    {%- if value is not string or not value | trim -%}
        {%- do refuse(
            macro_name,
            argument,
            value,
            "an SQL condition on the columns of the relation, such as \"event_type = 'signed_up'\"",
        ) -%}
    {%- endif -%}
{%- endmacro %}

{#- The name of a zone, by default the project's. -#}
{% macro zone_of(macro_name, timezone) -%}
    {%- set zone = timezone or var("reporting_timezone") -%}
    {%- if zone not in modules.pytz.all_timezones_set -%}
        {%- do refuse(
            macro_name,
            "timezone",
            zone,
            "a name of the time zone database, such as Europe/Paris",
        ) -%}
    {%- endif -%}
    {{ return(zone) }}
{%- endmacro %}

{% macro week_start_of(macro_name, week_start) -%}
    {%- set first_day = week_start or var("week_start") -%}
    {%- do check_choice(macro_name, "week_start", first_day, ["monday", "sunday"]) -%}
    {{ return(first_day) }}
{%- endmacro %}

{#- What a day or time is given as: `day` ('2024-03-31'), `time` ('2024-03-31 14:00:00', UTC), else
    `sql`, an expression that is a date. -#}
{% macro kind_of_moment(macro_name, argument, value) -%}
    {%- if value is string and modules.re.match(
        "^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$", value
    ) -%}
        {{ return("day") }}
    {%- elif value is string and modules.re.match(
        "^\d{4}-\d\d-\d\d[ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", value
    ) -%}
        {{ return("time") }}
    {%- elif value is not string or not value | trim or modules.re.match("^\d", value) -%}
        {%- do refuse(
            macro_name,
            argument,
            value,
            "a day such as '2024-03-31', for hours also a UTC time such as '2024-03-31 14:00:00', "
            ~ "or an SQL expression that is a date",
        ) -%}
    {%- endif -%}
    {{ return("sql") }}
{%- endmacro %}

{#- A day as an SQL expression: 'YYYY-MM-DD' becomes a date, an expression stays as it is. -#}
{% macro as_day(macro_name, argument, value) -%}
    {%- set kind = kind_of_moment(macro_name, argument, value) -%}
    {%- if kind == "time" -%}
        {%- do refuse(
            macro_name,
            argument,
            value,
            "a day such as '2024-03-31' or an SQL expression that is a date",
        ) -%}
    {%- elif kind == "day" -%} cast('{{ value }}' as date)
    {%- else -%} {{ value }}
    {%- endif -%}
{%- endmacro %}

{#- The day that is not counted any more: the one given, else that of int_as_of. -#}
{% macro as_of_day(macro_name, as_of) -%}
    {%- if as_of is none -%} (select as_of_date from {{ ref("int_as_of") }})
    {%- else -%} {{ as_day(macro_name, "as_of", as_of) }}
    {%- endif -%}
{%- endmacro %}

{#- The instant from which on nothing is known: that of a day's beginning in the zone, of a UTC time,
    else that of int_as_of. -#}
{% macro as_of_instant(macro_name, as_of, zone) -%}
    {%- if as_of is none -%} (select as_of_at from {{ ref("int_as_of") }})
    {%- elif kind_of_moment(macro_name, "as_of", as_of) == "time" -%}
        cast('{{ as_of }}' as timestamp)
    {%- else -%} {{ start_of_day(as_day(macro_name, "as_of", as_of), zone) }}
    {%- endif -%}
{%- endmacro %}

{#- Conditions, each beginning with `and`, that an interval lies between two days, both included.
    Hours are UTC instants; they may also lie between two UTC times. -#}
{% macro lies_between(macro_name, interval, period, zone, from_day, to_day) -%}
    {%- if from_day is not none -%}
        and {{ interval }} >= {{ first_interval(macro_name, "from_day", from_day, period, zone) }}
    {%- endif %}
    {%- if to_day is not none %}
        {%- if period != "hour" %} and {{ interval }} <= {{ as_day(macro_name, "to_day", to_day) }}
        {%- elif kind_of_moment(macro_name, "to_day", to_day) == "time" %}
            and {{ interval }} <= cast('{{ to_day }}' as timestamp)
        {%- else %}
            and {{ interval }}
            < {{ start_of_day(add_days(as_day(macro_name, "to_day", to_day), 1), zone) }}
        {%- endif %}
    {%- endif -%}
{%- endmacro %}

{% macro first_interval(macro_name, argument, value, period, zone) -%}
    {%- if period != "hour" -%} {{ as_day(macro_name, argument, value) }}
    {%- elif kind_of_moment(macro_name, argument, value) == "time" -%}
        cast('{{ value }}' as timestamp)
    {%- else -%} {{ start_of_day(as_day(macro_name, argument, value), zone) }}
    {%- endif -%}
{%- endmacro %}


{% macro check_expression(macro_name, argument, value) -%}
    {%- if value is not string or not value | trim -%}
        {{
            exceptions.raise_compiler_error(
                macro_name
                ~ ": "
                ~ argument
                ~ " is '"
                ~ value
                ~ "'; it takes an SQL expression on the columns of the relation, such as a "
                ~ "column's name"
            )
        }}
    {%- endif -%}
{%- endmacro %}
