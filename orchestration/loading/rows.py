"""Small sets of Python rows into DuckDB in one statement; a statement a row would take minutes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb


def stage(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    """(Re)create a temporary table with these columns (name to DuckDB type) and rows."""
    structure = json.dumps([dict(columns)])
    content = json.dumps(list(rows), default=str)
    connection.execute(
        f"create or replace temp table {table} as "
        "select row.* from (select unnest(from_json($1, $2)) as row)",
        [content, structure],
    )
