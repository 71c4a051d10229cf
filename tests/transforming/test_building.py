"""dbt in this process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import duckdb
import pytest

from orchestration.errors import TransformError, behind
from orchestration.settings import Settings
from orchestration.transforming import Answer, BuildResult, FinishedNode, build
from orchestration.transforming.building import _raise_not_built

Numbers = Callable[..., None]


def build_all(
    settings: Settings,
    project: Path,
    *,
    full_refresh: bool = False,
    on_event: Callable[[FinishedNode], None] = lambda _: None,
    stop: threading.Event | None = None,
    with_unit_tests: bool = False,
    queries: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> BuildResult:
    return build(
        settings,
        full_refresh=full_refresh,
        variables={"week_start": "sunday"},
        on_event=on_event,
        stop=stop,
        with_unit_tests=with_unit_tests,
        queries=queries,
        project_dir=project,
    )


def rows(settings: Settings, table: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(f"from {table} order by all").fetchall()


def test_a_build_tells_of_every_node_with_columns_and_rows(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1, 2, 3)
    told: list[FinishedNode] = []

    result = build_all(settings, project, on_event=told.append)

    assert result.succeeded
    assert tuple(told) == result.nodes
    nodes = {
        node.unique_id.rpartition(".")[2]: node for node in told if "test" not in node.resource_type
    }
    assert nodes["doubled"].columns == {"number": "INTEGER"}
    assert nodes["doubled"].row_count == 3
    assert nodes["odd"].columns == {"number": "INTEGER", "week_start": "VARCHAR"}
    assert nodes["odd"].row_count is None
    tests = sorted((n.name, n.status, n.failures) for n in told if n.resource_type == "test")
    assert tests == [
        ("accepted_values_numbers_number__False__1__2", "warn", 1),
        ("not_null_doubled_number", "pass", 0),
        ("unique_numbers_number", "pass", 0),
    ]
    assert rows(settings, "odd") == [(1, "sunday"), (3, "sunday")]


def test_unit_tests_run_when_they_are_asked_for(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1)

    without = build_all(settings, project)
    with_them = build_all(settings, project, with_unit_tests=True)

    assert not [node for node in without.nodes if node.resource_type == "unit_test"]
    assert [
        (node.name, node.status) for node in with_them.nodes if node.resource_type == "unit_test"
    ] == [("doubled", "pass")]


def test_after_a_build_another_process_can_open_the_warehouse(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1)
    build_all(settings, project)

    other = subprocess.run(
        [sys.executable, "-c", f"import duckdb; duckdb.connect({str(settings.warehouse)!r})"],
        check=False,
    )

    assert other.returncode == 0


def test_a_failing_test_skips_what_comes_after_and_is_named(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1, 2)
    build_all(settings, project)
    numbers(1, 1)

    result = build_all(settings, project)

    assert not result.succeeded
    assert [node.name for node in result.bad_nodes] == ["unique_numbers_number"]
    with pytest.raises(TransformError, match=r"unique_numbers_number \(Got 1 result"):
        result.raise_for_failures()
    assert rows(settings, "doubled") == [(2,), (4,)]


def test_an_error_is_told_by_its_kind_and_its_sql_and_no_value_goes_anywhere(
    settings: Settings, project: Path, numbers: Numbers, capfd: pytest.CaptureFixture[str]
) -> None:
    """DuckDB quotes the value that is wrong, and dbt hands its words on."""
    address = "anna@example.org"
    numbers(1)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create or replace table raw.answers as select ? as answer", [address])
    (project / "models" / "odd.sql").write_text("select answer::int as x from raw.answers")
    (project / "models" / "growing.sql").write_text("select nobody from {{ ref('numbers') }}")
    (project / "tests").mkdir()
    (project / "tests" / "fitting.sql").write_text(
        "select * from raw.answers where answer::int > (select count(*) from {{ ref('doubled') }})"
    )

    result = build_all(
        settings, project, queries={"doubled": ["select answer::int from raw.answers"]}
    )

    compiled = settings.dbt_target / "compiled" / "tiny"
    assert {node.name: node.message for node in result.bad_nodes} == {
        "odd": "Conversion Error; to see more, run "
        f"{compiled / 'models' / 'odd.sql'} on a copy of the warehouse",
        "growing": 'Binder Error: Referenced column "nobody" not found in FROM clause! Candidate '
        f'bindings: "number"; to see more, run {compiled / "models" / "growing.sql"} on a copy of '
        "the warehouse",
        "fitting": "Conversion Error; to see more, run "
        f"{compiled / 'tests' / 'fitting.sql'} on a copy of the warehouse",
    }
    (answer,) = next(node.answers for node in result.nodes if node.name == "doubled")
    assert answer.error == "Conversion Error"
    with pytest.raises(TransformError, match=r"odd \(Conversion Error; to see more, run") as error:
        result.raise_for_failures()
    told = [repr(node) + repr(node.event) for node in result.nodes]
    assert address not in "".join([*told, str(error.value), *capfd.readouterr()])
    assert [
        path
        for path in settings.dbt_target.rglob("*")
        if path.is_file() and address.encode() in path.read_bytes()
    ] == []
    assert list(settings.dbt_target.rglob("*.log")) == []


def test_a_driver_that_keeps_dbt_from_building_is_told_by_its_kind(project: Path) -> None:
    said = "Conversion Error: Could not convert string 'anna@example.org' to INT32"
    handed_on = RuntimeError(said)
    handed_on.__cause__ = duckdb.ConversionException(said)

    with pytest.raises(TransformError, match=r"could not build .*: Conversion Error\.") as error:
        _raise_not_built(project, handed_on)

    assert "anna" not in "".join(str(one) for one in behind(error.value))


def test_a_full_refresh_builds_incremental_models_anew(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1)
    build_all(settings, project)
    build_all(settings, project)
    assert rows(settings, "growing") == [(1,), (1,)]

    build_all(settings, project, full_refresh=True)

    assert rows(settings, "growing") == [(1,)]


def test_a_stopped_build_starts_no_further_model(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1)
    stop = threading.Event()
    told: list[str] = []

    def stop_at_once(node: FinishedNode) -> None:
        told.append(node.name)
        stop.set()

    with pytest.raises(TransformError, match="was stopped"):
        build_all(settings, project, on_event=stop_at_once, stop=stop)
    assert told[0] == "numbers"
    assert rows(
        settings, "(select table_name from duckdb_tables() where schema_name = 'main')"
    ) == [("numbers",)]


def test_an_error_of_the_listener_ends_the_build_and_reaches_the_caller(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1)

    def fail(_: FinishedNode) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        build_all(settings, project, on_event=fail)


def test_a_project_that_does_not_parse_is_a_sentence(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1)
    (project / "models" / "doubled.sql").write_text("select * from {{ ref('nobody') }}")

    with pytest.raises(TransformError, match=r"nobody.*Correct what it names"):
        build_all(settings, project)


def test_a_query_is_answered_once_its_model_is_built_and_a_wrong_one_fails_nothing(
    settings: Settings, project: Path, numbers: Numbers
) -> None:
    numbers(1, 2)

    result = build_all(
        settings,
        project,
        queries={"doubled": ["select sum(number)::int as total from doubled", "from nowhere"]},
    )

    assert result.succeeded
    answers = {node.name: node.answers for node in result.nodes if node.answers}
    assert list(answers) == ["doubled"]
    total, wrong = answers["doubled"]
    assert total == Answer([{"total": 6}])
    assert wrong.error is not None
    assert "nowhere" in wrong.error
