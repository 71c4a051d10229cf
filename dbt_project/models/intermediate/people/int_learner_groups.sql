with

    responses as (
        select
            user_key,
            email_key,
            respondent_key,
            coalesce(submitted_at, cast(coalesce(period, wave_date) as timestamp)) as told_at,
            {{ equity_dimensions() | join(", ") }}
        from {{ ref("stg_surveys__responses") }}
        where coalesce({{ equity_dimensions() | join(", ") }}) is not null
    ),

    known_responses as (
        select
            coalesce({{ contact_learner("responses") }}, responses.respondent_key) as learner_key,
            responses.told_at,
            {%- for attribute in equity_dimensions() %}
                responses.{{ attribute }} {%- if not loop.last %},{% endif %}
            {%- endfor %}
        from responses {{ contact_joins("responses") }}
    ),

    -- Each attribute is read by itself: of a relation with a name that is read more than once,
    -- DuckDB makes a copy in memory.
    told as (
        {% for attribute in equity_dimensions() -%}
            select
                user_key as learner_key,
                '{{ attribute }}' as dimension,
                {{ attribute }}.event_at as told_at,
                {{ attribute }}.{{ attribute }} as group_name
            from {{ ref("int_attributes_by_id") }}
            where {{ attribute }} is not null

            union all

            select
                learner_key, '{{ attribute }}' as dimension, told_at, {{ attribute }} as group_name
            from known_responses
            where {{ attribute }} is not null and learner_key is not null
            {% if not loop.last %}
                union all
            {% endif %}
        {%- endfor %}
    ),

    latest as (
        select learner_key, dimension, max({{ row_of(["told_at", "group_name"]) }}) as last_told
        from told
        group by learner_key, dimension
    ),

    counted as (
        select
            learner_key,
            dimension,
            last_told.group_name as group_name,
            count(*) over (partition by dimension, last_told.group_name) as learners
        from latest
    ),

    -- What few people wrote could tell who they are by its name alone.
    final as (
        select
            learner_key,
            dimension,
            case
                when learners >= {{ var("suppress_below") }} then group_name else 'other'
            end as group_name
        from counted
    )

select *
from final
