{#- How Zendesk spells things, brought to one spelling. -#}
{#- A ticket's status: new, open, pending, hold, solved, closed or deleted. -#}
{% macro ticket_status(expression) -%}
    case
        lower(trim({{ expression }}))
        when 'on-hold'
        then 'hold'
        when 'on_hold'
        then 'hold'
        when 'on hold'
        then 'hold'
        else lower(trim({{ expression }}))
    end
{%- endmacro %}

{#- A rating: good, bad, offered or unoffered. Zendesk also says whether a comment came with it
    (`good_with_comment`), which changes nothing. -#}
{% macro satisfaction_score(expression) -%}
    case
        when lower(trim({{ expression }})) like 'good%'
        then 'good'
        when lower(trim({{ expression }})) like 'bad%'
        then 'bad'
        else lower(trim({{ expression }}))
    end
{%- endmacro %}

{#- Whether a status ends the wait for an answer. -#}
{% macro is_done(status) -%} ({{ status }} in ('solved', 'closed')) {%- endmacro %}

{#- Whether a ticket in this status stands in the backlog. -#}
{% macro is_unsolved(status) -%}
    ({{ status }} not in ('solved', 'closed', 'deleted'))
{%- endmacro %}

{#- Whether a requester had an account at an instant. A signup that no export holds is an old one:
    the account was there. -#}
{% macro had_account(requesters, instant) -%}
    coalesce(
        {{ requesters }}.has_account
        and coalesce({{ requesters }}.signed_up_at <= {{ instant }}, true),
        false
    )
{%- endmacro %}

{#- The plan by which requesters are compared; `none` without an account. Needs plan_joins. -#}
{% macro requester_plan(rows) -%}
    case when {{ rows }}.had_account then {{ plan_on(rows) }} else 'none' end
{%- endmacro %}

{#- Seconds as words: 1.5 hours. -#}
{% macro in_hours(seconds) -%}
    coalesce(
        cast(cast({{ seconds }} / 3600.0 as decimal(18, 1)) as varchar) || ' hours', 'no known time'
    )
{%- endmacro %}
