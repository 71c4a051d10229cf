"""What is told about the tables of the warehouse."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.loading.tables import count_rows, read_columns


def test_tables_and_views_are_told_with_their_columns_in_order(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.courses (title varchar, course_id integer)")
        connection.execute("insert into raw.courses values ('Algebra', 1), ('Logic', 2)")
        connection.execute("create view titles as select title from raw.courses")

        assert read_columns(connection) == {
            ("main", "titles"): {"title": "VARCHAR"},
            ("raw", "courses"): {"title": "VARCHAR", "course_id": "INTEGER"},
        }
        assert count_rows(connection, "raw", "courses") == 2
