"""Rows that could not be read: file, line, keyed hash of the line and reason. Never the line."""

from __future__ import annotations

import duckdb

UNREADABLE = "unreadable_rows"


def create_unreadable(connection: duckdb.DuckDBPyConnection) -> None:
    """(Re)create the temporary table in which a reader collects what it could not read.

    Columns: file_id, line_number, line (its text, for the hash), reason.
    """
    connection.execute(
        f"create or replace temp table {UNREADABLE} "
        "(file_id bigint, line_number bigint, line varchar, reason varchar)"
    )


def quarantine(connection: duckdb.DuckDBPyConnection) -> None:
    """Write what was collected to `raw.quarantined_rows`, and forget the lines."""
    connection.execute(
        f"""
        insert into raw.quarantined_rows (file_id, line_number, line_hash, reason)
        select file_id, line_number, keyed_uuid('line:' || line), reason from {UNREADABLE}
        """
    )
    connection.execute(f"drop table {UNREADABLE}")
