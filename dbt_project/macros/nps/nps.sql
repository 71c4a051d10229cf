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


{#- An end of the 95 % interval of a score's change from `earlier` to `later`, each a list of promoters,
    detractors and respondents: the difference of the two adjusted scores, give or take 1.96 times the
    root of the sum of their variances (each as in `nps_interval`), clipped to [-200, 200]. It takes
    the two for independent; where the same people answer twice it is wider than needed. -#}
{% macro nps_change_interval(earlier, later, end) -%}
    {%- set sides = [] -%}
    {%- for promoters, detractors, respondents in [earlier, later] -%}
        {%- set n = "(" ~ respondents ~ " + 3)" -%}
        {%- set p = "((" ~ promoters ~ " + 0.75e0) / " ~ n ~ ")" -%}
        {%- set d = "((" ~ detractors ~ " + 0.75e0) / " ~ n ~ ")" -%}
        {%- do sides.append({
            "score": "(" ~ p ~ " - " ~ d ~ ")",
            "variance": "(" ~ p ~ " + " ~ d ~ " - (" ~ p ~ " - " ~ d ~ ") * (" ~ p ~ " - " ~ d ~ ")) / " ~ n,
        }) -%}
    {%- endfor -%}
    {%- set change = "(" ~ sides[1].score ~ " - " ~ sides[0].score ~ ")" -%}
    {%- set half = (
        "1.959963984540054e0 * sqrt("
        ~ sides[0].variance
        ~ " + "
        ~ sides[1].variance
        ~ ")"
    ) -%}
    {%- if end == "low" -%} greatest(-200e0, 100 * ({{ change }} - {{ half }}))
    {%- elif end == "high" -%} least(200e0, 100 * ({{ change }} + {{ half }}))
    {%- else -%}
        {{
            exceptions.raise_compiler_error(
                "nps_change_interval: end is '" ~ end ~ "'; it takes low or high"
            )
        }}
    {%- endif -%}
{%- endmacro %}
