"""A dbt project of three models, since building the real one takes too long for a unit test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

from orchestration.settings import Settings

FILES = {
    "dbt_project.yml": """
        name: tiny
        profile: tiny
        version: "1.0"
        config-version: 2
        vars: {as_of: null, week_start: monday}
        models:
          tiny: {+materialized: table}
        """,
    "profiles.yml": """
        tiny:
          target: warehouse
          outputs:
            warehouse:
              type: duckdb
              path: "{{ env_var('NORTHSTAR_WAREHOUSE') }}"
              threads: 2
        """,
    "models/tiny.yml": """
        sources:
          - name: raw
            tables: [{name: numbers}]
        models:
          - name: numbers
            columns:
              - name: number
                data_tests:
                  - unique
                  - accepted_values:
                      arguments: {values: [1, 2], quote: false}
                      config: {severity: warn}
          - name: doubled
            config: {meta: {published: true}}
            columns:
              - name: number
                data_tests: [not_null]
        unit_tests:
          - name: doubling
            model: doubled
            given: [{input: ref('numbers'), rows: [{number: 3}]}]
            expect: {rows: [{number: 6}]}
        """,
    "models/numbers.sql": "select number from {{ source('raw', 'numbers') }}",
    "models/doubled.sql": "select 2 * number as number from {{ ref('numbers') }}",
    "models/odd.sql": """
        {{ config(materialized='view') }}
        select number, '{{ var("week_start") }}' as week_start
        from {{ ref('numbers') }} where number % 2 = 1
        """,
    "models/growing.sql": """
        {{ config(materialized='incremental', incremental_strategy='append') }}
        select number from {{ ref('numbers') }}
        """,
}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place for all tests: dbt parses anew when the path of the warehouse changes."""
    return tmp_path_factory.mktemp("transforming")


@pytest.fixture
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an empty data folder."""
    shutil.rmtree(place / "data", ignore_errors=True)
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(place / "data"))
    monkeypatch.setenv("NORTHSTAR_DBT_TARGET_DIR", str(place / "target"))
    return Settings()


@pytest.fixture
def project(place: Path) -> Path:
    """The project as it is above, whatever the test before did to it."""
    folder = place / "project"
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content))
    return folder


@pytest.fixture
def numbers(settings: Settings) -> Callable[..., None]:
    """Put numbers into the warehouse's raw table."""

    def put(*values: int) -> None:
        settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(settings.warehouse)) as connection:
            connection.execute("create schema if not exists raw")
            connection.execute("create or replace table raw.numbers (number integer)")
            for value in values:
                connection.execute("insert into raw.numbers values (?)", [value])

    return put
