"""A small warehouse for tests of the dbt project: raw rows in, models built, tables out.

    school = School(tmp_path)
    school.exported_at("2024-03-31 08:00:00")
    school.insert("events", [{"event_type": "lesson", "event_at": ..., "user_key": key("a1")}])
    school.build("+fct_learner_days")
    school.query("select ... from core.fct_learner_days")

Rows need only the columns that the test is about; the rest is filled in.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb

from orchestration import transforming
from orchestration.settings import REPOSITORY, Settings

Row = Mapping[str, Any]


def key(text: str) -> UUID:
    """A readable key: `key("a1")` is 00000000-0000-0000-0000-0000000000a1."""
    return UUID(text.rjust(32, "0"))


def short(value: UUID | None) -> str | None:
    """The other way round, for comparing results."""
    return None if value is None else (value.hex.lstrip("0") or "0")


def reporting_day(moment: datetime | str, zone: str = "Europe/Paris") -> date:
    """The date of a UTC instant in the reporting zone, by Python's own zone rules."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()


class _TestSettings(Settings):
    """Settings whose dbt target is private to this process, since workers run side by side."""

    @cached_property
    def dbt_target(self) -> Path:
        return _target()


@cache
def _target() -> Path:
    return Path(tempfile.mkdtemp(prefix="northstar-dbt-"))


class School:
    """A warehouse file of its own in a test's folder."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = _TestSettings(data_dir=folder, threads=2, **settings)
        self._numbers = itertools.count(1)
        self.settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
        schema = REPOSITORY / "orchestration" / "loading" / "schema.sql"
        with self._connection() as connection:
            connection.execute(schema.read_text())

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = duckdb.connect(str(self.settings.warehouse))
        try:
            yield connection
        finally:
            connection.close()

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        """Insert rows into `raw.<table>`; columns that must not be null and are left out get
        a value: a running number, a fresh key, an empty text, false, or the row's own time.
        """
        rows = list(rows)
        with self._connection() as connection:
            columns = connection.execute(
                "select column_name, data_type, is_nullable from duckdb_columns() "
                "where schema_name = 'raw' and table_name = ? order by column_index",
                [table],
            ).fetchall()
            known = {name for name, _, _ in columns}
            for row in rows:
                if unknown := set(row) - known:
                    raise KeyError(f"raw.{table} has no column {sorted(unknown)}")
            values = [
                [
                    row[name] if name in row else self._fill(name, data_type, nullable, row)
                    for name, data_type, nullable in columns
                ]
                for row in rows
            ]
            if not values:
                return
            places = ", ".join(f"cast(? as {data_type})" for _, data_type, _ in columns)
            connection.begin()
            connection.executemany(f"insert into raw.{table} values ({places})", values)
            connection.commit()

    def _fill(self, name: str, data_type: str, nullable: bool, row: Row) -> Any:
        if nullable:
            return None
        if name == "app":
            return "1"
        if data_type == "TIMESTAMP":
            return next(value for column, value in row.items() if column.endswith("_at"))
        fill: dict[str, Callable[[], Any]] = {
            "UUID": lambda: UUID(int=next(self._numbers) + (1 << 100)),
            "BIGINT": lambda: next(self._numbers) if name.endswith("_id") else 0,
            "INTEGER": lambda: 0,
            "BOOLEAN": lambda: False,
            "VARCHAR": lambda: "",
        }
        return fill[data_type]()

    def exported_at(self, moment: str) -> None:
        """Say that a file was exported then; the newest decides what marts are judged as of."""
        self.insert("loaded_files", [{"newest_at": moment, "status": "loaded"}])

    def means(self, **meanings: str | Sequence[str]) -> None:
        """Add to the tracking plan: `means(lesson="learning", joined=["signup", "visit"])`."""
        self.insert(
            "tracking_plan",
            [
                {"event_type": event_type, "meaning": meaning}
                for event_type, given in meanings.items()
                for meaning in ([given] if isinstance(given, str) else given)
            ],
        )

    def load_events(self, rows: Iterable[Row]) -> None:
        """Insert events and mark their reporting days as touched, as loading does."""
        rows = list(rows)
        self.insert("events", rows)
        zone = self.settings.reporting_timezone
        self.touch({reporting_day(row["event_at"], zone) for row in rows})

    def touch(self, days: Iterable[date]) -> None:
        """Mark reporting days as touched since the last build."""
        self.insert("touched_days", [{"activity_date": day} for day in sorted(days)])

    def build(
        self, *select: str, full_refresh: bool = False, **variables: str | int | None
    ) -> transforming.BuildResult:
        """Build the selected models, or all, with their tests.

        Raises:
            TransformError: naming the models and tests that failed.
        """
        result = self.try_build(*select, full_refresh=full_refresh, **variables)
        result.raise_for_failures()
        return result

    def try_build(
        self, *select: str, full_refresh: bool = False, **variables: str | int | None
    ) -> transforming.BuildResult:
        """Build like `build`, for tests of what fails."""
        return transforming.build(
            self.settings,
            full_refresh=full_refresh,
            variables=transforming.dbt_variables(self.settings) | variables,
            on_event=lambda _: None,
            select=("--select", *select) if select else (),
        )

    def forget_touched_days(self) -> None:
        """What publishing does when the marts are built."""
        self.execute("delete from raw.touched_days")

    def execute(self, sql: str) -> None:
        """Run a statement in the warehouse."""
        with self._connection() as connection:
            connection.execute(sql)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._connection() as connection:
            return list(connection.execute(sql).fetchall())

    def table(self, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """All rows of a table in a fixed order, to compare two states of it."""
        return self.query(f"select {columns} from {name} order by all")
