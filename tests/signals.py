"""Signals at a chosen moment, in the process of the test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

_SECONDS = 0.2


@contextmanager
def raised_by_a_signal(error: type[BaseException]) -> Iterator[None]:
    """Have a signal's handler raise an error in a block, soon after `ask_for_long` has begun."""

    def stop(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, stop)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ask_for_long(connection: duckdb.DuckDBPyConnection) -> None:
    """A query of many seconds, in which the signal comes."""
    connection.execute("set threads = 1")  # looks at signals between its pieces of work
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    connection.execute("select max(hash(range)) from range(3_000_000_000)")
