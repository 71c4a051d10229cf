"""The real job on demo exports: a copy of the repository whose dbt project is small.

Locks, gates and kills do not depend on how many models there are, but every model costs time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.demo import write_demo
from orchestration.settings import REPOSITORY, Settings, read_settings
from orchestration.transforming import ensure_manifest, read_manifest

SMALL_PROJECT: Mapping[str, str] = {
    "dbt_project.yml": """
        name: northstar
        profile: northstar
        version: "1.0.0"
        config-version: 2
        vars: {reporting_timezone: Europe/Paris, week_start: monday, as_of: null}
        models:
          northstar:
            intermediate: {+materialized: table, +schema: intermediate}
            marts: {+materialized: table, +schema: core, +meta: {published: true}}
        """,
    "models/intermediate/_sources.yml": """
        sources:
          - name: raw
            config: {meta: {dagster: {asset_key: [raw, loaded_files]}}}
            tables:
              - name: loaded_files
              - name: events
                config: {meta: {dagster: {asset_key: [raw, events]}}}
        """,
    "models/intermediate/int_as_of.sql": """
        select
            coalesce(
                {% if var("as_of") %} date '{{ var("as_of") }}' {% else %} null {% endif %},
                max(newest_at)::date + 1
            ) as as_of_date
        from {{ source("raw", "loaded_files") }}
        """,
    "models/marts/fct_events.sql": """
        select event_type, (select as_of_date from {{ ref("int_as_of") }}) as as_of_date,
            count(*) as events
        from {{ source("raw", "events") }}
        where duplicate_reason is null
        group by event_type
        """,
    "models/marts/dim_event_types.sql": """
        select event_type, length(event_type) as letters from {{ ref("fct_events") }}
        """,
    "models/marts/marts.yml": """
        models:
          - name: fct_events
            columns:
              - name: event_type
                data_tests: [unique, not_null]
          - name: dim_event_types
            columns:
              - name: event_type
                data_tests: [unique]
        """,
}


@dataclass(frozen=True)
class School:
    """A copy of the repository with data of its own.

    Attributes:
        repository: the copy.
        data: its data folder.
    """

    repository: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the copy's processes see: none of the settings of whoever runs the tests."""
        own = {name: value for name, value in os.environ.items() if "NORTHSTAR" not in name}
        return own | {"NORTHSTAR_DATA_DIR": str(self.data), "PYTHONUNBUFFERED": "1"}

    @property
    def published(self) -> Path:
        """The file that BI tools open."""
        return self.data / "published" / "northstar.duckdb"

    @property
    def settings(self) -> Settings:
        """The copy's settings, as this process sees them."""
        return Settings(data_dir=self.data)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start `python -m orchestration ...` with settings besides those of the copy."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestration", *arguments],
            cwd=self.repository,
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the job to its end, as `make run` does."""
        process = self.start("run", **settings)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the published file."""
        with duckdb.connect(str(self.published), read_only=True) as reader:
            return reader.execute(sql).fetchall()

    def copy_data(self, target: Path) -> School:
        """The same repository with a copy of the data, as of now."""
        shutil.copytree(self.data, target, symlinks=True)
        return School(self.repository, target)

    def change_contracts(self) -> None:
        """Something new that changes no figure."""
        with (self.repository / "data" / "sources" / "courses.csv").open("a") as file:
            file.write("one-more,One more course,en\n")

    def add(self, name: str, content: str) -> None:
        """Write a file into the dbt project."""
        path = self.repository / "dbt_project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content))


def copy_repository(target: Path, *, with_project: bool) -> Path:
    """Copy what a run needs; the copy's own folder is its repository."""
    ignore = shutil.ignore_patterns("__pycache__", "target", "logs")
    for name in ("orchestration", "data/sources", *(["dbt_project"] if with_project else [])):
        shutil.copytree(REPOSITORY / name, target / name, ignore=ignore)
    for name in ("dagster.yaml", "pyproject.toml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, target / name)
    return target


def small_school(folder: Path) -> School:
    """A school with the small project and demo exports that no run has read yet."""
    repository = copy_repository(folder / "repository", with_project=False)
    school = School(repository, folder / "data")
    school.add("profiles.yml", (REPOSITORY / "dbt_project" / "profiles.yml").read_text())
    for name, content in SMALL_PROJECT.items():
        school.add(name, content)
    for macro in ("macros/generate_schema_name.sql",):
        school.add(macro, (REPOSITORY / "dbt_project" / macro).read_text())
    write_demo(school.settings.landing, learners=40, months=2)
    return school


@pytest.fixture(scope="session")
def published_school(tmp_path_factory: pytest.TempPathFactory) -> School:
    """A small school after one run. Tests take copies of it."""
    school = small_school(tmp_path_factory.mktemp("school"))
    done = school.run()
    assert done.returncode == 0, done.stderr
    return school


@pytest.fixture
def school(published_school: School, tmp_path: Path) -> School:
    """A small school of the test's own that has published once."""
    repository = tmp_path / "repository"
    shutil.copytree(published_school.repository, repository)
    shutil.copytree(published_school.data, tmp_path / "data", symlinks=True)
    return School(repository, tmp_path / "data")


def keep_only(repository: Path, kept: Iterable[str]) -> None:
    """Take away the models that these are not made from, and the tests: both cost time."""
    manifest = read_manifest(ensure_manifest(read_settings()))
    wanted = {f"model.northstar.{name}" for name in kept}
    waiting = list(wanted)
    while waiting:
        for parent in manifest["parent_map"].get(waiting.pop(), ()):
            if parent not in wanted:
                wanted.add(parent)
                waiting.append(parent)
    project = repository / "dbt_project"
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] == "model" and unique_id not in wanted:
            model = project / node["original_file_path"]
            model.unlink(missing_ok=True)
            model.with_suffix(".yml").unlink(missing_ok=True)
    (project / "models" / "marts" / "exposures.yml").unlink()
    for described in project.rglob("*.yml"):
        told = yaml.safe_load(described.read_text())
        described.write_text(yaml.safe_dump(_without_tests(told), sort_keys=False))
    for folder in (project / "tests").iterdir():
        if folder.name != "generic":
            shutil.rmtree(folder)


def _without_tests(told: Any) -> Any:
    if isinstance(told, dict):
        tests = ("data_tests", "unit_tests")
        return {name: _without_tests(one) for name, one in told.items() if name not in tests}
    return [_without_tests(one) for one in told] if isinstance(told, list) else told
