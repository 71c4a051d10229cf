{%- set before = map_value("numbers", "income_before") -%}
{%- set after = map_value("numbers", "income_after") -%}
{%- set hours_before = map_value("numbers", "hours_before") -%}
{%- set hours_after = map_value("numbers", "hours_after") -%}

with

    responses as (
        select
            response_id,
            survey,
            user_key,
            email_key,
            respondent_key,
            coalesce({{ local_date("submitted_at") }}, period, wave_date) as answered_on,
            coalesce(income_kind, 'person') as income_kind,
            upper(income_currency) as currency,
            {{ before }} as told_before,
            {{ after }} as told_after,
            case
                when {{ hours_before }} > 0 and not {{ list_has("implausible", "'hours_before'") }}
                then {{ hours_before }}
            end as hours_before,
            case
                when {{ hours_after }} > 0 and not {{ list_has("implausible", "'hours_after'") }}
                then {{ hours_after }}
            end as hours_after
        from {{ ref("stg_surveys__responses") }}
        where
            source = 'survey'
            and income_currency is not null
            and {{ before }} >= 0
            and {{ after }} >= 0
            and not {{ list_has("implausible", "'income_before'") }}
            and not {{ list_has("implausible", "'income_after'") }}
    ),

    -- Like is compared with like: full-time equivalents where the hours of every income are told,
    -- else both as they were told. Who had no income worked no hours.
    compared as (
        select
            response_id,
            survey,
            coalesce({{ contact_learner("responses") }}, responses.respondent_key) as learner_key,
            responses.answered_on,
            responses.income_kind,
            responses.currency,
            responses.told_before,
            responses.told_after,
            responses.hours_before,
            responses.hours_after,
            (responses.told_before = 0 or responses.hours_before is not null)
            and (responses.told_after = 0 or responses.hours_after is not null)
            and coalesce(responses.hours_before, responses.hours_after)
            is not null as is_full_time_equivalent
        from responses {{ contact_joins("responses") }}
    ),

    scaled as (
        select
            response_id,
            survey,
            learner_key,
            answered_on,
            income_kind,
            currency,
            is_full_time_equivalent,
            case
                when is_full_time_equivalent and told_before > 0
                then told_before * {{ var("full_time_hours") }} / hours_before
                else told_before
            end as income_before,
            case
                when is_full_time_equivalent and told_after > 0
                then told_after * {{ var("full_time_hours") }} / hours_after
                else told_after
            end as income_after
        from compared
    ),

    ranked as (
        select
            response_id,
            survey,
            learner_key,
            cast(year(answered_on) as integer) as year,
            income_kind,
            currency,
            is_full_time_equivalent,
            income_before,
            income_after,
            row_number() over (
                partition by
                    survey,
                    year(answered_on),
                    income_kind,
                    currency,
                    coalesce(learner_key, response_id)
                order by answered_on desc, response_id desc
            ) as position
        from scaled
    ),

    final as (
        select
            response_id,
            survey,
            learner_key,
            year,
            income_kind,
            currency,
            is_full_time_equivalent,
            income_before,
            income_after,
            income_after - income_before as difference,
            case
                when income_before > 0 then (income_after - income_before) / income_before
            end as percentage,
            -- Multiplied out: 21,000 after 20,000 is 5 %, whatever 0.05 is as a double.
            case
                when income_before > 0 then income_after * 100 >= income_before * 105
            end as has_increased
        from ranked
        where position = 1
    )

select *
from final
