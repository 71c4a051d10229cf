"""Synthetic events for benchmarks: many learners who come on few days, and some who stay.

The events are the same on every machine: all chance is DuckDB's hash of a row's numbers. They lie
in the order in which they happened, not by learner.
"""

from __future__ import annotations

import duckdb

DAYS = 540
FIRST_DAY = "2024-01-01"

_EVENTS = """
create or replace table {table} as
with

    learners as (
        select
            learner,
            cast(md5(cast(learner as varchar)) as uuid) as learner_key,
            hash(learner, 'start') % {days} as start_day,
            least({days}, floor(3 / pow({days_chance}, 0.75)) + 1) as active_days
        from range({learners}) as numbers (learner)
    ),

    visits as (
        select *, unnest(range(cast(active_days as bigint))) as visit from learners
    ),

    days as (
        select
            *,
            case
                when visit = 0 then start_day
                else start_day + 1 + floor(-90 * ln({day_chance}))
            end as day,
            1 + floor(-ln({length_chance}) * {mean_length}) as day_events
        from visits
    ),

    numbered as (
        select learner, learner_key, visit, day, unnest(range(cast(day_events as bigint))) as number
        from days
        where day < {days}
    ),

    dated as (
        select
            learner_key,
            visit,
            number,
            hash(learner, visit, number, 'type') % 1000 as kind,
            timestamp '{first_day}' + to_seconds(
                cast(
                    day * 86400
                    + hash(learner, visit, 'hour') % 80000
                    + number * 20
                    + hash(learner, visit, number, 'second') % 20 as bigint
                )
            ) as event_at
        from numbered
    )

select
    cast(md5(concat(learner_key, '-', visit, '-', number)) as uuid) as event_id,
    learner_key,
    case
        when visit = 0 and number = 0 then 'signed_up'
        when kind < 5 then 'plan_started'
        when kind < 80 then 'course_started'
        when kind < 330 then 'lesson_completed'
        when kind < 500 then 'quiz_answered'
        else 'page_viewed'
    end as event_type,
    event_at
from dated
order by event_at
limit {events}
"""


def write_events(
    connection: duckdb.DuckDBPyConnection, events: int, learners: int, table: str = "events"
) -> None:
    """Create a table of `events` rows with event_id, learner_key, event_type and event_at (UTC).

    A learner signs up on one of 540 days, and most days on which they come back lie in the months
    after it. One in two learners is active on six days or less, one in a hundred on more than
    eighty. The first event of a learner is `signed_up`; of the others one in two hundred is
    `plan_started`, and the rest are `page_viewed`, `lesson_completed`, `quiz_answered` and
    `course_started`.
    """

    def chance(name: str, columns: str) -> str:
        return f"((hash({columns}, '{name}') % 1000003 + 1) / 1000004)"

    connection.execute(
        _EVENTS.format(
            table=table,
            days=DAYS,
            first_day=FIRST_DAY,
            events=events,
            learners=learners,
            days_chance=chance("days", "learner"),
            day_chance=chance("day", "learner, visit"),
            length_chance=chance("length", "learner, visit"),
            # A little more than needed, since the last events are left out.
            mean_length=events / learners / 10.3,
        )
    )
