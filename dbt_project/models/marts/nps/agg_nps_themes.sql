with

    comments as (
        select
            {{ add_months_to("month", "0 - (month(month) - 1) % 3") }} as quarter,
            coalesce(learner_key, response_id) as person_key,
            score,
            themes
        from {{ ref("int_nps__answers") }}
        where comment is not null and rejected_reason is null and themes is not null
    ),

    totals as (select quarter, count(*) as comments from comments group by quarter),

    mentions as (
        select quarter, person_key, score, {{ explode_list("themes") }} as theme
        from comments

        union all

        select quarter, person_key, score, 'none' as theme
        from comments
        where {{ list_size("themes") }} = 0
    ),

    sums as (
        select
            quarter,
            theme,
            count(*) as mentions,
            count(distinct person_key) as people,
            count(case when score >= 9 then 1 end) as promoters,
            count(case when score between 7 and 8 then 1 end) as passives,
            count(case when score <= 6 then 1 end) as detractors
        from mentions
        group by quarter, theme
    ),

    judged as (
        select
            sums.quarter,
            sums.theme,
            totals.comments,
            sums.mentions,
            sums.promoters,
            sums.passives,
            sums.detractors,
            sums.people < {{ var("suppress_below") }}
            or totals.comments - sums.mentions
            between 1 and {{ var("suppress_below") }} - 1 as is_suppressed
        from sums
        inner join totals on sums.quarter = totals.quarter
    ),

    shown as (
        select
            quarter,
            theme,
            is_suppressed,
            case when comments >= {{ var("suppress_below") }} then comments end as comments,
            case when not is_suppressed then mentions end as mentions,
            case when not is_suppressed then promoters end as promoters,
            case when not is_suppressed then passives end as passives,
            case when not is_suppressed then detractors end as detractors
        from judged
    ),

    final as (
        select
            quarter,
            theme,
            comments,
            mentions,
            cast(mentions as double) / comments as share,
            promoters,
            passives,
            detractors,
            {{ nps_score("promoters", "detractors", "mentions") }} as nps,
            {{ nps_interval("promoters", "detractors", "mentions", "low") }} as nps_low,
            {{ nps_interval("promoters", "detractors", "mentions", "high") }} as nps_high,
            coalesce(mentions < {{ var("small_group") }}, true) as is_small_group,
            is_suppressed
        from shown
    )

select *
from final
