with

    responses as (
        select
            response_id,
            survey,
            cast(
                year(coalesce({{ local_date("submitted_at") }}, period, wave_date)) as integer
            ) as year,
            numbers,
            implausible
        from {{ ref("stg_surveys__responses") }}
    ),

    named as (
        select
            response_id,
            survey,
            year,
            numbers,
            implausible,
            {{ explode_list(map_keys_of("numbers")) }} as answer
        from responses
    ),

    flagged as (
        select response_id, survey, year, numbers, {{ explode_list("implausible") }} as answer
        from responses
    ),

    final as (
        select
            response_id,
            survey,
            year,
            answer,
            {{ map_value_of("numbers", "answer") }} as number,
            not {{ list_has("implausible", "answer") }} as is_plausible
        from named

        union all

        select
            response_id, survey, year, answer, cast(null as double) as number, false as is_plausible
        from flagged
        where {{ map_value_of("numbers", "answer") }} is null
    )

select *
from final
