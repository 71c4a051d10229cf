with

    segments as (
        select
            survey,
            wave,
            wave_date,
            segment,
            population,
            invited,
            delivered,
            answered,
            outcomes,
            segment != 'unknown' as is_known
        from {{ ref("agg_survey_waves") }}
    ),

    decisions as (
        select outcome_date from {{ ref("int_outcomes__decisions") }} where decision = 'counted'
    ),

    goals as (select effective_from, goal_low, goal_high from {{ ref("goals") }}),

    -- Of a segment that answered as a whole nothing is guessed; one answer alone tells nothing of
    -- how much answers differ.
    strata as (
        select
            survey,
            wave,
            wave_date,
            population,
            invited,
            delivered,
            answered,
            outcomes,
            is_known,
            cast(population as double) * outcomes / nullif(answered, 0) as estimate,
            cast(population as double) * population / nullif(answered, 0) as squared_weight,
            case
                when answered = population
                then 0e0
                when answered > 1
                then
                    cast(population as double)
                    * population
                    * (1 - cast(answered as double) / population)
                    * (cast(outcomes as double) / answered)
                    * (1 - cast(outcomes as double) / answered)
                    / (answered - 1)
            end as variance
        from segments
    ),

    totals as (
        select
            survey,
            wave,
            wave_date,
            cast(sum(population) as bigint) as population,
            cast(sum(invited) as bigint) as invited,
            case
                when count(delivered) = count(*) then cast(sum(delivered) as bigint)
            end as delivered,
            cast(sum(answered) as bigint) as answered,
            cast(sum(case when is_known then answered else 0 end) as bigint) as respondents,
            cast(sum(outcomes) as bigint) as respondents_with_outcome,
            -- One segment without an answer, and nothing is known of it.
            case when count(estimate) = count(population) then sum(estimate) end as estimate,
            case when count(variance) = count(population) then sqrt(sum(variance)) end as error,
            case
                when count(estimate) = count(population)
                then cast(sum(population) as double) * sum(population) / sum(squared_weight)
            end as effective_sample_size
        from strata
        group by survey, wave, wave_date
        having count(outcomes) > 0
    ),

    observed as (
        select totals.survey, totals.wave, count(*) as outcomes
        from totals
        inner join
            decisions
            on decisions.outcome_date < totals.wave_date
            and decisions.outcome_date >= {{ add_months_to("totals.wave_date", -12) }}
        group by totals.survey, totals.wave
    ),

    goal_starts as (
        select totals.survey, totals.wave, max(goals.effective_from) as effective_from
        from totals
        inner join goals on year(goals.effective_from) <= year(totals.wave_date)
        group by totals.survey, totals.wave
    ),

    judged as (
        select
            totals.survey,
            totals.wave,
            totals.wave_date,
            totals.population,
            totals.invited,
            totals.delivered,
            totals.answered,
            totals.respondents,
            totals.respondents_with_outcome,
            totals.estimate,
            totals.error,
            totals.effective_sample_size,
            coalesce(observed.outcomes, 0) as observed_outcomes,
            goals.goal_low,
            goals.goal_high,
            {{ break_even_rate("goals.goal_low") }} as break_even_rate,
            {{ break_even_rate("goals.goal_high") }} as break_even_rate_high
        from totals
        left join observed on totals.survey = observed.survey and totals.wave = observed.wave
        left join
            goal_starts on totals.survey = goal_starts.survey and totals.wave = goal_starts.wave
        left join goals on goal_starts.effective_from = goals.effective_from
    ),

    final as (
        select
            survey,
            wave,
            wave_date,
            {{ add_months_to("wave_date", -12) }} as outcomes_from,
            population,
            invited,
            delivered,
            answered,
            cast(answered as double) / nullif(delivered, 0) as response_rate,
            respondents,
            respondents_with_outcome,
            observed_outcomes,
            estimate as estimated_outcomes,
            case
                when error is not null then greatest(0e0, estimate - 1.959963984540054e0 * error)
            end as estimated_low,
            case
                when error is not null
                then least(cast(population as double), estimate + 1.959963984540054e0 * error)
            end as estimated_high,
            effective_sample_size,
            goal_low,
            goal_high,
            break_even_rate,
            break_even_rate_high,
            case
                when goal_low is null
                then 'No goal is in force in ' || cast(year(wave_date) as varchar) || '.'
                when respondents_with_outcome >= goal_low
                then 'The goal is met by the respondents alone.'
                when break_even_rate is null
                then 'Everybody answered, and the goal is not met.'
                when break_even_rate > 1
                then
                    'The goal cannot be met: it would still be missed if each of the '
                    || cast(population - respondents as varchar)
                    || ' who did not answer had an outcome.'
                else
                    'The goal is met if '
                    || cast({{ round_half_away("100 * break_even_rate", 1) }} as varchar)
                    || ' % of those who did not answer have an outcome.'
            end as break_even
        from judged
    )

select *
from final
