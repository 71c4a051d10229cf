"""Writes demo exports of an invented school, in the vendors' real formats, and what is true of it.

The only room that writes into the landing folder, and only into an empty one.
"""

from orchestration.demo.marker import (
    MARKER_NAME,
    Marker,
    foreign_files,
    is_unfinished,
    is_vacant,
    read_marker,
    remove_demo,
)
from orchestration.demo.truth import Truth
from orchestration.demo.writing import (
    DEFAULT_END,
    DEFAULT_LEARNERS,
    DEFAULT_MONTHS,
    DEFAULT_SEED,
    write_demo,
)

__all__ = [
    "DEFAULT_END",
    "DEFAULT_LEARNERS",
    "DEFAULT_MONTHS",
    "DEFAULT_SEED",
    "MARKER_NAME",
    "Marker",
    "Truth",
    "foreign_files",
    "is_unfinished",
    "is_vacant",
    "read_marker",
    "remove_demo",
    "write_demo",
]
