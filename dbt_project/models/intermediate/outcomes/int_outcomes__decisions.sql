{%- set opens_outcome = add_days("{last}", 30) ~ " < {next}" -%}
{%- set counts_again = add_months_to("{last}", 12) ~ " <= {next}" -%}

with

    reports as (
        select
            report_id,
            learner_key,
            source,
            reported_on,
            outcome_type,
            outcome_date,
            credited,
            would_not_have_happened
        from {{ ref("int_outcomes__reports") }}
    ),

    as_of as (select as_of_date from {{ ref("int_as_of") }}),

    -- Small numbers instead of words: every window below sorts these rows. Credit is the
    -- learner's own word; a contract says nothing about it.
    judged as (
        select
            reports.report_id,
            reports.learner_key,
            reports.outcome_date,
            reports.reported_on,
            cast({{ outcome_family_order("reports.outcome_type") }} as smallint) as family_order,
            cast({{ outcome_type_bit("reports.outcome_type") }} as smallint) as types,
            cast({{ evidence_order("reports.source") }} as smallint) as evidence_order,
            {{ own_word("reports.credited", "reports.source") }} as is_yes,
            {{ own_word("reports.would_not_have_happened", "reports.source") }} as is_without_yes,
            case
                when {{ outcome_family_order("reports.outcome_type") }} is null
                then 'unknown_type'
                when reports.outcome_date is null
                then 'no_outcome_date'
                when reports.learner_key is null
                then 'no_learner'
                when reports.outcome_date > as_of.as_of_date
                then 'not_yet'
            end as invalid_reason
        from reports
        cross join as_of
    ),

    -- Collapse. A report that is more than 30 days from its neighbours is an outcome by itself,
    -- and so are most; only the others are walked. (Folding the dates of all learners took
    -- twice as long.)
    neighbours as (
        select
            report_id,
            learner_key,
            outcome_date,
            reported_on,
            family_order,
            types,
            evidence_order,
            is_yes,
            is_without_yes,
            coalesce(outcome_date <= {{ add_days("lag(outcome_date) over by_date", 30) }}, false)
            or coalesce(
                lead(outcome_date) over by_date <= {{ add_days("outcome_date", 30) }}, false
            ) as is_crowded
        from judged
        where invalid_reason is null
        window by_date as (partition by learner_key, family_order order by outcome_date)
    ),

    walked_reports as (
        select
            learner_key,
            family_order,
            {{ greedy_dates("outcome_date", opens_outcome) }} as first_dates
        from neighbours
        where is_crowded
        group by learner_key, family_order
    ),

    grouped as (
        select
            neighbours.report_id,
            neighbours.learner_key,
            neighbours.outcome_date,
            neighbours.reported_on,
            neighbours.family_order,
            neighbours.types,
            neighbours.evidence_order,
            neighbours.is_yes,
            neighbours.is_without_yes,
            {{ list_last_not_after("walked_reports.first_dates", "neighbours.outcome_date") }}
            as first_date
        from neighbours
        inner join
            walked_reports
            on neighbours.learner_key = walked_reports.learner_key
            and neighbours.family_order = walked_reports.family_order
        where neighbours.is_crowded
    ),

    groups as (
        select
            learner_key,
            family_order,
            first_date,
            min({{ row_of(["evidence_order", "outcome_date", "report_id"]) }}) as carrier,
            count(*) as reports,
            bit_or(types) as types,
            max(case when is_yes then reported_on end) as yes_on,
            max(case when not is_yes then reported_on end) as no_on,
            max(case when is_without_yes then reported_on end) as without_yes_on,
            max(case when not is_without_yes then reported_on end) as without_no_on
        from grouped
        group by learner_key, family_order, first_date
    ),

    collapsed as (
        select
            report_id as outcome_id,
            learner_key,
            outcome_date,
            family_order,
            evidence_order,
            cast(1 as bigint) as reports,
            types,
            is_yes,
            is_without_yes,
            false as credit_conflict
        from neighbours
        where not is_crowded

        union all

        select
            carrier.report_id as outcome_id,
            learner_key,
            carrier.outcome_date as outcome_date,
            family_order,
            carrier.evidence_order as evidence_order,
            reports,
            types,
            {{ deciding_answer("yes_on", "no_on") }} as is_yes,
            {{ deciding_answer("without_yes_on", "without_no_on") }} as is_without_yes,
            yes_on is not null and no_on is not null as credit_conflict
        from groups
    ),

    -- An internal move that could have happened anyway falls away, and the outcome with it when
    -- it has no other type.
    outcomes as (
        select
            outcome_id,
            learner_key,
            outcome_date,
            family_order,
            evidence_order,
            reports,
            is_yes,
            credit_conflict,
            case
                when is_without_yes
                then types
                else types & ~{{ outcome_type_bit_of("internal_mobility") }}
            end as types,
            coalesce(is_yes, false)
            and (
                coalesce(is_without_yes, false)
                or types != {{ outcome_type_bit_of("internal_mobility") }}
            ) as is_credited
        from collapsed
    ),

    -- The 12-month rule, in the same way: an outcome that is 12 months from its neighbours is
    -- counted and blocks none; the others are walked.
    credited as (
        select
            outcome_id,
            learner_key,
            outcome_date,
            family_order,
            evidence_order,
            reports,
            types,
            credit_conflict,
            coalesce(
                outcome_date < {{ add_months_to("lag(outcome_date) over by_date", 12) }}, false
            )
            or coalesce(
                lead(outcome_date) over by_date < {{ add_months_to("outcome_date", 12) }}, false
            ) as is_contested
        from outcomes
        where is_credited
        window by_date as (partition by learner_key order by outcome_date)
    ),

    walked_outcomes as (
        select learner_key, {{ greedy_dates("outcome_date", counts_again) }} as counted_dates
        from credited
        where is_contested
        group by learner_key
    ),

    contested as (
        select
            credited.outcome_id,
            credited.learner_key,
            credited.outcome_date,
            credited.family_order,
            credited.evidence_order,
            credited.reports,
            credited.types,
            credited.credit_conflict,
            {{ list_last_not_after("walked_outcomes.counted_dates", "credited.outcome_date") }}
            as counted_date
        from credited
        inner join walked_outcomes on credited.learner_key = walked_outcomes.learner_key
        where credited.is_contested
    ),

    -- Of several outcomes on a counted date the first is counted; it blocks the rest of the 12
    -- months.
    decided as (
        select
            outcome_id,
            learner_key,
            outcome_date,
            family_order,
            evidence_order,
            reports,
            types,
            credit_conflict,
            row_number() over in_order as position,
            first_value(outcome_id) over in_order as counted_outcome_id
        from contested
        window
            in_order as (
                partition by learner_key, counted_date
                order by outcome_date, evidence_order, family_order, outcome_id
            )
    ),

    decisions as (
        select
            report_id,
            learner_key,
            'invalid' as decision,
            invalid_reason,
            null as outcome_id,
            null as blocked_by_outcome_id,
            null as outcome_date,
            null as family_order,
            null as evidence_order,
            null as reports,
            null as types,
            null as is_yes,
            null as credit_conflict
        from judged
        where invalid_reason is not null

        union all

        select
            grouped.report_id,
            grouped.learner_key,
            'duplicate_report' as decision,
            null as invalid_reason,
            groups.carrier.report_id as outcome_id,
            null as blocked_by_outcome_id,
            null as outcome_date,
            null as family_order,
            null as evidence_order,
            null as reports,
            null as types,
            null as is_yes,
            null as credit_conflict
        from grouped
        inner join
            groups
            on grouped.learner_key = groups.learner_key
            and grouped.family_order = groups.family_order
            and grouped.first_date = groups.first_date
        where grouped.report_id != groups.carrier.report_id

        union all

        select
            outcome_id as report_id,
            learner_key,
            'not_credited' as decision,
            null as invalid_reason,
            outcome_id,
            null as blocked_by_outcome_id,
            outcome_date,
            family_order,
            evidence_order,
            reports,
            types,
            is_yes,
            credit_conflict
        from outcomes
        where not is_credited

        union all

        select
            outcome_id as report_id,
            learner_key,
            'counted' as decision,
            null as invalid_reason,
            outcome_id,
            null as blocked_by_outcome_id,
            outcome_date,
            family_order,
            evidence_order,
            reports,
            types,
            true as is_yes,
            credit_conflict
        from credited
        where not is_contested

        union all

        select
            outcome_id as report_id,
            learner_key,
            case when position = 1 then 'counted' else 'within_12_months' end as decision,
            null as invalid_reason,
            outcome_id,
            case when position > 1 then counted_outcome_id end as blocked_by_outcome_id,
            outcome_date,
            family_order,
            evidence_order,
            reports,
            types,
            true as is_yes,
            credit_conflict
        from decided
    ),

    final as (
        select
            report_id,
            learner_key,
            decision,
            invalid_reason,
            outcome_id,
            blocked_by_outcome_id,
            outcome_date,
            {{ outcome_family("family_order") }} as family,
            {{ evidence_of("evidence_order") }} as evidence,
            reports,
            types,
            case when is_yes then 'yes' when not is_yes then 'no' end as deciding_answer,
            credit_conflict
        from decisions
    )

select *
from final
