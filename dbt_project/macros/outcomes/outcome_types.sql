{#- The accepted types of career outcomes and their families (definitions, section 1). -#}
{% macro outcome_families() -%}
    {{
        return(
            {
                "job": ["new_job", "internship", "apprenticeship"],
                "business": ["business", "freelance"],
                "advancement": ["title_change", "salary_increase", "internal_mobility"],
            }
        )
    }}
{%- endmacro %}

{% macro outcome_types() -%}
    {%- set types = [] -%}
    {%- for of_family in outcome_families().values() -%}
        {%- do types.extend(of_family) -%}
    {%- endfor -%}
    {{ return(types) }}
{%- endmacro %}

{#- The place of a type's family in the order job, business, advancement; null if it is unknown. -#}
{% macro outcome_family_order(outcome_type) -%}
    case
        {%- for types in outcome_families().values() %}
            when {{ outcome_type }} in ('{{ types | join("', '") }}') then {{ loop.index }}
        {%- endfor %}
    end
{%- endmacro %}

{% macro outcome_family(family_order) -%}
    case
        {{ family_order }}
        {%- for family in outcome_families() %}
            when {{ loop.index }} then '{{ family }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- A set of types as a number: each type is a bit, so that a union is `bit_or` and needs no lists. -#}
{% macro outcome_type_bit(outcome_type) -%}
    case
        {{ outcome_type }}
        {%- for type in outcome_types() %} when '{{ type }}' then {{ 2**loop.index0 }} {%- endfor %}
    end
{%- endmacro %}

{% macro outcome_type_bit_of(type) -%} {{ 2 ** outcome_types().index(type) }} {%- endmacro %}

{#- The set as a list of types, in the order of the alphabet. -#}
{% macro outcome_types_of(bits) -%}
    {%- set present = [] -%}
    {%- for type in outcome_types() | sort -%}
        {%- do present.append(
            "case when "
            ~ bits
            ~ " & "
            ~ outcome_type_bit_of(type)
            ~ " != 0 then '"
            ~ type
            ~ "' end"
        ) -%}
    {%- endfor -%}
    {{ list_of_present(present) }}
{%- endmacro %}


{#- The sources, strongest first; the place of each, and the source at a place. -#}
{% macro evidence_sources() -%}
    {{ return(["contract", "product", "coach", "survey"]) }}
{%- endmacro %}

{% macro evidence_order(source) -%}
    case
        {{ source }}
        {%- for name in evidence_sources() %} when '{{ name }}' then {{ loop.index }} {%- endfor %}
    end
{%- endmacro %}

{% macro evidence_of(evidence_order) -%}
    case
        {{ evidence_order }}
        {%- for name in evidence_sources() %} when {{ loop.index }} then '{{ name }}' {%- endfor %}
    end
{%- endmacro %}


{#- What the learner answered, as a boolean: null where they did not, and for contracts, which are
    somebody else's word. -#}
{% macro own_word(answer, source) -%}
    case
        when {{ source }} = 'contract'
        then null
        when {{ answer }} = 'yes'
        then true
        when {{ answer }} = 'no'
        then false
    end
{%- endmacro %}


{#- The answer that decides among several: the one reported last, of the same day the no. Takes the
    last day of a yes and the last day of a no; null where nobody answered. -#}
{% macro deciding_answer(last_yes_on, last_no_on) -%}
    case
        when {{ last_yes_on }} is null and {{ last_no_on }} is null
        then null
        when {{ last_no_on }} is null
        then true
        when {{ last_yes_on }} is null
        then false
        else {{ last_yes_on }} > {{ last_no_on }}
    end
{%- endmacro %}
