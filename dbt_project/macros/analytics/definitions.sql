{#- The definitions of the charts of coming back, by name: arguments of their macros. A new chart is a
    new entry here. -#}
{% macro retention_definitions() -%}
    {{
        return(
            {
                "learning_weekly": {"start_event": "is_learning", "period": "week"},
                "learning_weekly_on_or_after": {
                    "start_event": "is_learning",
                    "period": "week",
                    "mode": "on_or_after",
                },
                "learning_monthly": {"start_event": "is_learning", "period": "month"},
            }
        )
    }}
{%- endmacro %}
