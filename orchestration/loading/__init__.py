"""Loads the landing folder into the raw tables, exactly once, and accounts for every row."""

from orchestration.loading.load import LoadReport, load_landing
from orchestration.loading.warehouse import (
    as_of,
    connect,
    mark_days_built,
    stamp_run,
    stamped_run,
)

__all__ = [
    "LoadReport",
    "as_of",
    "connect",
    "load_landing",
    "mark_days_built",
    "stamp_run",
    "stamped_run",
]
