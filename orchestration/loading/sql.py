"""Text into SQL, safely: names and values from files never become code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def identifier(name: str) -> str:
    """A quoted identifier: column, table or field."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A quoted string."""
    return "'" + value.replace("'", "''") + "'"


def literals(values: Iterable[str]) -> str:
    """Quoted strings for `in (...)`; no value matches an empty list."""
    return ", ".join(literal(value) for value in values) or "null"


def file_literal(path: Path) -> str:
    """A quoted path for DuckDB's readers, which take `*`, `?` and `[` for patterns otherwise."""
    return literal(re.sub(r"[*?[]", r"[\g<0>]", str(path)))
