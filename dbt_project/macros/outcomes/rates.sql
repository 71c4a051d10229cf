{#- A share of people, and an end (`low` or `high`) of its 95 % interval by Wilson: 3,648 of 9,120
    is 0.400 [0.390, 0.410]. Null without anybody. -#}
{% macro share_of(part, whole) -%}
    cast({{ part }} as double) / nullif({{ whole }}, 0)
{%- endmacro %}

{% macro wilson(part, whole, end) -%}
    {%- if end not in ("low", "high") -%}
        {{ exceptions.raise_compiler_error("wilson: end is '" ~ end ~ "'; it takes low or high") }}
    {%- endif -%}
    {%- set z = "1.959963984540054e0" -%}
    {%- set n = "cast(" ~ whole ~ " as double)" -%}
    {%- set p = "(" ~ part ~ " / " ~ n ~ ")" -%}
    {%- set sign = "-" if end == "low" else "+" -%}
    case
        when {{ whole }} > 0
        then
            {{
                round_half_away(
                    "("
                    ~ p
                    ~ " + "
                    ~ z
                    ~ " * "
                    ~ z
                    ~ " / (2 * "
                    ~ n
                    ~ ") "
                    ~ sign
                    ~ " "
                    ~ z
                    ~ " * sqrt(("
                    ~ p
                    ~ " * (1 - "
                    ~ p
                    ~ ") + "
                    ~ z
                    ~ " * "
                    ~ z
                    ~ " / (4 * "
                    ~ n
                    ~ ")) / "
                    ~ n
                    ~ ")) / (1 + "
                    ~ z
                    ~ " * "
                    ~ z
                    ~ " / "
                    ~ n
                    ~ ")",
                    10,
                )
            }}
    end
{%- endmacro %}


{#- The rank, from below and from above, of the values that are the ends of a median's 95 % interval.
    Distribution-free (order statistics): of 10 values the 2nd and the 9th. The normal rank, with half
    a rank for continuity, covers at least 95 % for every n from 6 on; fewer values have no interval. -#}
{% macro median_interval_rank(n) -%}
    case
        when {{ n }} >= 6
        then greatest(1, floor(({{ n }} + 1 - 1.959963984540054e0 * sqrt({{ n }})) / 2))
    end
{%- endmacro %}
