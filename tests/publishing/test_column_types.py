"""Which column types may be published: those that every driver since 1.0 and BI tools can read."""

from __future__ import annotations

import duckdb
import pytest

from orchestration.errors import PublishingError
from orchestration.publishing.tables import Relation, read_columns, refuse_unreadable_types

TABLE = Relation("main", "marts")


def _judge(kind: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create table marts as select 1 as fine, null::{kind} as judged")
        refuse_unreadable_types(TABLE, read_columns(connection, "memory", TABLE))


@pytest.mark.parametrize(
    "kind",
    [
        "hugeint",
        "uhugeint",
        "bignum",
        "variant",
        "json",
        "blob",
        "bit",
        "interval",
        "time_ns",
        "timetz",
        "enum('a', 'b')",
        "union(a integer, b varchar)",
        '"null"',
        "hugeint[]",
        "hugeint[3]",
        "struct(a struct(b hugeint))",
        "map(varchar, hugeint[])",
    ],
)
def test_refused_types(kind: str) -> None:
    with pytest.raises(PublishingError, match=r"main\.marts\.judged has the type"):
        _judge(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "boolean",
        "utinyint",
        "bigint",
        "double",
        "decimal(38, 6)",
        "varchar",
        "uuid",
        "date",
        "timestamp",
        "timestamptz",
        "varchar[]",
        "integer[3]",
        "struct(a bigint, b varchar[])",
        "map(varchar, decimal(9, 2))",
    ],
)
def test_types_that_are_published(kind: str) -> None:
    _judge(kind)
