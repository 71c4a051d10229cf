"""Times a funnel of four steps against a scan that sorts the events: `make bench ONLY=funnel`.

Both are run in turn on the same synthetic events, so that a noisy machine is noisy for both; the
ratio of a turn is what counts. The scan numbers each learner's events in order of time, which is
the cheapest way to have them all sorted by learner and time. The events are made in a temporary
folder; 50 million of them need about 4 GB of disk there, and some minutes.
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

SCAN = """
select sum(position)
from (
    select row_number() over (partition by learner_key order by event_at) as position from events
)
"""
STEPS = ["signed_up", "course_started", "lesson_completed", "plan_started"]
COMMON_STEPS = ["page_viewed", "lesson_completed", "quiz_answered", "course_started"]


def compiled_funnel(folder: Path, order: str, steps: list[str]) -> str:
    """The SQL that the macro makes of a funnel, in a window of 30 days."""
    named = [[step, f"event_type = '{step}'"] for step in steps]
    call = (
        f"{{{{ funnel(relation='events', steps={named}, window_seconds={30 * 86_400}, "
        f"order='{order}', as_of_at=\"timestamp '2026-01-01'\") }}}}"
    )
    with contextlib.redirect_stdout(io.StringIO()):  # dbt prints what it compiles
        (sql,) = School(folder).compile_all([call])
    return sql


def seconds(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    """How long a query takes."""
    start = time.perf_counter()
    connection.execute(sql).fetchall()
    return time.perf_counter() - start


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Print a line a turn; returns the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--learners", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--order", default="ordered", choices=["ordered", "strict", "unordered"])
    parser.add_argument(
        "--common", action="store_true", help="a funnel of the four most common events"
    )
    parser.add_argument("--memory", default="6GB")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="northstar-benchmark-") as name:
        folder = Path(name)
        sql = compiled_funnel(
            folder / "project", options.order, COMMON_STEPS if options.common else STEPS
        )
        connection = duckdb.connect(
            str(folder / "events.duckdb"), config={"memory_limit": options.memory}
        )
        write_events(connection, options.events, options.learners)
        ratios = []
        for _ in range(options.turns):
            scan, funnel = seconds(connection, SCAN), seconds(connection, sql)
            ratios.append(funnel / scan)
            print(f"sorting scan {scan:.2f} s, funnel {funnel:.2f} s, ratio {ratios[-1]:.2f}")
    return [
        figure_of_turns(
            "funnel",
            f"{options.order} funnel of four steps, against a scan that sorts the events",
            f"{options.events:,} events",
            ratios,
            at_most(2),
        )
    ]
