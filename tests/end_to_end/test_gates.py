"""What keeps the real job from publishing, and that readers keep the old file then."""

from __future__ import annotations

import hashlib
import re

import dagster as dg
import pytest

from tests.alerting.servers import web_server
from tests.end_to_end.conftest import School


def digest(school: School) -> str:
    return hashlib.sha256(school.published.read_bytes()).hexdigest()


def alerts(school: School) -> list[str]:
    return (school.data / "alerts" / "alerts.log").read_text().splitlines()


def last_run(school: School, monkeypatch: pytest.MonkeyPatch) -> tuple[dg.DagsterRun, set[str]]:
    """The newest run, and the steps that it began."""
    monkeypatch.setenv("DAGSTER_HOME", str(school.settings.dagster_home))
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs(limit=1)
        steps = {
            entry.dagster_event.step_key or ""
            for entry in instance.all_logs(run.run_id)
            if entry.dagster_event is not None
            and entry.dagster_event.event_type_value == "STEP_START"
        }
    return run, steps


def test_a_failing_dbt_test_stops_publishing(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(school)
    school.add("tests/nothing_is_ever_right.sql", "select * from {{ ref('dim_event_types') }}")

    failed = school.run()

    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert re.search(r"dbt did not finish: nothing_is_ever_right \(Got \d+ results", failed.stderr)
    assert "✗ nothing_is_ever_right of core.dim_event_types" in failed.stdout
    assert digest(school) == before
    assert school.query("select count(*) > 5 from core.fct_events") == [(True,)]
    run, steps = last_run(school, monkeypatch)
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert "dbt_models" in steps
    assert "published__northstar" not in steps


def test_a_model_that_fails_on_a_value_tells_the_value_to_nobody(school: School) -> None:
    """DuckDB quotes it, and dbt and Dagster hand on what DuckDB says."""
    school.add(
        "models/marts/broken.sql",
        "select ('anna@' || event_type)::int as x from {{ ref('fct_events') }}",
    )

    failed = school.run()

    assert failed.returncode == 1
    assert "dbt did not finish: broken (Conversion Error; to see more, run " in failed.stderr
    assert "dbt_project/target/compiled/northstar/models/marts/broken.sql on a" in failed.stderr
    values = [f"anna@{row[0]}" for row in school.query("select event_type from core.fct_events")]
    kept = {
        path.name: path.read_bytes()
        for folder in (school.data, school.repository / "dbt_project")
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert [
        name for name, content in kept.items() if any(value.encode() in content for value in values)
    ] == []
    # What was searched is where Dagster keeps what was told.
    assert any(b"Conversion Error" in content for content in kept.values())
    assert not any(value in failed.stdout + failed.stderr for value in values)


def test_a_dbt_test_that_only_warns_does_not_stop_it(school: School) -> None:
    before = digest(school)
    school.add(
        "tests/a_matter_of_taste.sql",
        "{{ config(severity='warn') }} select * from {{ ref('dim_event_types') }}",
    )

    done = school.run()

    assert done.returncode == 0, done.stderr
    assert "! a_matter_of_taste of core.dim_event_types" in done.stdout
    assert digest(school) != before
    assert "check a_matter_of_taste of core.dim_event_types warns" in alerts(school)[-1]


def test_a_failing_asset_check_stops_publishing(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(school)
    school.change_contracts()

    with web_server() as web:
        failed = school.run(
            NORTHSTAR_MAX_QUARANTINED_SHARE="0", NORTHSTAR_ALERT_WEBHOOK=web.address
        )

    (alert,) = web.got
    assert alert["text"].startswith("northstar: a run failed, nothing new was published\n- run ")
    assert "check few_rows_are_quarantined of raw.quarantined_rows failed (found " in alert["text"]
    assert "\n- PublishingError: Nothing was published, " in alert["text"]
    assert " ERROR northstar: a run failed, nothing new was published" in alerts(school)[-1]
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "Nothing was published, readers keep the old file" in failed.stderr
    assert "✗ few_rows_are_quarantined of raw.quarantined_rows" in failed.stdout
    assert digest(school) == before
    _, steps = last_run(school, monkeypatch)
    assert "published__northstar" not in steps


def test_exports_of_the_future_stop_publishing_unless_the_as_of_is_set(school: School) -> None:
    before = digest(school)
    checks = school.repository / "orchestration" / "defs" / "ingestion" / "checks.py"
    tolerance = "_CLOCKS_APART = timedelta(days=7)"
    assert tolerance in checks.read_text()
    # The demo's exports are of the future if that is what this year is.
    checks.write_text(
        checks.read_text().replace(tolerance, "_CLOCKS_APART = -timedelta(days=20000)")
    )
    school.change_contracts()

    failed = school.run()

    assert failed.returncode == 1
    assert "✗ exports_are_of_the_past of raw.loaded_files: Exports are of a time" in failed.stdout
    assert digest(school) == before

    done = school.run(NORTHSTAR_AS_OF="2026-06-10")

    assert done.returncode == 0, done.stderr
    assert "! exports_are_of_the_past of raw.loaded_files" in done.stdout
    assert digest(school) != before


def test_publishing_itself_refuses_where_dagster_would_go_on(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed check that blocks nothing leaves the run's steps to go on."""
    before = digest(school)
    checks = school.repository / "orchestration" / "defs" / "ingestion" / "checks.py"
    assert "    blocking=True,\n" in checks.read_text()
    checks.write_text(checks.read_text().replace("    blocking=True,\n", ""))
    school.change_contracts()

    failed = school.run(NORTHSTAR_MAX_QUARANTINED_SHARE="0")

    assert failed.returncode == 1
    assert "check few_rows_are_quarantined of raw/quarantined_rows failed" in failed.stderr
    assert digest(school) == before
    _, steps = last_run(school, monkeypatch)
    assert "published__northstar" in steps


def test_what_was_stopped_is_published_once_its_cause_is_gone(school: School) -> None:
    before = digest(school)
    school.change_contracts()
    stopped = school.run(NORTHSTAR_MAX_QUARANTINED_SHARE="0")
    assert stopped.returncode == 1

    done = school.run()

    assert done.returncode == 0, done.stderr
    assert "Nothing new" not in done.stdout
    assert digest(school) != before
