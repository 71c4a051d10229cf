{#- Dates, times and periods. Every macro returns an SQL expression; arguments are expressions too.
    Timestamps are UTC and have no zone. -#}
{#- The date that a clock in `zone` shows at a UTC instant. -#}
{% macro local_date(timestamp, zone=none) -%}
    {{
        return(
            adapter.dispatch("local_date", "northstar")(
                timestamp, zone or var("reporting_timezone")
            )
        )
    }}
{%- endmacro %}

{% macro default__local_date(timestamp, zone) -%}
    cast(timezone('{{ zone }}', timezone('UTC', {{ timestamp }})) as date)
{%- endmacro %}

{% macro spark__local_date(timestamp, zone) -%}
    cast(from_utc_timestamp({{ timestamp }}, '{{ zone }}') as date)
{%- endmacro %}


{#- The UTC instant at which `day` begins in `zone`. -#}
{% macro start_of_day(day, zone=none) -%}
    {{
        return(
            adapter.dispatch("start_of_day", "northstar")(day, zone or var("reporting_timezone"))
        )
    }}
{%- endmacro %}

{#- Where clocks go back over midnight the day begins the first time they show it; DuckDB takes the
    second. -#}
{% macro default__start_of_day(day, zone) -%}
    {%- set midnight -%}
        timezone('UTC', timezone('{{ zone }}', cast({{ day }} as timestamp)))
    {%- endset -%}
    (
        {{ midnight }} - case
            when {{ local_date(midnight ~ " - interval 1 hour", zone) }} = {{ day }}
            then interval 1 hour
            else interval 0 hour
        end
    )
{%- endmacro %}

{% macro spark__start_of_day(day, zone) -%}
    to_utc_timestamp(cast({{ day }} as timestamp), '{{ zone }}')
{%- endmacro %}


{#- The UTC instant at which the hour began that a clock in `zone` shows; hours pass one after the
    other, so that the hour clocks show twice is two. -#}
{% macro start_of_hour(timestamp, zone=none) -%}
    {{
        return(
            adapter.dispatch("start_of_hour", "northstar")(
                timestamp, zone or var("reporting_timezone")
            )
        )
    }}
{%- endmacro %}

{% macro default__start_of_hour(timestamp, zone) -%}
    {%- set wall -%} timezone('{{ zone }}', timezone('UTC', {{ timestamp }})) {%- endset -%}
    ({{ timestamp }} - ({{ wall }} - date_trunc('hour', {{ wall }})))
{%- endmacro %}

{% macro spark__start_of_hour(timestamp, zone) -%}
    {%- set wall -%} from_utc_timestamp({{ timestamp }}, '{{ zone }}') {%- endset -%}
    ({{ timestamp }} - ({{ wall }} - date_trunc('hour', {{ wall }})))
{%- endmacro %}


{#- Whole days from one date to a later one; negative if it is earlier. -#}
{% macro days_between(from_date, to_date) -%}
    {{ return(adapter.dispatch("days_between", "northstar")(from_date, to_date)) }}
{%- endmacro %}

{% macro default__days_between(from_date, to_date) -%}
    date_diff('day', {{ from_date }}, {{ to_date }})
{%- endmacro %}

{% macro spark__days_between(from_date, to_date) -%}
    cast(datediff({{ to_date }}, {{ from_date }}) as bigint)
{%- endmacro %}


{% macro add_days(day, days) -%}
    {{ return(adapter.dispatch("add_days", "northstar")(day, days)) }}
{%- endmacro %}

{% macro default__add_days(day, days) -%} ({{ day }} + cast({{ days }} as integer)) {%- endmacro %}

{% macro spark__add_days(day, days) -%} date_add({{ day }}, cast({{ days }} as int)) {%- endmacro %}


{#- Calendar months later; a day that the month does not have becomes its last:
    29 February + 12 months = 28 February. -#}
{% macro add_months_to(day, months) -%}
    {{ return(adapter.dispatch("add_months_to", "northstar")(day, months)) }}
{%- endmacro %}

{% macro default__add_months_to(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{% macro spark__add_months_to(day, months) -%}
    add_months({{ day }}, cast({{ months }} as int))
{%- endmacro %}


{#- Calendar months between the months of two dates, whatever the days. -#}
{% macro calendar_months_between(from_date, to_date) -%}
    (
        (year({{ to_date }}) - year({{ from_date }})) * 12
        + month({{ to_date }})
        - month({{ from_date }})
    )
{%- endmacro %}


{#- Full calendar months elapsed: the greatest n with from_date + n months <= to_date. Needs
    from_date <= to_date. Built on add_months_to, so that both agree on 29 February. -#}
{% macro full_months_between(from_date, to_date) -%}
    {%- set months = calendar_months_between(from_date, to_date) -%}
    (
        {{ months }}
        - case when {{ add_months_to(from_date, months) }} > {{ to_date }} then 1 else 0 end
    )
{%- endmacro %}


{#- Elapsed whole microseconds and seconds between two instants (not boundaries crossed). -#}
{% macro microseconds_between(from_timestamp, to_timestamp) -%}
    {{
        return(
            adapter.dispatch("microseconds_between", "northstar")(from_timestamp, to_timestamp)
        )
    }}
{%- endmacro %}

{% macro default__microseconds_between(from_timestamp, to_timestamp) -%}
    (epoch_us({{ to_timestamp }}) - epoch_us({{ from_timestamp }}))
{%- endmacro %}

{% macro spark__microseconds_between(from_timestamp, to_timestamp) -%}
    (unix_micros({{ to_timestamp }}) - unix_micros({{ from_timestamp }}))
{%- endmacro %}


{% macro seconds_between(from_timestamp, to_timestamp) -%}
    {{ return(adapter.dispatch("seconds_between", "northstar")(from_timestamp, to_timestamp)) }}
{%- endmacro %}

{% macro default__seconds_between(from_timestamp, to_timestamp) -%}
    date_sub('second', {{ from_timestamp }}, {{ to_timestamp }})
{%- endmacro %}

{% macro spark__seconds_between(from_timestamp, to_timestamp) -%}
    ((unix_micros({{ to_timestamp }}) - unix_micros({{ from_timestamp }})) div 1000000)
{%- endmacro %}


{% macro add_seconds(timestamp, seconds) -%}
    {{ return(adapter.dispatch("add_seconds", "northstar")(timestamp, seconds)) }}
{%- endmacro %}

{% macro default__add_seconds(timestamp, seconds) -%}
    ({{ timestamp }} + to_seconds({{ seconds }}))
{%- endmacro %}

{% macro spark__add_seconds(timestamp, seconds) -%}
    ({{ timestamp }} + make_dt_interval(0, 0, 0, {{ seconds }}))
{%- endmacro %}


{#- Monday is 1, Sunday 7. -#}
{% macro iso_weekday(day) -%}
    {{ return(adapter.dispatch("iso_weekday", "northstar")(day)) }}
{%- endmacro %}

{% macro default__iso_weekday(day) -%} isodow({{ day }}) {%- endmacro %}

{% macro spark__iso_weekday(day) -%}(weekday({{ day }}) + 1) {%- endmacro %}


{#- The first day of the day, week or month that a date lies in. -#}
{% macro start_of_period(day, period, week_start=none) -%}
    {%- set week_start = week_start or var("week_start") -%}
    {%- if period == "day" -%} {{ day }}
    {%- elif period == "week" and week_start == "monday" -%}
        {{ add_days(day, "1 - " ~ iso_weekday(day)) }}
    {%- elif period == "week" and week_start == "sunday" -%}
        {{ add_days(day, "0 - " ~ iso_weekday(day) ~ " % 7") }}
    {%- elif period == "month" -%} {{ add_days(day, "1 - day(" ~ day ~ ")") }}
    {%- else -%}
        {{
            exceptions.raise_compiler_error(
                "start_of_period: period is '"
                ~ period
                ~ "' and week_start '"
                ~ week_start
                ~ "'; period takes day, week or month, week_start takes monday or sunday"
            )
        }}
    {%- endif -%}
{%- endmacro %}


{#- The start of the period that lies `periods` after the one that starts on `day`. Hours start at UTC
    instants: they are hours that pass, whatever clocks do. -#}
{% macro add_periods(day, periods, period) -%}
    {%- if period == "hour" -%} {{ add_seconds(day, "3600 * (" ~ periods ~ ")") }}
    {%- elif period == "month" -%} {{ add_months_to(day, periods) }}
    {%- elif period == "week" -%} {{ add_days(day, "7 * (" ~ periods ~ ")") }}
    {%- else -%} {{ add_days(day, periods) }}
    {%- endif -%}
{%- endmacro %}


{#- How many times a whole number holds `size`. -#}
{% macro whole_parts(number, size) -%}
    cast(floor({{ number }} / {{ size }}) as bigint)
{%- endmacro %}


{#- Periods from one start of a period to another. -#}
{% macro periods_between(from_start, to_start, period) -%}
    {%- if period == "hour" -%} {{ whole_parts(seconds_between(from_start, to_start), 3600) }}
    {%- elif period == "month" -%} {{ calendar_months_between(from_start, to_start) }}
    {%- elif period == "week" -%} cast({{ days_between(from_start, to_start) }} / 7 as bigint)
    {%- else -%} {{ days_between(from_start, to_start) }}
    {%- endif -%}
{%- endmacro %}


{#- One row per start of a period from `first_day` to `last_day`, both included; in a select list. -#}
{% macro explode_dates(first_day, last_day, period="day") -%}
    {{ return(adapter.dispatch("explode_dates", "northstar")(first_day, last_day, period)) }}
{%- endmacro %}

{% macro default__explode_dates(first_day, last_day, period) -%}
    cast(unnest(generate_series({{ first_day }}, {{ last_day }}, interval 1 {{ period }})) as date)
{%- endmacro %}

{% macro spark__explode_dates(first_day, last_day, period) -%}
    explode(
        case
            when {{ first_day }} <= {{ last_day }}
            then sequence({{ first_day }}, {{ last_day }}, interval 1 {{ period }})
        end
    )
{%- endmacro %}


{#- Whole seconds since 1970, as a bigint. -#}
{% macro epoch_second(timestamp) -%}
    {{ return(adapter.dispatch("epoch_second", "northstar")(timestamp)) }}
{%- endmacro %}

{% macro default__epoch_second(timestamp) -%}
    cast(floor(epoch({{ timestamp }})) as bigint)
{%- endmacro %}

{% macro spark__epoch_second(timestamp) -%} unix_seconds({{ timestamp }}) {%- endmacro %}


{#- What a clock in `zone` (an SQL expression) shows at a UTC instant; a timestamp without a zone. -#}
{% macro clock_time(timestamp, zone) -%}
    {{ return(adapter.dispatch("clock_time", "northstar")(timestamp, zone)) }}
{%- endmacro %}

{% macro default__clock_time(timestamp, zone) -%}
    timezone({{ zone }}, timezone('UTC', {{ timestamp }}))
{%- endmacro %}

{% macro spark__clock_time(timestamp, zone) -%}
    from_utc_timestamp({{ timestamp }}, {{ zone }})
{%- endmacro %}


{#- How many different days of a period of at most 62 days the rows of a group have. `day_number` is a
    day's, from 0. Each sets a bit: counting distinct values in millions of groups takes several times
    longer. -#}
{% macro count_of_days(day_number) -%}
    {{ return(adapter.dispatch("count_of_days", "northstar")(day_number)) }}
{%- endmacro %}

{% macro default__count_of_days(day_number) -%}
    cast(bit_count(bit_or(cast(1 as bigint) << ({{ day_number }}))) as bigint)
{%- endmacro %}

{% macro spark__count_of_days(day_number) -%}
    cast(bit_count(bit_or(shiftleft(cast(1 as bigint), {{ day_number }}))) as bigint)
{%- endmacro %}
