with

    survey_responses as (
        select
            response_id,
            survey,
            submitted_at,
            invited_at,
            period,
            user_key,
            email_key,
            respondent_key,
            course_id,
            plan,
            language,
            method,
            nps_score,
            is_delivered,
            comment,
            themes
        from {{ ref("stg_surveys__responses") }}
    ),

    in_app_responses as (
        select
            response_id,
            survey,
            created_at,
            user_key,
            email_key,
            respondent_key,
            course_id,
            plan,
            language,
            method,
            nps_score,
            is_dismissed,
            is_pending,
            is_delivered,
            comment,
            themes
        from {{ ref("stg_satismeter__responses") }}
    ),

    -- A file in which nobody answered the question does not ask it: most surveys do not.
    asking_surveys as (select distinct survey from survey_responses where nps_score is not null),

    responses as (
        select
            survey_responses.response_id,
            survey_responses.survey,
            -- Whoever has not answered stands in the month of the invitation.
            coalesce(
                survey_responses.submitted_at,
                survey_responses.invited_at,
                {{ start_of_day("survey_responses.period") }}
            ) as responded_at,
            coalesce(
                survey_responses.invited_at,
                survey_responses.submitted_at,
                {{ start_of_day("survey_responses.period") }}
            ) as asked_at,
            survey_responses.submitted_at is null
            and survey_responses.invited_at is null as is_dated_by_period,
            survey_responses.user_key,
            survey_responses.email_key,
            survey_responses.respondent_key,
            survey_responses.course_id,
            survey_responses.plan,
            survey_responses.language,
            survey_responses.method,
            trim(survey_responses.nps_score) as answer,
            false as is_dismissed,
            false as is_pending,
            survey_responses.is_delivered,
            survey_responses.comment,
            survey_responses.themes
        from survey_responses
        inner join asking_surveys on survey_responses.survey = asking_surveys.survey

        union all

        select
            response_id,
            coalesce(survey, 'unknown') as survey,
            created_at as responded_at,
            created_at as asked_at,
            false as is_dated_by_period,
            user_key,
            email_key,
            respondent_key,
            course_id,
            plan,
            language,
            method,
            trim(nps_score) as answer,
            is_dismissed,
            is_pending,
            is_delivered,
            comment,
            themes
        from in_app_responses
    ),

    resolved as (
        select
            responses.response_id,
            coalesce({{ contact_learner("responses") }}, responses.respondent_key) as learner_key,
            coalesce(responses.user_key, responses_emails.user_key) is not null as has_account,
            responses.survey,
            responses.responded_at,
            {{ local_date("responses.responded_at") }} as responded_on,
            {{ local_date("responses.asked_at") }} as asked_on,
            responses.is_dated_by_period,
            responses.course_id,
            responses.plan,
            responses.language,
            responses.method,
            responses.is_delivered,
            responses.comment,
            responses.themes,
            responses.answer,
            case
                when responses.is_dismissed
                then 'dismissed'
                when responses.is_pending
                then 'pending'
                when coalesce(responses.answer, '') = ''
                then 'empty'
                when not {{ matches("responses.answer", "-?[0-9]+([.]0+)?") }}
                then 'not_a_whole_number'
                when try_cast(responses.answer as double) between 0 and 10
                then null
                else 'out_of_range'
            end as rejected_reason
        from responses {{ contact_joins("responses") }}
    ),

    -- The plan that came with the answer, else that of the account on the day.
    final as (
        select
            resolved.response_id,
            resolved.learner_key,
            resolved.survey,
            resolved.responded_at,
            resolved.responded_on,
            {{ start_of_period("resolved.responded_on", "month") }} as month,
            resolved.asked_on,
            resolved.is_dated_by_period,
            coalesce(
                resolved.plan, case when resolved.has_account then {{ plan_on("resolved") }} end
            ) as plan,
            resolved.course_id,
            resolved.language,
            resolved.method,
            resolved.is_delivered,
            resolved.comment,
            resolved.themes,
            resolved.rejected_reason,
            case
                when resolved.rejected_reason is null
                then cast(try_cast(resolved.answer as double) as integer)
            end as score
        from resolved {{ plan_joins("resolved", day="responded_on") }}
    )

select *
from final
