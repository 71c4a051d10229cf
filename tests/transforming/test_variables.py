"""What a build depends on besides its data."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from orchestration.settings import REPOSITORY, Settings
from orchestration.transforming import dbt_variables, project_digest


def test_settings_that_are_rules_become_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORTHSTAR_REPORTING_TIMEZONE", "America/Lima")
    monkeypatch.setenv("NORTHSTAR_WEEK_START", "sunday")
    monkeypatch.setenv("NORTHSTAR_AS_OF", "2026-05-03")

    assert dbt_variables(Settings()) == {
        "reporting_timezone": "America/Lima",
        "week_start": "sunday",
        "as_of": "2026-05-03",
    }


def test_an_as_of_that_is_not_set_is_left_to_the_project() -> None:
    assert dbt_variables(Settings()) == {
        "reporting_timezone": "Europe/Paris",
        "week_start": "monday",
    }


def test_the_secret_is_never_a_variable() -> None:
    settings = Settings(secret="0123456789abcdef")

    assert "0123456789abcdef" not in str(dbt_variables(settings))


@pytest.mark.parametrize("change", ["content", "name", "variable"])
def test_the_digest_changes_with_files_and_variables(project: Path, change: str) -> None:
    before = project_digest({"as_of": None}, project)
    model = project / "models" / "odd.sql"
    if change == "content":
        model.write_text(model.read_text() + " ")
    elif change == "name":
        model.rename(model.with_name("even.sql"))

    after = project_digest(
        {"as_of": str(date(2026, 1, 1))} if change == "variable" else {"as_of": None}, project
    )

    assert after != before


def test_the_digest_does_not_change_with_what_dbt_writes(project: Path) -> None:
    before = project_digest({}, project)
    (project / "target").mkdir()
    (project / "target" / "manifest.json").write_text("{}")
    (project / ".user.yml").write_text("id: 1")

    assert project_digest({}, project) == before


def test_the_room_can_be_imported_without_dbt_and_dagster() -> None:
    code = "import sys, orchestration.transforming; print({'dbt', 'dagster'} & set(sys.modules))"

    told = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "set()"
