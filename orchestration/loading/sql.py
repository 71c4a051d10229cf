"""Text into SQL, safely: names and values from files never become code."""

from __future__ import annotations

from collections.abc import Iterable


def identifier(name: str) -> str:
    """A quoted identifier: column, table or field."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A quoted string."""
    return "'" + value.replace("'", "''") + "'"


def literals(values: Iterable[str]) -> str:
    """Quoted strings for `in (...)`; no value matches an empty list."""
    return ", ".join(literal(value) for value in values) or "null"
