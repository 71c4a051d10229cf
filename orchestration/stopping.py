"""A person who stops a run is told apart from errors, wherever the signal arrives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# DuckDB's driver asks Python during a query whether a signal has come. It keeps nothing of what the
# signal's handler raised (`KeyboardInterrupt`, or Dagster's own), and raises this in its place.
_SAID_BY_DUCKDB = "Query interrupted"


@contextmanager
def stops_recognised() -> Iterator[None]:
    """Let a stop during a query through as what it is.

    Raises:
        KeyboardInterrupt: in the place of the driver's error, which would count as a failure: with
            a trace on the screen, and with an alert.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) == _SAID_BY_DUCKDB:
            raise KeyboardInterrupt from None
        raise
