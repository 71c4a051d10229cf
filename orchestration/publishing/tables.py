"""What publishing needs to know of tables: names, column types, comments, checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
from duckdb.sqltypes import DuckDBPyType

from orchestration.errors import PublishingError
from orchestration.publishing.publications import PublishedTable

# What the storage format can hold, drivers from 1.0 on can read, and BI tools can show.
_SCALARS = frozenset(
    {
        "boolean",
        *("tinyint", "smallint", "integer", "bigint"),
        *("utinyint", "usmallint", "uinteger", "ubigint"),
        *("float", "double", "decimal"),
        *("varchar", "uuid"),
        *("date", "time", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
        "timestamp with time zone",
    }
)
_NESTED = frozenset({"list", "array", "struct", "map"})
_REMEDIES = {
    "hugeint": "Cast sums to bigint or to a decimal.",
    "uhugeint": "Cast sums to bigint or to a decimal.",
    "bignum": "Cast to bigint or to a decimal.",
    "null": "Give the column a type, such as null::varchar.",
}


@dataclass(frozen=True, order=True)
class Relation:
    """A table or view by schema and name."""

    schema: str
    table: str

    @classmethod
    def parse(cls, text: str) -> Relation:
        """Read `schema.table`.

        Raises:
            PublishingError: naming the text.
        """
        schema, _, table = text.partition(".")
        if not schema or not table or "." in table or "/" in text or "\0" in text:
            raise PublishingError(f"{text!r} is not the name of a relation: write schema.table.")
        return cls(schema, table)

    def sql(self, catalog: str) -> str:
        """The quoted name in a catalog."""
        return ".".join(identifier(part) for part in (catalog, self.schema, self.table))

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Column:
    """A column with DuckDB's type of it."""

    name: str
    type: DuckDBPyType


def identifier(name: str) -> str:
    """A name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text, quoted for SQL, where a parameter cannot stand."""
    return "'" + text.replace("'", "''") + "'"


def read_columns(
    connection: duckdb.DuckDBPyConnection, catalog: str, relation: Relation
) -> list[Column]:
    """The columns of a table or view in their order; none when there is no such relation."""
    try:
        described = connection.execute(f"from {relation.sql(catalog)} limit 0").description or []
    except duckdb.CatalogException:
        return []
    return [Column(str(column[0]), column[1]) for column in described]


def refuse_unreadable_types(relation: Relation, columns: Sequence[Column]) -> None:
    """Stop before a column is written that some readers could not open.

    Raises:
        PublishingError: naming the column, its type and what to cast it to.
    """
    for column in columns:
        for wrong in _unreadable(column.type):
            remedy = _REMEDIES.get(wrong.id, "Cast it to varchar or to numbers and dates.")
            raise PublishingError(
                f"{relation}.{column.name} has the type {column.type}, and not every BI driver "
                f"reads {wrong}. {remedy} The old publication stays."
            )


def read_comments(
    connection: duckdb.DuckDBPyConnection, catalog: str
) -> dict[Relation, list[tuple[str | None, str]]]:
    """All comments of a catalog: column name (None for the relation itself) and text.

    Read at once, since DuckDB goes through its whole catalog for every question of this kind.
    """
    rows = connection.execute(
        """
        select schema_name, table_name, null, comment from duckdb_tables()
        where database_name = $catalog and comment is not null
        union all
        select schema_name, view_name, null, comment from duckdb_views()
        where database_name = $catalog and comment is not null
        union all
        select schema_name, table_name, column_name, comment from duckdb_columns()
        where database_name = $catalog and comment is not null
        """,
        {"catalog": catalog},
    ).fetchall()
    comments: dict[Relation, list[tuple[str | None, str]]] = {}
    for schema, table, column, comment in rows:
        comments.setdefault(Relation(schema, table), []).append((column, comment))
    return comments


def write_comments(
    connection: duckdb.DuckDBPyConnection,
    catalog: str,
    relation: Relation,
    comments: Iterable[tuple[str | None, str]],
) -> None:
    """Comment a table and its columns."""
    table = relation.sql(catalog)
    for column, comment in comments:
        of = f"table {table}" if column is None else f"column {table}.{identifier(column)}"
        connection.execute(f"comment on {of} is {literal(comment)}")


def summarise(
    connection: duckdb.DuckDBPyConnection,
    catalog: str,
    relation: Relation,
    columns: Sequence[Column],
) -> PublishedTable:
    """Count and hash all rows of a table; reads every value.

    The checksum does not depend on the order of rows, but on how often each occurs (a sum, since
    with `bit_xor` two equal rows would cancel each other out). It tells two states of a table
    apart; it is no seal against forgery, and another DuckDB version may hash differently.
    """
    hashed = ", ".join(identifier(column.name) for column in columns)
    rows, total = connection.execute(
        f"select count(*), coalesce(sum(hash({hashed})), 0)::varchar from {relation.sql(catalog)}"
    ).fetchall()[0]
    described = ", ".join(f"{column.name} {column.type}" for column in columns)
    checksum = hashlib.sha256(f"{described}\n{rows}\n{total}".encode()).hexdigest()
    return PublishedTable(relation=str(relation), rows=rows, checksum=checksum)


def _unreadable(kind: DuckDBPyType) -> Iterator[DuckDBPyType]:
    """The types inside a type, itself included, that readers may not know."""
    if kind.id in _NESTED:
        for _, child in kind.children:
            if isinstance(child, DuckDBPyType):  # an array's other child is its length
                yield from _unreadable(child)
    # JSON is a varchar by its id, but needs an extension that not every driver has at hand.
    elif kind.id not in _SCALARS or str(kind) == "JSON":
        yield kind
