with

    learning_weekly as (
        {{
            lifecycle(
                learner_days=ref("fct_learner_days"), active_event="is_learning", period="week"
            )
        }}
    ),

    final as (
        select
            'learning_weekly' as definition,
            interval_start,
            new,
            current,
            resurrected,
            dormant,
            active,
            is_complete
        from learning_weekly
    )

select *
from final
