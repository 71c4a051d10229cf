{%- set groups = ["premium", "free", "no_account"] -%}
{%- set curves = groups + ["others"] -%}
with

    tickets as (
        select
            created_at,
            created_date,
            plan_at_creation,
            first_reply_seconds,
            status,
            solved_at,
            new_seconds
        from {{ ref("fct_tickets") }}
        where not is_deleted
    ),

    as_of as (select as_of_at from {{ ref("int_as_of") }}),

    -- Whether a solved ticket without history was answered, nobody knows. One that was solved
    -- without an answer waits no longer.
    waits as (
        select
            {{ start_of_period("tickets.created_date", "month") }} as month,
            case
                tickets.plan_at_creation
                when 'none'
                then 'no_account'
                when 'free'
                then 'free'
                else 'premium'
            end as requesters,
            coalesce(
                tickets.first_reply_seconds,
                {{
                    seconds_between(
                        "tickets.created_at",
                        "case when "
                        ~ is_done("tickets.status")
                        ~ " then coalesce(tickets.solved_at, as_of.as_of_at) else as_of.as_of_at end",
                    )
                }}
            ) as seconds,
            case when tickets.first_reply_seconds is null then 0 else 1 end as answered
        from tickets
        cross join as_of
        where tickets.new_seconds is not null or tickets.first_reply_seconds is not null
    ),

    -- Kaplan-Meier, by month and for all months (null): the share that still waits after each
    -- reply. Who is censored at the moment of a reply was still waiting at it.
    drawn as (
        select month, requesters as curve, seconds, answered
        from waits
        union all
        select month, 'others' as curve, seconds, answered
        from waits
        where requesters != 'premium'
        union all
        select cast(null as date) as month, requesters as curve, seconds, answered
        from waits
        union all
        select cast(null as date) as month, 'others' as curve, seconds, answered
        from waits
        where requesters != 'premium'
    ),

    steps as (
        select
            month,
            curve,
            seconds,
            sum(answered) as answered,
            sum(count(*)) over (
                partition by month, curve
                order by seconds desc
                rows between unbounded preceding and current row
            ) as waiting
        from drawn
        group by month, curve, seconds
    ),

    still_waiting as (
        select
            month,
            curve,
            seconds,
            waiting,
            answered,
            sum(
                case when answered < waiting then ln(1 - cast(answered as double) / waiting) end
            ) over so_far as log_share,
            max(case when answered = waiting then 1 else 0 end) over so_far as is_over
        from steps
        window
            so_far as (
                partition by month, curve
                order by seconds
                rows between unbounded preceding and current row
            )
    ),

    -- A share that is one half but for the last digit of a logarithm is one half.
    medians as (
        select
            month,
            curve,
            cast(max(waiting) as bigint) as tickets,
            cast(sum(answered) as bigint) as answered,
            min(
                case
                    when is_over = 1 or {{ round_half_away("exp(log_share)", 10) }} <= 0.5
                    then seconds
                end
            ) as median_seconds
        from still_waiting
        group by month, curve
    ),

    -- Log-rank: at each reply, how many of each group would have been answered if the next one to
    -- be answered were drawn among all who wait.
    replies as (
        select
            month,
            seconds,
            {%- for group in groups %}
                sum(
                    case when requesters = '{{ group }}' then answered else 0 end
                ) as {{ group }}_answered,
                sum(count(*) filter (where requesters = '{{ group }}')) over waiting_on
                as {{ group }}_waiting,
            {%- endfor %}
            sum(answered) as answered,
            sum(count(*)) over waiting_on as waiting
        from waits
        group by month, seconds
        window
            waiting_on as (
                partition by month
                order by seconds desc
                rows between unbounded preceding and current row
            )
    ),

    -- What chance alone spreads the answered of a reply by, before the groups' shares.
    spreads as (
        select
            *,
            case
                when waiting > 1
                then cast(answered as double) * (waiting - answered) / (waiting - 1)
                else 0
            end as spread
        from replies
        where answered > 0
    ),

    terms as (
        select
            month,
            {%- for group in groups[:2] %}
                {{ group }}_answered
                - cast(answered as double) * {{ group }}_waiting / waiting as {{ group }}_excess,
            {%- endfor %}
            {%- for group in groups %}
                spread
                * {{ group }}_waiting
                / waiting
                * (waiting - {{ group }}_waiting)
                / waiting as {{ group }}_variance,
            {%- endfor %}
            - spread * premium_waiting / waiting * free_waiting / waiting as covariance
        from spreads
    ),

    -- All months together are compared month by month too, so that busy months do not count as slow
    -- service to whoever wrote in them.
    scoped as (
        select
            month,
            premium_excess,
            free_excess,
            premium_variance,
            free_variance,
            no_account_variance,
            covariance
        from terms
        union all
        select
            cast(null as date) as month,
            premium_excess,
            free_excess,
            premium_variance,
            free_variance,
            no_account_variance,
            covariance
        from terms
    ),

    sums as (
        select
            month,
            sum(premium_excess) as premium_excess,
            sum(free_excess) as free_excess,
            sum(premium_variance) as premium_variance,
            sum(free_variance) as free_variance,
            sum(no_account_variance) as no_account_variance,
            sum(covariance) as covariance
        from scoped
        group by month
    ),

    -- A group that nobody was answered beside cannot be compared.
    compared as (
        select
            month,
            premium_excess,
            free_excess,
            premium_variance,
            free_variance,
            covariance,
            {%- for group in groups %}
                case when {{ group }}_variance > 0.000000001 then 1 else 0 end
                {{- " +" if not loop.last }}
            {%- endfor %}
            - 1 as degrees_of_freedom
        from sums
    ),

    tested as (
        select
            month,
            premium_excess,
            case when degrees_of_freedom > 0 then degrees_of_freedom end as degrees_of_freedom,
            case
                when degrees_of_freedom = 2
                then
                    (
                        premium_excess * premium_excess * free_variance
                        - 2 * premium_excess * free_excess * covariance
                        + free_excess * free_excess * premium_variance
                    )
                    / (premium_variance * free_variance - covariance * covariance)
                when degrees_of_freedom = 1 and premium_variance > 0.000000001
                then premium_excess * premium_excess / premium_variance
                when degrees_of_freedom = 1
                then free_excess * free_excess / free_variance
            end as chi_square,
            case
                when premium_variance > 0.000000001
                then premium_excess * premium_excess / premium_variance
            end as premium_chi_square
        from compared
    ),

    figures as (
        select
            medians.month,
            {%- for curve in curves %}
                coalesce(
                    max(case when medians.curve = '{{ curve }}' then medians.tickets end), 0
                ) as {{ curve }}_tickets,
                coalesce(
                    max(case when medians.curve = '{{ curve }}' then medians.answered end), 0
                ) as {{ curve }}_answered,
                max(
                    case when medians.curve = '{{ curve }}' then medians.median_seconds end
                ) as {{ curve }}_median_seconds
                {{- "," if not loop.last }}
            {%- endfor %}
        from medians
        group by medians.month
    ),

    rounded as (
        select
            figures.month,
            {%- for curve in curves %}
                figures.{{ curve }}_tickets,
                figures.{{ curve }}_answered,
                figures.{{ curve }}_median_seconds,
            {%- endfor %}
            cast(tested.degrees_of_freedom as bigint) as degrees_of_freedom,
            {{ round_half_away("tested.chi_square", 6) }} as chi_square,
            {{
                round_half_away(
                    chi_square_p_value("tested.chi_square", "tested.degrees_of_freedom"), 9
                )
            }} as p_value,
            tested.premium_excess,
            {{ round_half_away("tested.premium_chi_square", 6) }} as premium_chi_square,
            {{ round_half_away(chi_square_p_value("tested.premium_chi_square", 1), 9) }}
            as premium_p_value
        from figures
        left join tested on figures.month is not distinct from tested.month
    ),

    judged as (
        select
            month,
            {%- for curve in curves %}
                {{ curve }}_tickets, {{ curve }}_answered, {{ curve }}_median_seconds,
            {%- endfor %}
            degrees_of_freedom,
            chi_square,
            p_value,
            premium_chi_square,
            premium_p_value,
            case
                when
                    premium_tickets < {{ var("min_at_risk") }}
                    or others_tickets < {{ var("min_at_risk") }}
                    or premium_p_value is null
                then 'too_few'
                when premium_p_value >= 0.05
                then 'not_shown'
                when premium_excess > 0
                then 'kept'
                else 'broken'
            end as promise
        from rounded
    ),

    final as (
        select
            month,
            {%- for group in groups %}
                {{ group }}_tickets, {{ group }}_answered, {{ group }}_median_seconds,
            {%- endfor %}
            others_median_seconds,
            degrees_of_freedom,
            chi_square,
            p_value,
            premium_chi_square,
            premium_p_value,
            promise,
            case
                promise
                when 'too_few'
                then 'Too few tickets to tell'
                when 'kept'
                then 'Kept: paying customers are answered first'
                when 'broken'
                then 'Broken: others are answered before paying customers'
                else 'Not shown: chance alone would make such a difference'
            end
            || '; half are answered within '
            || {{ in_hours("premium_median_seconds") }}
            || ', of the others within '
            || {{ in_hours("others_median_seconds") }}
            || '.' as verdict
        from judged
    )

select *
from final
