"""Times the weekly retention mart against plain queries: `make bench ONLY=retention`.

The mart's macro is compiled by dbt and run on two inputs: the learner days that the mart reads,
and the events themselves. Against each stands the shortest plain query that gives the same numbers.
Both are run in turn, so that a noisy machine is noisy for both; the ratio of a turn is what counts,
and beside it stands that of processor time, which other work disturbs less. The numbers are
compared before anything is timed. Everything happens in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.report import Figure, at_most, figure_of_turns
from benchmarks.synthetic import write_events
from tests.dbt_project.harness import School

ZONE = "Europe/Paris"
AS_OF = "2025-07-01"

_LEARNER_DAYS = f"""
create table learner_days as
select
    learner_key,
    cast(timezone('{ZONE}', timezone('UTC', event_at)) as date) as activity_date,
    event_type,
    count(*) as events,
    bool_or(event_type in ('lesson_completed', 'quiz_answered')) as is_learning
from events
group by all
"""

# By input: the macro's arguments, and the plain query.
_INPUTS = {
    "learner days": (
        "learner_days='learner_days', start_event='is_learning'",
        """
        with
            weeks as (
                select distinct
                    learner_key, cast(date_trunc('week', activity_date) as date) as week
                from learner_days
                where is_learning
            ),
            firsts as (select learner_key, min(week) as cohort from weeks group by learner_key)
        select cohort, date_diff('week', cohort, week) as interval_index, count(*) as retained
        from weeks
        join firsts using (learner_key)
        group by all
        """,
    ),
    "events": (
        "relation='events', start_event=\"event_type in ('lesson_completed', 'quiz_answered')\"",
        f"""
        with
            weeks as (
                select distinct
                    learner_key,
                    cast(
                        date_trunc('week', timezone('{ZONE}', timezone('UTC', event_at))) as date
                    ) as week
                from events
                where event_type in ('lesson_completed', 'quiz_answered')
            ),
            firsts as (select learner_key, min(week) as cohort from weeks group by learner_key)
        select cohort, date_diff('week', cohort, week) as interval_index, count(*) as retained
        from weeks
        join firsts using (learner_key)
        group by all
        """,
    ),
}

_DIFFERENT = """
select count(*)
from mart
full join plain using (cohort, interval_index)
where mart.retained is distinct from coalesce(plain.retained, 0)
"""


def compile_mart(folder: Path, arguments: str) -> str:
    """The SQL of weekly retention over an input."""
    call = f"{{{{ retention({arguments}, period='week', as_of='{AS_OF}') }}}}"
    with contextlib.redirect_stdout(io.StringIO()):  # dbt prints what it compiles
        return School(folder).compile_all([call], reporting_timezone=ZONE)[0]


def time_query(connection: duckdb.DuckDBPyConnection, table: str, sql: str) -> tuple[float, float]:
    """Seconds to build a table: elapsed, and of processor time."""
    start, processor_start = time.perf_counter(), time.process_time()
    connection.execute(f"create or replace table {table} as {sql}")
    return time.perf_counter() - start, time.process_time() - processor_start


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Print a line a turn; returns the ratio of each input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--learners", type=int, default=0, help="default: one for 50 events")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--inputs", nargs="+", choices=list(_INPUTS), default=list(_INPUTS))
    options = parser.parse_args(arguments)
    learners = options.learners or max(options.events // 50, 1)
    with tempfile.TemporaryDirectory(prefix="northstar-benchmark-") as name:
        folder = Path(name)
        marts = {each: compile_mart(folder / each, _INPUTS[each][0]) for each in options.inputs}
        with duckdb.connect(str(folder / "events.duckdb")) as connection:
            connection.execute(f"set threads = {options.threads}")
            write_events(connection, options.events, learners)
            connection.execute(_LEARNER_DAYS)
            counts = [
                connection.execute(f"select count(*) from {table}").fetchall()[0][0]
                for table in ("events", "learner_days")
            ]
            size = f"{counts[0]:,} events, {counts[1]:,} learner days"
            return [
                compare(connection, each, size, mart, _INPUTS[each][1], options.turns)
                for each, mart in marts.items()
            ]


def compare(
    connection: duckdb.DuckDBPyConnection, name: str, size: str, mart: str, plain: str, turns: int
) -> Figure:
    """Check that both give the same numbers, then time them in turn."""
    time_query(connection, "mart", mart)
    time_query(connection, "plain", plain)
    ((different,),) = connection.execute(_DIFFERENT).fetchall()
    if different:
        raise AssertionError(f"from {name}, {different} cells differ")
    elapsed, processor = [], []
    for _ in range(turns):
        plain_seconds = time_query(connection, "plain", plain)
        mart_seconds = time_query(connection, "mart", mart)
        elapsed.append(mart_seconds[0] / plain_seconds[0])
        processor.append(mart_seconds[1] / plain_seconds[1])
        print(
            f"from {name}: plain {plain_seconds[0]:.2f} s, mart {mart_seconds[0]:.2f} s, "
            f"ratio {elapsed[-1]:.2f}, of processor time {processor[-1]:.2f}",
            flush=True,
        )
    return figure_of_turns(
        "retention",
        f"weekly retention from {name}, against the shortest plain query",
        size,
        elapsed,
        at_most(1.2),
        note=f"of processor time {min(processor):.2f} to {max(processor):.2f}",
    )
