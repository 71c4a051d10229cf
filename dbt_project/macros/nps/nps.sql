{#- NPS from sums (definitions, section 2): add up promoters, detractors and respondents first, then
    compute. Nothing is rounded here; round once, half away from zero, for display. -#}
{% macro nps_score(promoters, detractors, respondents) -%}
    cast(100 * ({{ promoters }} - {{ detractors }}) as double) / nullif({{ respondents }}, 0)
{%- endmacro %}

{#- An end of the 95 % interval, `low` or `high`: adjusted Wald (3 more respondents, of whom 3/4 are
    promoters and 3/4 detractors), clipped to [-100, 100]. -#}
{% macro nps_interval(promoters, detractors, respondents, end) -%}
    {%- if end not in ("low", "high") -%}
        {{
            exceptions.raise_compiler_error(
                "nps_interval: end is '" ~ end ~ "'; it takes low or high"
            )
        }}
    {%- endif -%}
    {%- set n = "(" ~ respondents ~ " + 3)" -%}
    {%- set p = "((" ~ promoters ~ " + 0.75e0) / " ~ n ~ ")" -%}
    {%- set d = "((" ~ detractors ~ " + 0.75e0) / " ~ n ~ ")" -%}
    {%- set half = "1.959963984540054e0 * sqrt((" ~ p ~ " + " ~ d ~ " - (" ~ p ~ " - " ~ d ~ ") * (" ~ p ~ " - " ~ d ~ ")) / " ~ n ~ ")" -%}
    case
        when {{ respondents }} > 0
        then
            {% if end == "low" -%} greatest(-100e0, 100 * (({{ p }} - {{ d }}) - {{ half }}))
            {%- else -%} least(100e0, 100 * (({{ p }} - {{ d }}) + {{ half }}))
            {%- endif %}
    end
{%- endmacro %}
