{#- Who a row belongs to (definitions, section 5). A relation with the columns user_key, device_key,
    amplitude_key and activity_date is joined to the mappings with `identity_joins`, and then
    `identity_learner` is its learner_key:

        select <identity_learner('events')> as learner_key
        from events
        <identity_joins('events')>

    Rows with a user id look nothing up: their join keys are null, which costs a hash join nothing. -#}
{% macro identity_joins(rows, by_email=true) %}
    left join
        {{ ref("int_identity__amplitude_roots") }} as {{ rows }}_roots
        on case when {{ rows }}.user_key is null then {{ rows }}.amplitude_key end
        = {{ rows }}_roots.amplitude_key
    left join
        {{ ref("int_identity__amplitude_users") }} as {{ rows }}_amplitude_users
        on case
            when {{ rows }}.user_key is null
            then coalesce({{ rows }}_roots.root_amplitude_key, {{ rows }}.amplitude_key)
        end
        = {{ rows }}_amplitude_users.root_amplitude_key
    left join
        {{ ref("int_identity__devices") }} as {{ rows }}_devices
        on case when {{ rows }}.user_key is null then {{ rows }}.device_key end
        = {{ rows }}_devices.device_key
        and {{ rows }}.activity_date >= {{ rows }}_devices.valid_from
        and {{ rows }}.activity_date <= {{ rows }}_devices.valid_to
    {%- if by_email %}
        left join
            {{ ref("int_identity__anonymous") }} as {{ rows }}_anonymous
            on case when {{ rows }}.user_key is null then {{ identity_anonymous_key(rows) }} end
            = {{ rows }}_anonymous.anonymous_key
    {%- endif %}
{%- endmacro %}


{#- The key of a person without a user id: the resolved amplitude id, else the device. -#}
{% macro identity_anonymous_key(rows) -%}
    coalesce({{ rows }}_roots.root_amplitude_key, {{ rows }}.amplitude_key, {{ rows }}.device_key)
{%- endmacro %}


{#- The user a row belongs to, null where none is known. Without the e-mail step, which builds on it. -#}
{% macro identity_user(rows) -%}
    coalesce({{ rows }}.user_key, {{ rows }}_amplitude_users.user_key, {{ rows }}_devices.user_key)
{%- endmacro %}


{#- The learner a row belongs to; null for a row without any id. -#}
{% macro identity_learner(rows) -%}
    coalesce(
        {{ rows }}.user_key,
        {{ rows }}_amplitude_users.user_key,
        {{ rows }}_devices.user_key,
        {{ rows }}_anonymous.user_key,
        {{ identity_anonymous_key(rows) }}
    )
{%- endmacro %}


{#- Whether no user is known for the row. -#}
{% macro identity_is_anonymous(rows) -%}
    ({{ identity_user(rows) }} is null and {{ rows }}_anonymous.user_key is null)
{%- endmacro %}


{#- For rows that know a person by user id or e-mail only (surveys, tickets): columns user_key and
    email_key. An address that no user is known by stays a person of its own. -#}
{% macro contact_joins(rows) %}
    left join
        {{ ref("int_identity__emails") }} as {{ rows }}_emails
        on case when {{ rows }}.user_key is null then {{ rows }}.email_key end
        = {{ rows }}_emails.email_key
{%- endmacro %}

{% macro contact_learner(rows) -%}
    coalesce({{ rows }}.user_key, {{ rows }}_emails.user_key, {{ rows }}.email_key)
{%- endmacro %}
