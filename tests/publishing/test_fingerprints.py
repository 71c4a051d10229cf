"""A change that can change a figure changes the fingerprint; what tools write does not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orchestration.publishing import contracts_digest, dbt_digest, settings_digest
from orchestration.settings import Settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "dbt_project.yml": "name: x",
        "profiles.yml": "x:",
        "models/marts/core/dim_learners.sql": "select 1",
        "models/marts/core/dim_learners.yml": "models:",
        "macros/engine/dates.sql": "{% macro x() %}",
        "seeds/goals.csv": "year,goal",
        "tests/one.sql": "select 1",
        "target/manifest.json": "{}",
        "logs/dbt.log": "",
        ".user.yml": "id: 1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "dbt_project.yml",
        "models/marts/core/dim_learners.sql",
        "models/marts/core/dim_learners.yml",
        "macros/engine/dates.sql",
        "seeds/goals.csv",
        "tests/one.sql",
    ],
)
def test_a_changed_file_of_the_dbt_project_counts(project: Path, name: str) -> None:
    before = dbt_digest(project)
    (project / name).write_text("something else")
    assert dbt_digest(project) != before


def test_a_new_a_renamed_and_a_removed_model_count(project: Path) -> None:
    seen = {dbt_digest(project)}
    model = project / "models" / "marts" / "core" / "dim_learners.sql"
    model.rename(model.with_name("dim_people.sql"))
    seen.add(dbt_digest(project))
    (model.with_name("empty.sql")).write_text("")
    seen.add(dbt_digest(project))
    (model.with_name("dim_people.sql")).unlink()
    seen.add(dbt_digest(project))
    assert len(seen) == 4


def test_what_dbt_writes_does_not_count(project: Path) -> None:
    before = dbt_digest(project)
    for name in ("target/manifest.json", "logs/dbt.log", ".user.yml"):
        (project / name).write_text("written again")
    (project / "target" / "compiled").mkdir()
    (project / "target" / "compiled" / "x.sql").write_text("select 1")
    assert dbt_digest(project) == before


def test_moving_text_between_files_counts(tmp_path: Path) -> None:
    for name, first, second in (("one", "a", "b"), ("two", "ab", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.sql").write_text(first)
        (tmp_path / name / "2.sql").write_text(second)
    assert dbt_digest(tmp_path / "one") != dbt_digest(tmp_path / "two")


def test_the_digest_does_not_depend_on_where_the_project_lies(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "models").mkdir(parents=True)
        (tmp_path / name / "models" / "m.sql").write_text("select 1")
    assert dbt_digest(tmp_path / "one") == dbt_digest(tmp_path / "two")


def test_contracts_count_wherever_they_lie_and_prose_does_not(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "plan.yml").write_text("kind: tracking_plan")
    (tmp_path / "courses.csv").write_text("course_id,title,language")
    before = contracts_digest(tmp_path)
    (tmp_path / "README.md").write_text("how to")
    assert contracts_digest(tmp_path) == before
    (tmp_path / "examples" / "plan.yml").write_text("kind: survey_mapping")
    changed = contracts_digest(tmp_path)
    (tmp_path / "courses.csv").write_text("course_id,title,language\n1,a,fr")
    assert len({before, changed, contracts_digest(tmp_path)}) == 3


def test_no_folder_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert contracts_digest(tmp_path / "nowhere") == contracts_digest(tmp_path / "empty")


def test_settings_that_change_figures_count_and_others_do_not() -> None:
    digest = settings_digest(Settings())
    assert settings_digest(Settings(threads=1, memory_limit="1GB", keep_publications=9)) == digest
    assert settings_digest(Settings(as_of=date(2026, 1, 1))) == digest
    # Where these two refused, there is no publication that could be "nothing new".
    assert settings_digest(Settings(max_quarantined_share=1, allow_missing_files=True)) == digest
    changed = {
        settings_digest(Settings(week_start="sunday")),
        settings_digest(Settings(reporting_timezone="UTC")),
        settings_digest(Settings(max_inflated_mb=1)),
        settings_digest(Settings(max_inflation_ratio=1)),
    }
    assert len(changed - {digest}) == 4
