{#- Figures by equity group (definitions, section 5). Groups of a dimension add up to the total, and
    dimensions overlap: everybody is in one group of each. -#}
{#- What figures are told apart by. -#}
{% macro equity_dimensions() -%}
    {{ return(["gender", "disability", "region", "prior_education"]) }}
{%- endmacro %}


{#- Each row of a relation with a learner_key once per dimension that anything is known of, with the
    learner's group (`unknown` where it is not known), and once for the dimension `total`. -#}
{% macro in_groups(rows, columns) %}
    select
        {%- for column in columns %} {{ rows }}.{{ column }},{% endfor %}
        'total' as dimension,
        'total' as group_name
    from {{ rows }}

    union all

    select
        {%- for column in columns %} {{ rows }}.{{ column }},{% endfor %}
        dimensions.dimension,
        coalesce(learner_groups.group_name, 'unknown') as group_name
    from {{ rows }}
    cross join (select distinct dimension from {{ ref("int_learner_groups") }}) as dimensions
    left join
        {{ ref("int_learner_groups") }} as learner_groups
        on {{ rows }}.learner_key = learner_groups.learner_key
        and dimensions.dimension = learner_groups.dimension
{% endmacro %}


{#- Every group of every dimension for each different `cut` of a relation: a group that is missing
    would tell that it is empty. -#}
{% macro group_grid(rows, cut) %}
    select {% for column in cut %} cuts.{{ column }}, {% endfor %} found.dimension, found.group_name
    from (select distinct {{ cut | join(", ") }} from {{ rows }}) as cuts
    cross join
        (
            select dimension, group_name
            from {{ ref("int_learner_groups") }}

            union

            select dimension, 'unknown' as group_name
            from {{ ref("int_learner_groups") }}

            union

            select 'total' as dimension, 'total' as group_name
        ) as found
{% endmacro %}


{#- Whether a count of people is too small to be shown. -#}
{% macro is_small_cell(count, may_be_zero=false) -%}
    ({{ count }} < {{ var("suppress_below") }}{% if may_be_zero %} and {{ count }} > 0{% endif %})
{%- endmacro %}


{#- Which rows must not be shown: the columns of `cut`, dimension, group_name and `suppressed`.

    relation    one row per cut, dimension and group
    parts       columns of counts that do not overlap; together they are the row's people
    may_be_zero those of them that tell nothing when they are 0

    A group is small when one of its parts is under `suppress_below`. The total less the groups that
    are shown must not tell more: unless at least two groups are left out that together are not
    small, the next smallest is left out, too; and all of them where that does not help. The total
    itself is left out where it has people, but few. -#}
{% macro suppression(relation, cut, parts, may_be_zero=[]) %}
    {%- set least = var("suppress_below") -%}
    {%- set keys = cut + ["dimension"] -%}
    {%- set people = "(" ~ parts | join(" + ") ~ ")" -%}
    with

        suppression_judged as (
            select
                {{ keys | join(", ") }},
                group_name,
                {{ parts | join(", ") }},
                {{ people }} as people,
                case
                    when
                        {% for part in parts -%}
                            {{ is_small_cell(part, part in may_be_zero) }}
                            {% if not loop.last %} or {% endif %}
                        {%- endfor %}
                    then 1
                    else 0
                end as is_small
            from {{ relation }}
        ),

        suppression_placed as (
            select
                {{ keys | join(", ") }},
                group_name,
                {{ parts | join(", ") }},
                people,
                is_small,
                row_number() over (
                    partition by {{ keys | join(", ") }} order by is_small desc, people, group_name
                ) as place,
                sum(is_small) over (partition by {{ keys | join(", ") }}) as small_groups
            from suppression_judged
        ),

        -- What follows for the groups left out together: without, and with the next smallest.
        suppression_sums as (
            select
                {{ keys | join(", ") }},
                max(small_groups) as small_groups
                {%- for part in parts %}
                    ,
                    sum(case when is_small = 1 then {{ part }} else 0 end) as small_{{ part }},
                    sum(
                        case when place <= small_groups + 1 then {{ part }} else 0 end
                    ) as more_{{ part }}
                {%- endfor %}
            from suppression_placed
            group by {{ keys | join(", ") }}
        ),

        suppression_needs as (
            select
                {{ keys | join(", ") }},
                small_groups > 0
                and (
                    small_groups = 1
                    {%- for part in parts %}
                        or {{ is_small_cell("small_" ~ part, part in may_be_zero) }}
                    {%- endfor %}
                ) as needs_one_more,
                {% for part in parts -%}
                    {{ is_small_cell("more_" ~ part, part in may_be_zero) }}
                    {% if not loop.last %} or {% endif %}
                {%- endfor %} as needs_all
            from suppression_sums
        )

    select
        {%- for column in keys %} placed.{{ column }},{% endfor %}
        placed.group_name,
        case
            when placed.dimension = 'total'
            then placed.people > 0 and placed.people < {{ least }}
            else
                placed.is_small = 1
                or (
                    needs.needs_one_more
                    and (placed.place = placed.small_groups + 1 or needs.needs_all)
                )
        end as suppressed
    from suppression_placed as placed
    inner join
        suppression_needs as needs
        on {% for column in keys -%}
            placed.{{ column }} = needs.{{ column }} {% if not loop.last %} and {% endif %}
        {%- endfor %}
{% endmacro %}
