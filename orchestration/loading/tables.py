"""What the tables of the warehouse look like: columns and rows."""

from __future__ import annotations

import duckdb

Columns = dict[str, str]


def read_columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Columns]:
    """The columns of all tables and views, name to type in order, by (schema, table)."""
    rows = connection.execute(
        """
        select schema_name, table_name, column_name, data_type
        from duckdb_columns()
        where not internal and database_name = current_database()
        order by schema_name, table_name, column_index
        """
    ).fetchall()
    columns: dict[tuple[str, str], Columns] = {}
    for schema, table, column, kind in rows:
        columns.setdefault((schema, table), {})[column] = kind
    return columns


def count_rows(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """The rows of a table."""
    rows: int = connection.execute(f'select count(*) from "{schema}"."{table}"').fetchall()[0][0]
    return rows
