"""Which project the warehouse was last built with: another one calls for a full refresh."""

from __future__ import annotations

import duckdb


def last_built_digest(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The digest of the project and variables of the last successful build."""
    row = connection.execute(
        "select project_digest from raw.builds order by load_number desc limit 1"
    ).fetchone()
    return row[0] if row else None


def forget_builds(connection: duckdb.DuckDBPyConnection) -> None:
    """Note that the tables are those of no project: the next build is a full refresh."""
    connection.execute("delete from raw.builds")


def record_build(
    connection: duckdb.DuckDBPyConnection, *, run_id: str, load_number: int, digest: str
) -> None:
    """Note a successful build."""
    connection.execute("insert into raw.builds values (?, ?, ?)", [run_id, load_number, digest])
