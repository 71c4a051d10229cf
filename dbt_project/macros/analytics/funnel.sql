{#- Funnels (definitions, section 3): how many learners get from step to step.

    relation        events with learner_key, event_at (UTC) and what the conditions name
    steps           list of [name, SQL condition], two to ten
    order           ordered (other events may lie between), strict (none may) or unordered (the steps
                    in any order; the first step is then whichever comes first)
    window_seconds  conversion window, counted from step 1; its end is included
    exclusions      list of [SQL condition, from step, to step]: such an event after the one step and
                    before the other voids the attempt, even if the other is never reached
    hold_constant   SQL expression that is the same in all events of an attempt: the unit is then
                    learner x value, and events without a value belong to none
    from_day, to_day   reporting days that step 1 lies in, both included; default: all
    as_of_at        instant until which events are known; default: that of int_as_of
    timezone        of from_day and to_day; default: the project's variable

    Time is counted in whole seconds: what happens within a second is simultaneous, and may count in
    either order; a repeated step needs another event. An attempt begins in a second with an event of
    step 1 and takes each next step as early as it can. Per learner the longest attempt that is not
    void counts, and of those the earliest. If it did not get on and its window has not elapsed yet
    it is pending: neither converted nor dropped.

    Gives step (from 1), step_name, learners who reached it, converted (of them, who reached the
    next), pending, median_seconds to convert; the last step has none of the latter three. -#}
{% macro funnel(
    relation,
    steps,
    window_seconds,
    order="ordered",
    exclusions=[],
    hold_constant=none,
    from_day=none,
    to_day=none,
    as_of_at=none,
    timezone=none
) %}
    with

        funnel_learners as (
            {{
                funnel_attempts(
                    relation=relation,
                    steps=steps,
                    window_seconds=window_seconds,
                    order=order,
                    exclusions=exclusions,
                    hold_constant=hold_constant,
                    from_day=from_day,
                    to_day=to_day,
                    as_of_at=as_of_at,
                    timezone=timezone,
                )
            }}
        )

    {% for step in steps %}
        select
            {{ loop.index }} as step,
            {{ dbt.string_literal(dbt.escape_single_quotes(step[0])) }} as step_name,
            count(*) as learners,
            {%- if not loop.last %}
                count(*) filter (where steps_reached > {{ loop.index }}) as converted,
                count(*) filter (where steps_reached = {{ loop.index }} and is_open) as pending,
                cast(
                    {{
                        percentile_of(
                            "second_" ~ (loop.index + 1) ~ " - second_" ~ loop.index, 0.5
                        )
                    }} as double
                ) as median_seconds
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


{#- The attempt of each learner that a funnel counts; arguments as of funnel().

    Gives unit (the learner, or a key of learner and value), steps_reached, is_open (the window has
    not elapsed) and second_1, second_2 ...: when each step was reached, in seconds since 1970. -#}
{% macro funnel_attempts(
    relation,
    steps,
    window_seconds,
    order="ordered",
    exclusions=[],
    hold_constant=none,
    from_day=none,
    to_day=none,
    as_of_at=none,
    timezone=none
) %}
    {%- do check_choice("funnel", "order", order, ["ordered", "strict", "unordered"]) -%}
    {%- do check_whole("funnel", "window_seconds", window_seconds, 1) -%}
    {%- do check_funnel_steps(steps) -%}
    {%- do check_funnel_exclusions(exclusions, steps | length) -%}
    {%- if hold_constant is not none -%}
        {%- do check_expression("funnel", "hold_constant", hold_constant) -%}
    {%- endif -%}
    {%- set as_of_at = (
        "(select as_of_at from " ~ ref("int_as_of") ~ ")"
        if as_of_at is none
        else as_of_at
    ) -%}
    {%- set count = steps | length -%}
    with

        funnel_rows as (
            select
                {% if hold_constant is none -%} learner_key as unit,
                {%- else -%} {{ hashed_key(["learner_key", hold_constant]) }} as unit,
                {%- endif %}
                {{ epoch_second("event_at") }} as second,
                true
                {%- if from_day is not none %}
                    and {{ local_date("event_at", timezone) }}
                    >= {{ as_day("funnel", "from_day", from_day) }}
                {%- endif %}
                {%- if to_day is not none %}
                    and {{ local_date("event_at", timezone) }}
                    <= {{ as_day("funnel", "to_day", to_day) }}
                {%- endif %} as may_start
                {%- for step in steps %}
                    , coalesce({{ step[1] }}, false) as is_step_{{ loop.index }}
                {%- endfor %}
                {%- for exclusion in exclusions %}
                    , coalesce({{ exclusion[0] }}, false) as is_excluded_{{ loop.index }}
                {%- endfor %}
            from {{ relation }}
            where
                event_at < {{ as_of_at }} and learner_key is not null
                {%- if hold_constant is not none %}
                    and ({{ hold_constant }}) is not null
                {%- endif %}
                {%- if order != "strict" %}
                    and (
                        {%- for step in steps %}
                            ({{ step[1] }}){% if not loop.last %} or{% endif %}
                        {%- endfor %}
                        {%- for exclusion in exclusions %} or ({{ exclusion[0] }}) {%- endfor %}
                    )
                {%- endif %}
        ),

        -- The steps that an event may count for, as bits.
        funnel_events as (
            select
                unit,
                second,
                may_start
                {%- for exclusion in exclusions %}, is_excluded_{{ loop.index }} {%- endfor %},
                {%- for step in steps %}
                    case
                        when
                            is_step_{{ loop.index }}
                            {%- if loop.first and order != "unordered" %} and may_start {%- endif %}
                        then {{ 2**loop.index0 }}
                        else 0
                    end
                    {%- if not loop.last %} + {%- endif %}
                {%- endfor %} as steps
            from funnel_rows
        ),

        {%- if order == "ordered" %} {{ funnel_ordered(count, window_seconds) }}
        {%- elif order == "strict" %} {{ funnel_strict(count, window_seconds) }}
        {%- else %} {{ funnel_unordered(count, window_seconds) }}
        {%- endif %}

        {%- for exclusion in exclusions %}
            {%- set before = "funnel_reached" if loop.first else "funnel_judged_" ~ loop.index0 %}

            funnel_excluded_{{ loop.index }} as (
                select unit, second from funnel_events where is_excluded_{{ loop.index }}
            ),

            funnel_met_{{ loop.index }} as (
                {{
                    with_next(
                        from_relation=before,
                        columns=funnel_columns(count),
                        key="unit",
                        after="second_" ~ exclusion[1] ~ " + 1",
                        next_relation="funnel_excluded_" ~ loop.index,
                        at="second",
                        values=[],
                    )
                }}
            ),

            funnel_judged_{{ loop.index }} as (
                select {{ funnel_columns(count) | join(", ") }}
                from funnel_met_{{ loop.index }}
                where
                    next_second is null
                    or next_second
                    >= coalesce(second_{{ exclusion[2] }}, second_1 + {{ window_seconds + 1 }})
            ),
        {%- endfor %}
        {%- set judged = (
            "funnel_judged_" ~ (exclusions | length) if exclusions else "funnel_reached"
        ) %}

        funnel_counted as (
            select
                unit,
                {% for index in range(2, count + 1) -%}
                    case when second_{{ index }} is not null then 1 else 0 end +
                {% endfor %} 1 as steps_reached,
                {%- for index in range(1, count + 1) %}
                    second_{{ index }} {%- if not loop.last %}, {%- endif %}
                {%- endfor %}
            from {{ judged }}
        ),

        funnel_keyed as (select *, 0 - steps_reached as fewest_missing from funnel_counted),

        funnel_best as (
            select
                unit,
                min(
                    {{ row_of(["fewest_missing"] + funnel_columns(count)[1:] + ["steps_reached"]) }}
                ) as attempt
            from funnel_keyed
            group by unit
        )

    select
        unit,
        attempt.steps_reached as steps_reached,
        attempt.second_1 + {{ window_seconds }} >= {{ epoch_second(as_of_at) }} as is_open,
        {%- for index in range(1, count + 1) %}
            attempt.second_{{ index }} as second_{{ index }} {%- if not loop.last %}, {%- endif %}
        {%- endfor %}
    from funnel_best
{% endmacro %}


{% macro check_funnel_steps(steps) -%}
    {%- if steps is string or steps is mapping or steps is not iterable or steps | length < 2 or steps | length > 10 -%}
        {{
            exceptions.raise_compiler_error(
                "funnel: steps is '"
                ~ steps
                ~ "'; it takes a list of two to ten [name, condition]"
            )
        }}
    {%- endif -%}
    {%- for step in steps -%}
        {%- if step is string or step is not iterable or step | length != 2 -%}
            {{
                exceptions.raise_compiler_error(
                    "funnel: steps (step "
                    ~ loop.index
                    ~ ") is '"
                    ~ step
                    ~ "'; it takes [name, condition]"
                )
            }}
        {%- endif -%}
        {%- do check_condition(
            "funnel", "steps (condition of step " ~ loop.index ~ ")", step[1]
        ) -%}
    {%- endfor -%}
{%- endmacro %}


{% macro check_funnel_exclusions(exclusions, count) -%}
    {%- if exclusions is string or exclusions is mapping or exclusions is not iterable -%}
        {{
            exceptions.raise_compiler_error(
                "funnel: exclusions is '"
                ~ exclusions
                ~ "'; it takes a list of [condition, from step, to step]"
            )
        }}
    {%- endif -%}
    {%- for exclusion in exclusions -%}
        {%- set name = "exclusions (exclusion " ~ loop.index ~ ")" -%}
        {%- if exclusion is string or exclusion is not iterable or exclusion | length != 3 -%}
            {{
                exceptions.raise_compiler_error(
                    "funnel: "
                    ~ name
                    ~ " is '"
                    ~ exclusion
                    ~ "'; it takes [condition, from step, to step]"
                )
            }}
        {%- endif -%}
        {%- do check_condition("funnel", name ~ ", its condition", exclusion[0]) -%}
        {%- do check_whole("funnel", name ~ ", its from step", exclusion[1], 1) -%}
        {%- do check_whole("funnel", name ~ ", its to step", exclusion[2], exclusion[1] + 1) -%}
        {%- if exclusion[2] > count -%}
            {{
                exceptions.raise_compiler_error(
                    "funnel: "
                    ~ name
                    ~ ", its to step is '"
                    ~ exclusion[2]
                    ~ "'; it takes a step of the funnel, "
                    ~ count
                    ~ " or less"
                )
            }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}


{#- The columns of an attempt. -#}
{% macro funnel_columns(count) -%}
    {%- set columns = ["unit"] -%}
    {%- for index in range(1, count + 1) -%}
        {%- do columns.append("second_" ~ index) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}


{#- Events that may count for two steps, of which each can take only one, make it a matching problem
    (Hall's theorem): some steps can all be taken by different events if and only if, for each set of
    them, at least as many events match one of the set as it has steps.

    funnel_sets   one row per set of steps: its bits, its size, its lowest and highest step
    funnel_mixed  units with an event that may count for two steps; all others need no matching -#}
{% macro funnel_sets(count) %}
    funnel_sets as (
        select set_bits, size, lowest, highest
        from
            (
                values
                    {%- for bits in range(1, 2**count) %}
                        {%- set in_set = [] -%}
                        {%- for index in range(count) -%}
                            {%- if (bits // 2**index) % 2 -%}
                                {%- do in_set.append(index + 1) -%}
                            {%- endif -%}
                        {%- endfor %}
                        ({{ bits }}, {{ in_set | length }}, {{ in_set[0] }}, {{ in_set[-1] }})
                        {%- if not loop.last %}, {%- endif %}
                    {%- endfor %}
            ) as step_sets(set_bits, size, lowest, highest)
    ),

    funnel_mixed as (select distinct unit from funnel_events where (steps & (steps - 1)) != 0),
{% endmacro %}


{#- How far the events of a second bring an attempt that has taken 0, 1, 2 ... steps before: columns
    to_0, to_1 ... Of one event it is the next step or none. Of several, n steps more can be taken
    unless a set of them that begins later ends in between and has too few events. -#}
{% macro funnel_single(count) -%}
    {%- for taken in range(count) %}
        case
            when (steps & {{ 2**taken }}) != 0 then {{ taken + 1 }} else {{ taken }}
        end as to_{{ taken }}
        {%- if not loop.last %}, {%- endif %}
    {%- endfor %}
{%- endmacro %}

{% macro funnel_matched(count) -%}
    {%- for taken in range(count) %}
        coalesce(
            min(highest - 1) filter (where events < size and lowest > {{ taken }}), {{ count }}
        ) as to_{{ taken }}
        {%- if not loop.last %}, {%- endif %}
    {%- endfor %}
{%- endmacro %}

{% macro funnel_to_columns(count) -%}
    {%- for taken in range(count) %}
        to_{{ taken }} {%- if not loop.last %}, {%- endif %}
    {%- endfor %}
{%- endmacro %}


{#- Ordered: from each second with step 1 to the next event of step 2, and so on. In units without
    mixed events the next step may lie in the same second, for it is another event. In mixed units a
    second's events are matched together, and the next step lies in a later second (gap). -#}
{% macro funnel_ordered(count, window_seconds) %}
    {{ funnel_sets(count) }}

    funnel_set_counts as (
        select
            events.unit,
            events.second,
            sets.set_bits,
            sets.size,
            sets.lowest,
            sets.highest,
            sum(case when (events.steps & sets.set_bits) != 0 then 1 else 0 end) as events
        from funnel_events as events
        inner join funnel_mixed as mixed on events.unit = mixed.unit
        cross join funnel_sets as sets
        where events.steps > 0
        group by events.unit, events.second, sets.set_bits, sets.size, sets.lowest, sets.highest
    ),

    funnel_moments as (
        select unit, second, 0 as gap, {{ funnel_single(count) }}
        from funnel_events
        where
            steps > 0
            and not exists (select 1 from funnel_mixed where funnel_mixed.unit = funnel_events.unit)
        union all
        select unit, second, 1 as gap, {{ funnel_matched(count) }}
        from funnel_set_counts
        group by unit, second
    ),

    funnel_reached_1 as (
        select
            unit,
            gap,
            second as second_1
            {%- for index in range(2, count + 1) %}
                , case when to_0 >= {{ index }} then second end as second_{{ index }}
            {%- endfor %}
        from funnel_moments
        where to_0 > 0
    ),

    {%- for index in range(2, count + 1) %}
        {%- set before = index - 1 %}

        -- Most events lie in no attempt's window, and need not be sorted.
        funnel_bounds_{{ index }} as (
            select
                unit,
                min(second_{{ before }}) as first_second,
                max(second_1) + {{ window_seconds }} as last_second
            from funnel_reached_{{ before }}
            where second_{{ before }} is not null
            group by unit
        ),

        funnel_step_{{ index }} as (
            select moments.unit, moments.second, moments.to_{{ before }} as taken
            from funnel_moments as moments
            inner join
                funnel_bounds_{{ index }} as bounds
                on moments.unit = bounds.unit
                and moments.second between bounds.first_second and bounds.last_second
            where moments.to_{{ before }} > {{ before }}
        ),

        funnel_next_{{ index }} as (
            {{
                with_next(
                    from_relation="funnel_reached_" ~ before,
                    columns=funnel_columns(count) + ["gap"],
                    key="unit",
                    after="second_" ~ before ~ " + gap",
                    next_relation="funnel_step_" ~ index,
                    at="second",
                    values=["taken"],
                )
            }}
        ),

        funnel_reached_{{ index }} as (
            select
                unit,
                gap,
                {%- for earlier in range(1, index) %} second_{{ earlier }}, {%- endfor %}
                {%- for later in range(index, count + 1) %}
                    case
                        when second_{{ index }} is not null
                        then second_{{ later }}
                        when
                            next_taken >= {{ later }}
                            and next_second <= second_1 + {{ window_seconds }}
                        then next_second
                    end as second_{{ later }}
                    {%- if not loop.last %}, {%- endif %}
                {%- endfor %}
            from funnel_next_{{ index }}
        ),
    {%- endfor %}

    funnel_reached as (
        select {{ funnel_columns(count) | join(", ") }} from funnel_reached_{{ count }}
    ),
{% endmacro %}


{#- Strict: from each second with step 1 to the very next second of the unit, and so on, as long as
    all events of a second were taken. The first second may have begun with other events, so an
    attempt may take fewer steps in it than it could. -#}
{% macro funnel_strict(count, window_seconds) %}
    {{ funnel_sets(count) }}

    funnel_seconds as (
        select unit, second, count(*) as size, max(steps) as steps
        from funnel_events
        group by unit, second
    ),

    funnel_set_counts as (
        select
            events.unit,
            events.second,
            seconds.size as second_size,
            sets.set_bits,
            sets.size,
            sets.lowest,
            sets.highest,
            sum(case when (events.steps & sets.set_bits) != 0 then 1 else 0 end) as events
        from funnel_events as events
        inner join
            funnel_seconds as seconds
            on events.unit = seconds.unit
            and events.second = seconds.second
            and seconds.size > 1
        cross join funnel_sets as sets
        group by
            events.unit,
            events.second,
            seconds.size,
            sets.set_bits,
            sets.size,
            sets.lowest,
            sets.highest
    ),

    funnel_unnumbered as (
        select unit, second, size as second_size, {{ funnel_single(count) }}
        from funnel_seconds
        where size = 1
        union all
        select unit, second, second_size, {{ funnel_matched(count) }}
        from funnel_set_counts
        group by unit, second, second_size
    ),

    funnel_moments as (
        select
            unit,
            second,
            second_size,
            row_number() over (partition by unit order by second) as position,
            {{ funnel_to_columns(count) }}
        from funnel_unnumbered
    ),

    funnel_starts as (
        select unit, second, position, {{ explode_integers(1, "to_0") }} as taken
        from funnel_moments
        where to_0 > 0
    ),

    funnel_taken_1 as (
        select
            unit,
            position + 1 as next_position,
            taken
            {%- for index in range(1, count + 1) %}
                , case when taken >= {{ index }} then second end as second_{{ index }}
            {%- endfor %}
        from funnel_starts
    ),

    {%- for index in range(2, count + 1) %}

        funnel_next_{{ index }} as (
            select
                attempts.*,
                moments.second as next_second,
                moments.second_size,
                case
                    attempts.taken
                    {%- for taken in range(1, count) %}
                        when {{ taken }} then moments.to_{{ taken }}
                    {%- endfor %}
                end as next_taken
            from funnel_taken_{{ index - 1 }} as attempts
            left join
                funnel_moments as moments
                on attempts.unit = moments.unit
                and attempts.next_position = moments.position
        ),

        funnel_taken_{{ index }} as (
            select
                unit,
                case
                    when next_taken - taken = second_size then next_position + 1
                end as next_position,
                coalesce(next_taken, taken) as taken
                {%- for later in range(1, count + 1) %}
                    ,
                    coalesce(
                        second_{{ later }},
                        case
                            when
                                next_taken >= {{ later }}
                                and next_second <= second_1 + {{ window_seconds }}
                            then next_second
                        end
                    ) as second_{{ later }}
                {%- endfor %}
            from funnel_next_{{ index }}
        ),
    {%- endfor %}

    funnel_reached as (
        select {{ funnel_columns(count) | join(", ") }} from funnel_taken_{{ count }}
    ),
{% endmacro %}


{#- Unordered: from each second with an event of any step. Without mixed events the steps are reached
    when their next events come. With them, k of n steps are reached once each set of m steps has
    k - n + m events: the set that has to wait longest decides. -#}
{% macro funnel_unordered(count, window_seconds) %}
    {%- set never = 2**62 -%}
    {{ funnel_sets(count) }}

    funnel_started as (
        select distinct unit, second as started from funnel_events where steps > 0 and may_start
    ),

    funnel_plain_0 as (
        select unit, started
        from funnel_started
        where not exists (select 1 from funnel_mixed where funnel_mixed.unit = funnel_started.unit)
    ),

    {%- set found = [] %}
    {%- for index in range(1, count + 1) %}
        funnel_step_{{ index }} as (
            select unit, second from funnel_events where (steps & {{ 2 ** (index - 1) }}) != 0
        ),

        funnel_next_{{ index }} as (
            {{
                with_next(
                    from_relation="funnel_plain_" ~ (index - 1),
                    columns=["unit", "started"] + found,
                    key="unit",
                    after="started",
                    next_relation="funnel_step_" ~ index,
                    at="second",
                    values=[],
                )
            }}
        ),

        funnel_plain_{{ index }} as (
            select
                unit,
                started,
                {%- for earlier in found %} {{ earlier }}, {%- endfor %}
                case
                    when next_second <= started + {{ window_seconds }}
                    then next_second
                    else {{ never }}
                end as found_{{ index }}
            from funnel_next_{{ index }}
        ),
        {%- do found.append("found_" ~ index) %}
    {%- endfor %}

    funnel_sorted as (
        select unit, {{ sorted_values(found) }} as seconds from funnel_plain_{{ count }}
    ),

    -- The event that makes a set large enough for k steps, for each k.
    funnel_set_events as (
        select
            started.unit,
            started.started,
            events.second,
            sets.size,
            row_number() over (
                partition by started.unit, started.started, sets.set_bits order by events.second
            ) as position
        from funnel_started as started
        inner join funnel_mixed as mixed on started.unit = mixed.unit
        inner join
            funnel_events as events
            on started.unit = events.unit
            and events.second between started.started and started.started + {{ window_seconds }}
        inner join funnel_sets as sets on (events.steps & sets.set_bits) != 0
    ),

    funnel_set_steps as (
        select unit, started, second, position + {{ count }} - size as step
        from funnel_set_events
        where position <= size
    ),

    funnel_mixed_steps as (
        select unit, started, step, max(second) as second, count(*) as sets
        from funnel_set_steps
        group by unit, started, step
    ),

    funnel_reached as (
        select
            unit
            {%- for index in range(1, count + 1) %}
                {%- set item = list_item("seconds", index) %},
                case when {{ item }} < {{ never }} then {{ item }} end as second_{{ index }}
            {%- endfor %}
        from funnel_sorted
        union all
        select
            unit
            {%- for index in range(1, count + 1) %}
                ,
                max(
                    case
                        when
                            step = {{ index }}
                            and sets
                            = (select count(*) from funnel_sets where size > {{ count - index }})
                        then second
                    end
                ) as second_{{ index }}
            {%- endfor %}
        from funnel_mixed_steps
        group by unit, started
    ),
{% endmacro %}
