"""The sensor and the schedule, with Dagster's own instance instead of mocks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from orchestration.defs.automation.schedules import daily
from orchestration.defs.automation.sensors import landing_files
from orchestration.inputs import fingerprint, is_published
from orchestration.landing import take_inventory
from orchestration.publishing import publications
from orchestration.settings import REPOSITORY, Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))
    settings = Settings()
    settings.landing.mkdir()
    return settings


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def tick(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = landing_files(context)
    assert isinstance(result, dg.SensorResult)
    return result


def launch(instance: dg.DagsterInstance, result: dg.SensorResult) -> dg.DagsterRun:
    """What the daemon does with the one run that a tick asked for."""
    assert result.run_requests is not None
    (request,) = result.run_requests
    assert request.run_key is not None
    run: dg.DagsterRun = create_run_for_test(
        instance,
        job_name="rebuild",
        status=DagsterRunStatus.STARTED,
        tags={**request.tags, "dagster/run_key": request.run_key},
    )
    return run


def publish(settings: Settings) -> None:
    """Leave a publication of the landing folder as it is now."""
    folder = publications.publications_folder(settings) / "one"
    folder.mkdir(parents=True)
    (folder / publications.DATABASE_FILE).touch()
    publication = publications.Publication(
        layout=publications.LAYOUT,
        id="one",
        run_id="run",
        as_of=date(2026, 1, 1),
        published_at="2026-01-01T00:00:00Z",
        duckdb_version="2",
        fingerprint=fingerprint(settings, take_inventory(settings.landing)),
        content="",
        tables=(),
    )
    publications.manifest_file(folder).write_text(publication.model_dump_json())
    publications.make_current(settings, "one")
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    settings.warehouse.touch()


def test_many_files_start_one_run_which_is_waited_for(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for number in range(50):
        (settings.landing / f"{number}.json.gz").write_text("x")

    first = tick(instance, None)
    second = tick(instance, first.cursor)
    run = launch(instance, second)
    third = tick(instance, second.cursor)

    assert not first.run_requests
    assert third.skip_reason is not None
    assert f"run {run.run_id} is still at work" in str(third.skip_reason.skip_message)


def test_a_failed_run_is_tried_again_and_a_successful_one_is_not(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    (settings.landing / "a.json").write_text("x")
    asked = tick(instance, tick(instance, None).cursor)
    first = launch(instance, asked)
    instance.report_run_failed(first)

    again = tick(instance, asked.cursor)
    second = launch(instance, again)
    assert second.tags["dagster/run_key"] != first.tags["dagster/run_key"]
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name="rebuild"), second.run_id
    )

    done = tick(instance, again.cursor)
    assert not done.run_requests
    assert not tick(instance, done.cursor).run_requests


def test_a_killed_run_counts_as_failed(settings: Settings, instance: dg.DagsterInstance) -> None:
    (settings.landing / "a.json").write_text("x")
    asked = tick(instance, tick(instance, None).cursor)
    run = launch(instance, asked)
    killed = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "from orchestration.liveness import alive\n"
            "from orchestration.settings import Settings\n"
            "with alive(Settings(), sys.argv[1]):\n"
            "    print('alive', flush=True)\n"
            "    time.sleep(60)\n",
            run.run_id,
        ],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        env=os.environ,
    )
    assert killed.stdout is not None
    killed.stdout.readline()
    assert not tick(instance, asked.cursor).run_requests

    killed.kill()
    killed.wait()

    again = tick(instance, asked.cursor)
    assert again.run_requests is not None
    assert [request.tags["northstar/attempt"] for request in again.run_requests] == ["2"]


def test_a_changed_file_of_the_same_size_and_an_older_date_is_noticed(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    file = settings.landing / "a.json"
    file.write_text("x")
    publish(settings)
    cursor = tick(instance, None).cursor
    assert not tick(instance, cursor).run_requests

    file.write_text("y")
    os.utime(file, (1_000_000_000, 1_000_000_000))

    assert tick(instance, tick(instance, cursor).cursor).run_requests


@pytest.mark.parametrize("limit", ["NORTHSTAR_MAX_INFLATED_MB", "NORTHSTAR_MAX_INFLATION_RATIO"])
def test_a_limit_that_was_raised_as_a_file_asks_is_something_new(
    settings: Settings,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
) -> None:
    (settings.landing / "too-large.json.gz").write_text("x")
    publish(settings)
    cursor = tick(instance, None).cursor
    assert _skips(daily.evaluate_tick(dg.build_schedule_context()))

    monkeypatch.setenv(limit, "99999")

    assert not is_published(Settings(), take_inventory(settings.landing))
    assert len(daily.evaluate_tick(dg.build_schedule_context()).run_requests or []) == 1
    asked = tick(instance, tick(instance, cursor).cursor)
    run = launch(instance, asked)
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name="rebuild"), run.run_id
    )
    assert not tick(instance, asked.cursor).run_requests


def test_the_sensor_never_opens_the_warehouse(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    (settings.landing / "a.json").write_text("x")
    settings.warehouse.parent.mkdir()
    settings.warehouse.write_text("this is no database")

    assert tick(instance, tick(instance, None).cursor).run_requests


def test_both_wait_to_be_switched_on() -> None:
    assert landing_files.default_status == dg.DefaultSensorStatus.STOPPED
    assert daily.default_status == dg.DefaultScheduleStatus.STOPPED


def test_the_schedule_runs_when_something_is_new_and_skips_when_nothing_is(
    settings: Settings,
) -> None:
    context = dg.build_schedule_context()
    (empty,) = _skips(daily.evaluate_tick(context))
    assert "holds no files" in empty

    (settings.landing / "a.json").write_text("x")
    assert len(daily.evaluate_tick(context).run_requests or []) == 1

    publish(settings)
    (skip,) = _skips(daily.evaluate_tick(context))
    assert "those of the last run" in skip


def test_the_schedule_runs_in_the_morning_of_the_reporting_zone() -> None:
    assert daily.cron_schedule == "15 5 * * *"
    assert daily.execution_timezone == "Europe/Paris"


def _skips(data: dg.ScheduleExecutionData) -> list[str]:
    assert not data.run_requests
    return [data.skip_message or ""]
