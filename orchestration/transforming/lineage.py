"""Which columns a model's columns are made from, read from its compiled SQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from orchestration.durable import write_file

Columns = Mapping[str, str]


class Source(NamedTuple):
    """A column of a table that a model reads."""

    schema: str
    table: str
    column: str


def column_lineage(
    sql: str, tables: Mapping[tuple[str, str], Columns], dialect: str = "duckdb"
) -> dict[str, list[Source]]:
    """The columns that each column of a query is made from.

    Args:
        sql: the query.
        tables: columns with their types of the tables that it reads, by (schema, table).
        dialect: sqlglot's name of the SQL.

    Raises:
        sqlglot.errors.SqlglotError: the query cannot be read.
    """
    from sqlglot import exp
    from sqlglot.lineage import lineage

    schema: dict[str, dict[str, dict[str, str]]] = {}
    for (name, table), columns in tables.items():
        schema.setdefault(name, {})[table] = dict(columns)
    # All columns at once and without trimmed copies of the query: a tenth of the time.
    nodes = lineage(None, sql, schema=schema, dialect=dialect, trim_selects=False)
    made_from: dict[str, list[Source]] = {}
    for column, node in nodes.items():
        sources = {
            Source(
                leaf.expression.db, leaf.expression.name, leaf.name.rpartition(".")[2].strip('"')
            )
            for leaf in node.walk()
            if not leaf.downstream and isinstance(leaf.expression, exp.Table)
        }
        made_from[column] = sorted(source for source in sources if source.column != "*")
    return made_from


class KeptLineage:
    """The lineage of queries that were read before, in a file.

    A model's SQL is the same from day to day, and reading all of it takes longer than building many
    of the marts.
    """

    # Old queries are forgotten when there are more.
    _MOST = 2_000

    def __init__(self, file: Path) -> None:
        """Begin with what the file holds; a missing or damaged one holds nothing."""
        self._file = file
        self._reader = version("sqlglot")
        self._read: dict[str, dict[str, list[list[str]]]] = {}
        with suppress(OSError, ValueError):
            found = json.loads(file.read_bytes())
            if isinstance(found, dict):
                self._read = found
        self._used: dict[str, dict[str, list[list[str]]]] = {}

    def of(self, sql: str, tables: Mapping[tuple[str, str], Columns]) -> dict[str, list[Source]]:
        """What `column_lineage` says of a query.

        Raises:
            sqlglot.errors.SqlglotError: the query cannot be read.
        """
        known = [[*place, columns] for place, columns in tables.items()]
        told = json.dumps([self._reader, sql, known])
        key = hashlib.sha256(told.encode()).hexdigest()
        found = self._read.get(key)
        if found is None:
            made_from = column_lineage(sql, tables)
            found = {name: [list(each) for each in made_from[name]] for name in made_from}
        self._used[key] = found
        return {name: [Source(*each) for each in sources] for name, sources in found.items()}

    def save(self) -> None:
        """Keep what was read. Only time is lost where that fails."""
        if self._used.keys() <= self._read.keys():
            return
        kept = {**self._read, **self._used} if len(self._read) < self._MOST else self._used
        with suppress(OSError):
            write_file(self._file, json.dumps(kept).encode(), 0o600)
