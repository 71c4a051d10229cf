{#- Funnels (definitions, section 3): how many learners get from step to step.

    relation        events with learner_key, event_id, event_at (UTC) and what the conditions name
    steps           list of [name, SQL condition], two or more
    order           ordered (other events may lie between)
    window_seconds  conversion window, counted from step 1; its end is included
    from_day, to_day   reporting days that step 1 lies in, both included; default: all
    as_of_at        instant until which events are known; default: that of int_as_of
    timezone        of from_day and to_day; default: the project's variable

    An attempt is a step-1 event, followed each time by the earliest event of the next step. Per
    learner the longest, then the earliest attempt counts. Events of the same second may count in
    either order; a repeated step needs another event. An attempt that did not get on, and whose
    window has not elapsed yet, is pending: neither converted nor dropped.

    Gives step (from 1), step_name, learners who reached it, converted (of them, who reached the
    next), pending, median_seconds to convert; the last step has none of the latter three. -#}
{% macro funnel(
    relation,
    steps,
    window_seconds,
    order="ordered",
    from_day=none,
    to_day=none,
    as_of_at=none,
    timezone=none
) %}
    {%- do check_choice("funnel", "order", order, ["ordered"]) -%}
    {%- do check_whole("funnel", "window_seconds", window_seconds, 1) -%}
    {%- if steps is string or steps is mapping or steps | length < 2 -%}
        {{
            exceptions.raise_compiler_error(
                "funnel: steps is '"
                ~ steps
                ~ "'; it takes a list of two or more [name, condition]"
            )
        }}
    {%- endif -%}
    {%- for step in steps -%}
        {%- do check_condition(
            "funnel", "steps (condition of step " ~ loop.index ~ ")", step[1]
        ) -%}
    {%- endfor -%}
    {%- set as_of_at = (
        "(select as_of_at from " ~ ref("int_as_of") ~ ")"
        if as_of_at is none
        else as_of_at
    ) -%}
    {%- set count = steps | length -%}
    with

        funnel_events as (
            select
                learner_key,
                event_id,
                event_at,
                date_trunc('second', event_at) as second_at
                {%- for step in steps %}
                    , coalesce({{ step[1] }}, false) as is_step_{{ loop.index }}
                {%- endfor %}
            from {{ relation }}
            where
                event_at < {{ as_of_at }}
                and (
                    {%- for step in steps %}
                        ({{ step[1] }}){% if not loop.last %} or{% endif %}
                    {%- endfor %}
                )
        ),

        funnel_reached_1 as (
            select learner_key, event_id as event_1, event_at as at_1, second_at as second_1
            from funnel_events
            where
                is_step_1
                {%- if from_day is not none %}
                    and {{ local_date("event_at", timezone) }}
                    >= {{ as_day("funnel", "from_day", from_day) }}
                {%- endif %}
                {%- if to_day is not none %}
                    and {{ local_date("event_at", timezone) }}
                    <= {{ as_day("funnel", "to_day", to_day) }}
                {%- endif %}
        ),

        {%- for index in range(2, count + 1) %}
            {%- set before = index - 1 %}

            funnel_candidates_{{ index }} as (
                select
                    reached.*,
                    events.event_id as event_{{ index }},
                    events.event_at as at_{{ index }},
                    events.second_at as second_{{ index }},
                    row_number() over (
                        partition by reached.learner_key, reached.event_1
                        order by events.second_at, events.event_at, events.event_id
                    ) as candidate_{{ index }}
                from funnel_reached_{{ before }} as reached
                left join
                    funnel_events as events
                    on reached.learner_key = events.learner_key
                    and events.is_step_{{ index }}
                    and events.second_at >= reached.second_{{ before }}
                    and events.event_at <= {{ add_seconds("reached.at_1", window_seconds) }}
                    {%- for earlier in range(1, index) %}
                        and events.event_id != reached.event_{{ earlier }}
                    {%- endfor %}
            ),

            funnel_reached_{{ index }} as (
                select * from funnel_candidates_{{ index }} where candidate_{{ index }} = 1
            ),
        {%- endfor %}

        funnel_attempts as (
            select
                *,
                1
                {%- for index in range(2, count + 1) %}
                    + case when at_{{ index }} is not null then 1 else 0 end
                {%- endfor %} as steps_reached,
                {{ add_seconds("at_1", window_seconds) }} >= {{ as_of_at }} as is_open
            from funnel_reached_{{ count }}
        ),

        funnel_ranked as (
            select
                *,
                row_number() over (
                    partition by learner_key order by steps_reached desc, at_1, event_1
                ) as attempt
            from funnel_attempts
        ),

        funnel_learners as (select * from funnel_ranked where attempt = 1)

    {% for step in steps %}
        select
            {{ loop.index }} as step,
            '{{ step[0] }}' as step_name,
            count(*) as learners,
            {%- if not loop.last %}
                count(*) filter (where steps_reached > {{ loop.index }}) as converted,
                count(*) filter (where steps_reached = {{ loop.index }} and is_open) as pending,
                {{
                    percentile_of(
                        "case when steps_reached > "
                        ~ loop.index
                        ~ " then greatest(cast("
                        ~ microseconds_between("at_" ~ loop.index, "at_" ~ (loop.index + 1))
                        ~ " as double) / 1000000, 0) end",
                        0.5,
                    )
                }} as median_seconds
            {%- else %}
                cast(null as bigint) as converted,
                cast(null as bigint) as pending,
                cast(null as double) as median_seconds
            {%- endif %}
        from funnel_learners
        where steps_reached >= {{ loop.index }}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
{% endmacro %}
