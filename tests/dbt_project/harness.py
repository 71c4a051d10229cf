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
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner

from orchestration.settings import DBT_PROJECT_DIR, REPOSITORY, Settings
from orchestration.transforming.quickening import quickened

Row = Mapping[str, Any]
_BETWEEN = "\n-- next query\n"


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


@dataclass(frozen=True)
class Node:
    """What became of one model or test."""

    name: str
    resource_type: str
    status: str
    message: str | None

    @property
    def is_bad(self) -> bool:
        """Whether it failed; what was skipped for that is not bad itself."""
        return self.status not in ("success", "pass", "warn", "skipped", "no-op")


@dataclass(frozen=True)
class Build:
    """A finished dbt build."""

    nodes: Sequence[Node]

    @property
    def bad_nodes(self) -> list[Node]:
        """Models and tests that failed."""
        return [node for node in self.nodes if node.is_bad]


@cache
def parsed_project() -> tuple[Any, Path]:
    """The parsed project and a target folder. Parsing takes most of a small build's time, and
    dbt's own cache is lost when the warehouse moves, so it is done once in a process.
    """
    target = Path(tempfile.mkdtemp(prefix="northstar-dbt-"))
    os.environ.setdefault("NORTHSTAR_WAREHOUSE", str(target / "warehouse.duckdb"))
    with quickened(heard=()):
        result = dbtRunner().invoke(["parse", *_arguments(target)])
    if not result.success:
        raise AssertionError(f"dbt cannot parse the project: {result.exception}")
    return result.result, target


def _arguments(target: Path) -> list[str]:
    return [
        "--quiet",
        "--no-version-check",
        "--log-level-file=none",
        f"--project-dir={DBT_PROJECT_DIR}",
        f"--profiles-dir={DBT_PROJECT_DIR}",
        f"--target-path={target}",
        f"--log-path={target}",
    ]


def _without_failures(build: Build) -> Build:
    bad = "\n".join(f"{node.name}: {node.message}" for node in build.bad_nodes)
    assert not bad, f"dbt failed\n{bad}"
    return build


class School:
    """A warehouse file of its own in a test's folder."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder, threads=2, **settings)
        self._numbers = itertools.count(1)
        self.settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
        schema = REPOSITORY / "orchestration" / "loading" / "schema.sql"
        with self.connection() as connection:
            connection.execute(schema.read_text())

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the warehouse."""
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
        with self.connection() as connection:
            columns = connection.execute(
                "select column_name, data_type, is_nullable from duckdb_columns() "
                "where schema_name = 'raw' and table_name = ? order by column_index",
                [table],
            ).fetchall()
            known = {name for name, _, _ in columns}
            for row in rows:
                if unknown := set(row) - known:
                    raise KeyError(f"raw.{table} has no column {sorted(unknown)}")
            # One statement for all: planning one for each row takes longer than all else.
            values = [
                {
                    name: row[name] if name in row else self._fill(name, data_type, nullable, row)
                    for name, data_type, nullable in columns
                }
                for row in rows
            ]
            structure = json.dumps([{name: data_type for name, data_type, _ in columns}])
            connection.execute(
                f"insert into raw.{table} "
                "select row.* from (select unnest(from_json($1, $2)) as row)",
                [json.dumps(values, default=str), structure],
            )

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
        self,
        *select: str,
        full_refresh: bool = False,
        indirect_selection: str = "cautious",
        resource_types: Sequence[str] = (),
        **variables: str | int | None,
    ) -> Build:
        """Build the selected models, or all, with their tests.

        Of a selection only tests run whose models are all selected: one that compares with a
        model which is not built has nothing to compare with.

        Raises:
            AssertionError: naming the models and tests that failed.
        """
        build = self._build(select, full_refresh, indirect_selection, resource_types, variables)
        return _without_failures(build)

    def build_models(
        self, *select: str, full_refresh: bool = False, **variables: str | int | None
    ) -> Build:
        """Build the selected models without their tests, which is quicker."""
        build = self._build(select, full_refresh, "cautious", ("model",), variables)
        return _without_failures(build)

    def try_build(
        self,
        *select: str,
        full_refresh: bool = False,
        indirect_selection: str = "cautious",
        resource_types: Sequence[str] = (),
        **variables: str | int | None,
    ) -> Build:
        """Build like `build`, for tests of what fails."""
        return self._build(select, full_refresh, indirect_selection, resource_types, variables)

    def _build(
        self,
        select: Sequence[str],
        full_refresh: bool,
        indirect_selection: str,
        resource_types: Sequence[str],
        variables: Mapping[str, str | int | None],
    ) -> Build:
        arguments = ["build"]
        if select:
            arguments += ["--select", *select, "--indirect-selection", indirect_selection]
        for resource_type in resource_types:
            arguments += ["--resource-type", resource_type]
        if full_refresh:
            arguments.append("--full-refresh")
        result = self._invoke(arguments, variables)
        return Build(
            [
                Node(item.node.name, str(item.node.resource_type), str(item.status), item.message)
                for item in result.results
            ]
        )

    def run_sql(self, sql: str, **variables: str | int | None) -> list[tuple[Any, ...]]:
        """The rows of a query with Jinja in it, such as a call of a macro.

        Raises:
            AssertionError: with dbt's message, if it does not compile.
        """
        return self.run_all([sql], **variables)[0]

    def run_all(
        self, queries: Sequence[str], **variables: str | int | None
    ) -> list[list[tuple[Any, ...]]]:
        """The rows of each of several queries with Jinja in them, compiled in one go."""
        return [self.query(sql) for sql in self.compile_all(queries, **variables)]

    def compile_all(self, queries: Sequence[str], **variables: str | int | None) -> list[str]:
        """The SQL of each of several queries with Jinja in them, compiled in one go.

        Raises:
            AssertionError: with dbt's message, if one of them does not compile.
        """
        result = self._invoke(["compile", "--inline", _BETWEEN.join(queries)], variables)
        compiled: list[str] = result.results[0].node.compiled_code.split(_BETWEEN)
        return compiled

    def _invoke(self, arguments: Sequence[str], variables: Mapping[str, str | int | None]) -> Any:
        manifest, target = parsed_project()
        given = {
            "reporting_timezone": self.settings.reporting_timezone,
            "week_start": self.settings.week_start,
            **variables,
        }
        os.environ["NORTHSTAR_WAREHOUSE"] = str(self.settings.warehouse)
        try:
            with quickened(heard=()):
                result = dbtRunner(manifest=manifest).invoke(
                    [
                        *(*arguments, "--no-write-json", f"--vars={json.dumps(given)}"),
                        *_arguments(target),
                    ]
                )
        finally:
            reset_adapters()  # type: ignore[no-untyped-call]
            # dbt-duckdb keeps the file, and with it the lock, open for reuse.
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if result.exception is not None:
            raise AssertionError(f"dbt stopped: {result.exception}")
        return result.result

    def forget_touched_days(self) -> None:
        """What publishing does when the marts are built."""
        self.execute("delete from raw.touched_days")

    def execute(self, sql: str) -> None:
        """Run a statement in the warehouse."""
        with self.connection() as connection:
            connection.execute(sql)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.connection() as connection:
            return list(connection.execute(sql).fetchall())

    def table(self, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """All rows of a table in a fixed order, to compare two states of it."""
        return self.query(f"select {columns} from {name} order by all")
