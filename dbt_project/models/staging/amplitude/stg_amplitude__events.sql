with

    final as (
        select
            event_id,
            file_id,
            line_number,
            app,
            event_type,
            event_at,
            server_uploaded_at,
            user_key,
            device_key,
            amplitude_key,
            email_key,
            session_id,
            platform,
            country,
            course_id,
            plan,
            spoken_language,
            channel,
            outcome_type,
            outcome_date,
            outcome_date_text,
            credited,
            would_not_have_happened,
            quantity,
            gender,
            disability,
            region,
            prior_education,
            properties,
            is_excluded
        from {{ source("raw", "events") }}
        where duplicate_reason is null
    )

select *
from final
