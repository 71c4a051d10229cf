"""What the benchmark of a small day counts."""

from __future__ import annotations

import threading
import time

import duckdb

from benchmarks.startup import counting

# Keeps DuckDB busy for a while, on one thread.
WORK = "select count(*) from range(6_000_000) a(i) where md5(i::varchar) like 'a%'"


def think(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def test_python_is_counted_in_every_thread_and_duckdb_in_none() -> None:
    execute = duckdb.DuckDBPyConnection.execute
    with counting() as count:
        think(0.1)
        other = threading.Thread(target=think, args=(0.2,))
        other.start()
        other.join()
        with duckdb.connect(config={"threads": 1}) as connection:
            began = time.thread_time()
            connection.execute(WORK).fetchall()
            in_duckdb = time.thread_time() - began

    assert in_duckdb > 0.3
    assert 0.29 < count.python_seconds < 0.3 + in_duckdb / 2
    assert count.quiet_seconds >= 0.29
    assert duckdb.DuckDBPyConnection.execute is execute
