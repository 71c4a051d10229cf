with

    signups as (
        select signup_date, coalesce(signup_language, 'unknown') as language
        from {{ ref("int_signups") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    counts as (
        select signup_date, language, count(*) as signups
        from signups
        group by signup_date, language
    ),

    languages as (select distinct language from counts),

    -- At least the last twelve months, so that a chart of them has no gap on the left.
    bounds as (
        select
            least(
                min(counts.signup_date), {{ add_months_to("max(as_of.as_of_date)", -12) }}
            ) as first_day,
            {{ add_days("max(as_of.as_of_date)", -1) }} as last_day
        from as_of
        left join counts on true
    ),

    days as (select {{ explode_dates("first_day", "last_day") }} as date from bounds),

    final as (
        select
            days.date,
            languages.language,
            coalesce(counts.signups, 0) as signups,
            days.date >= {{ add_days("as_of.as_of_date", -30) }} as is_last_30_days,
            days.date >= {{ add_months_to("as_of.as_of_date", -12) }} as is_last_12_months
        from days
        cross join languages
        cross join as_of
        left join counts on days.date = counts.signup_date and languages.language = counts.language
    )

select *
from final
