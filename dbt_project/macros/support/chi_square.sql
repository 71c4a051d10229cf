{#- The share of chi-square values above this one, for one or two degrees of freedom, which have
    closed forms; null for any other number. -#}
{% macro chi_square_p_value(chi_square, degrees_of_freedom) -%}
    case
        {{ degrees_of_freedom }}
        when 1
        then {{ complementary_error("sqrt((" ~ chi_square ~ ") / 2)") }}
        when 2
        then exp(- ({{ chi_square }}) / 2)
    end
{%- endmacro %}

{#- The complementary error function of a number from 0 on: no engine has it. Its logarithm as a
    polynomial in 1 / (1 + x / 2) (a Chebyshev fit by Press et al., Numerical Recipes, 6.2), wrong by
    less than 0.00000012 of the value. -#}
{% macro complementary_error(number) -%}
    {%- set t = "(1 / (1 + " ~ number ~ " / 2))" -%}
    {%- set sum = namespace(sql="0.17087277") -%}
    {%- for coefficient in [
        "-0.82215223",
        "1.48851587",
        "-1.13520398",
        "0.27886807",
        "-0.18628806",
        "0.09678418",
        "0.37409196",
        "1.00002368",
        "-1.26551223",
    ] -%}
        {%- set sum.sql = "(" ~ coefficient ~ " + " ~ t ~ " * " ~ sum.sql ~ ")" -%}
    {%- endfor -%}
    {{ t }} * exp(- {{ number }} * {{ number }} + {{ sum.sql }})
{%- endmacro %}
