"""Tables are built in their place, and whatever goes wrong leaves the old ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

from orchestration.settings import DBT_PROJECT_DIR, Settings
from orchestration.transforming import BuildResult, build

FILES = {
    "dbt_project.yml": """
        name: tiny
        profile: tiny
        version: "1.0"
        config-version: 2
        models:
          tiny: {+materialized: table, +persist_docs: {relation: true, columns: true}}
        """,
    "profiles.yml": """
        tiny:
          target: warehouse
          outputs:
            warehouse: {type: duckdb, path: "{{ env_var('NORTHSTAR_WAREHOUSE') }}", threads: 2}
        """,
    "models/loose.sql": "select 'a' as letter, 1 as extra",
    "models/strict.sql": """
        {{ config(contract={'enforced': true}) }}
        select number, 'it''s' as "Odd Name" from main.given
        """,
    "models/tiny.yml": """
        models:
          - name: loose
            columns:
              - {name: letter, description: "The $letter's own; with 'quotes'."}
              - {name: gone, description: "Is no column of the table."}
          - name: strict
            description: Has a contract.
            columns:
              - name: number
                data_type: integer
                description: A number.
                constraints: [{type: not_null}, {type: check, expression: "number < 100"}]
              - {name: Odd Name, data_type: varchar, description: Quoted., quote: true}
        """,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table")


@pytest.fixture
def school(place: Path) -> tuple[Settings, Path]:
    shutil.rmtree(place / "data", ignore_errors=True)
    for name, content in FILES.items():
        path = place / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content))
    macros = place / "project" / "macros"
    macros.mkdir(exist_ok=True)
    shutil.copy(DBT_PROJECT_DIR / "macros" / "engine" / "table.sql", macros)
    settings = Settings(data_dir=place / "data", dbt_target_dir=place / "target")
    settings.warehouse.parent.mkdir(parents=True)
    return settings, place / "project"


def run(school: tuple[Settings, Path], given: str) -> BuildResult:
    """Build from the table that a query gives; no variables, for which dbt would parse anew."""
    settings, project = school
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(f"create or replace table given as {given}")
    return build(
        settings,
        full_refresh=False,
        variables={},
        on_event=lambda _: None,
        project_dir=project,
    )


def ask(school: tuple[Settings, Path], sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(school[0].warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


COMMENTS = """
    select table_name, column_name, comment from duckdb_columns()
    where comment is not null order by all
    """


def test_a_table_is_built_and_built_again(school: tuple[Settings, Path]) -> None:
    assert run(school, "select 1 as number").succeeded
    assert run(school, "select 2 as number").succeeded

    assert ask(school, "from strict") == [(2, "it's")]
    tables = ask(school, "select table_name from duckdb_tables() order by all")
    assert tables == [("given",), ("loose",), ("strict",)], "nothing of the building stays"
    assert ask(school, COMMENTS) == [
        ("loose", "letter", "The $letter's own; with 'quotes'."),
        ("strict", "Odd Name", "Quoted."),
        ("strict", "number", "A number."),
    ]
    assert ask(school, "select comment from duckdb_tables() where table_name = 'strict'") == [
        ("Has a contract.",)
    ]


def test_one_that_fails_leaves_the_old_table_as_it_was(school: tuple[Settings, Path]) -> None:
    assert run(school, "select 1 as number").succeeded
    for given, says in (
        ("select null::integer as number", "NOT NULL constraint"),
        ("select 100 as number", "CHECK constraint"),
        ("select 'x' as number", "contract"),
        ("select 1 as letter", "Binder Error"),
    ):
        failed = run(school, given)

        assert [node.name for node in failed.bad_nodes] == ["strict"]
        assert says in str(failed.bad_nodes[0].message)
        assert ask(school, "from strict") == [(1, "it's")]
        assert ("strict", "number", "A number.") in ask(school, COMMENTS)

    assert run(school, "select 3 as number").succeeded
    assert ask(school, "from strict") == [(3, "it's")]


def test_what_was_a_view_becomes_a_table(school: tuple[Settings, Path]) -> None:
    model = school[1] / "models" / "loose.sql"
    model.write_text("{{ config(materialized='view') }}" + model.read_text())
    assert run(school, "select 1 as number").succeeded
    assert ask(school, "select view_name from duckdb_views() where not internal") == [("loose",)]

    model.write_text(dedent(FILES["models/loose.sql"]))
    assert run(school, "select 1 as number").succeeded

    assert ask(school, "select view_name from duckdb_views() where not internal") == []
    assert ask(school, "select letter from loose") == [("a",)]
