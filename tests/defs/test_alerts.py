"""What Dagster's sensors tell people, with real runs of small jobs and Dagster's own instance."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from orchestration.defs.automation.alerts import alerts, failed_runs
from orchestration.defs.ingestion import checks as raw
from orchestration.errors import NorthstarError, PublishingError
from orchestration.loading.checks import Volume
from orchestration.publishing import Fingerprint, publications
from orchestration.settings import REPOSITORY, Settings
from orchestration.watching import newest_exports
from tests.alerting.servers import Web, web_server

QUOTES = "could not convert 'anna.b@example.org'"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))
    with web_server() as web:
        monkeypatch.setenv("NORTHSTAR_ALERT_WEBHOOK", web.address)
        yield web


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def texts(web: Web) -> list[list[str]]:
    """What the webhook got, without the name of the machine and the ids of runs."""
    return [
        [line for line in body["text"].splitlines() if not line.startswith(("- run ", "- on "))]
        for body in web.got
    ]


def fail(instance: dg.DagsterInstance, error: Exception | None = None) -> str:
    @dg.op
    def break_down() -> None:
        try:
            raise ValueError(QUOTES)
        except ValueError as cause:
            raise error or cause from None

    @dg.job
    def breaking() -> None:
        break_down()

    return breaking.execute_in_process(instance=instance, raise_on_error=False).run_id


def check_volume(instance: dg.DagsterInstance, *newest_days: int) -> str:
    """A run of the check of volume, with these rows on the newest day of each project."""
    volumes = [
        Volume(str(project), date(2026, 3, 1), 23, rows, 1000, 8)
        for project, rows in enumerate(newest_days)
    ]

    @dg.asset_check(asset=raw.VOLUME.asset_key, name=raw.VOLUME.name)
    def judge() -> dg.AssetCheckResult:
        return raw.volume(volumes)

    job = dg.Definitions(asset_checks=[judge]).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance).run_id


def react(instance: dg.DagsterInstance, run_id: str) -> None:
    """What Dagster does with a failed run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    event = dg.DagsterEvent(event_type_value="PIPELINE_FAILURE", job_name=run.job_name)
    context = dg.build_run_status_sensor_context(
        "failed_runs", event, instance, run
    ).for_run_failure()
    failed_runs(context)


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    result = alerts(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    assert not result.run_requests
    return result


def test_they_are_on_unless_somebody_switches_them_off() -> None:
    on = dg.DefaultSensorStatus.RUNNING
    assert (failed_runs.default_status, alerts.default_status) == (on, on)


def test_a_failed_run_reaches_a_person_once_by_both_sensors(
    web: Web, instance: dg.DagsterInstance
) -> None:
    run_id = fail(instance, PublishingError("Nothing was published: check a of b failed."))

    react(instance, run_id)
    tick(instance)

    (lines,) = texts(web)
    assert lines[0] == "northstar: a run failed, nothing new was published"
    assert lines[1] == "- PublishingError: Nothing was published: check a of b failed."
    assert f"- run {run_id}" in web.got[0]["text"]


def test_what_an_error_quotes_stays_in_the_log_of_the_run(
    web: Web, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    for error in (None, NorthstarError(QUOTES)):
        react(instance, fail(instance, error))

    assert [lines[1] for lines in texts(web)] == ["- ValueError", "- NorthstarError"]
    told = str(web.got) + (tmp_path / "alerts" / "alerts.log").read_text()
    assert "anna" not in told


def test_a_drop_in_volume_reaches_a_person_and_is_not_repeated_while_it_lasts(
    web: Web, instance: dg.DagsterInstance
) -> None:
    def night(cursor: str | None, *rows: int) -> str | None:
        check_volume(instance, *rows)
        return tick(instance, cursor).cursor

    cursor = night(None, 1000)
    assert web.got == []
    cursor = night(cursor, 300)
    (lines,) = texts(web)
    assert lines == [
        "northstar: 1 check warns",
        "- check volume_is_usual of raw.events warns (found 1, newest_day_rows 300): "
        f"{raw.VOLUME.description}",
    ]
    assert tick(instance, cursor).cursor == cursor
    cursor = night(cursor, 310)
    assert len(web.got) == 1
    cursor = night(cursor, 990)
    night(cursor, 100)
    assert len(web.got) == 2


def test_an_alert_of_a_night_without_the_webhook_arrives_with_a_later_tick(
    web: Web, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    web.status = 500
    run_id = fail(instance)
    react(instance, run_id)
    cursor = tick(instance).cursor
    assert web.asked == 1  # not yet due again
    assert f"run {run_id}" in (tmp_path / "alerts" / "alerts.log").read_text()

    memory = tmp_path / "alerts" / "memory.json"
    memory.write_text(memory.read_text().replace('"not_before":"20', '"not_before":"19'))
    web.status = 200
    tick(instance, cursor)
    tick(instance, cursor)

    assert len(texts(web)) == 1


def test_a_failure_that_nobody_could_write_down_is_told_when_it_can_be(
    web: Web, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run_id = fail(instance)
    (tmp_path / "alerts").write_text("a file, no folder")
    with pytest.raises(OSError, match="alerts"):
        react(instance, run_id)
    with pytest.raises(OSError, match="alerts"):
        tick(instance)

    (tmp_path / "alerts").unlink()
    tick(instance)

    assert len(web.got) == 1


def test_runs_that_nobody_could_write_down_reach_a_person_all_the_same(
    web: Web, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    cursor = tick(instance).cursor
    (tmp_path / "alerts").mkdir(exist_ok=True)
    (tmp_path / "alerts" / "alerts.log").symlink_to("/dev/full")
    for _ in range(2):
        fail(instance)
    for _ in range(2):
        with pytest.raises(OSError, match="cannot be used"):
            tick(instance, cursor)
    assert len(web.got) == 2

    (tmp_path / "alerts" / "alerts.log").unlink()
    tick(instance, cursor)

    assert len(web.got) == 2
    assert len((tmp_path / "alerts" / "alerts.log").read_text().splitlines()) == 2


def test_checks_are_told_although_the_clock_was_set_back(
    web: Web, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = tick(instance).cursor
    check_volume(instance, 1000)
    cursor = tick(instance, cursor).cursor
    now = datetime.now(UTC) - timedelta(days=3)
    # How Dagster dates runs, and their events.
    monkeypatch.setattr(
        "dagster._core.storage.runs.sql_run_storage.get_current_datetime", lambda: now
    )
    monkeypatch.setattr("time.time", now.timestamp)

    check_volume(instance, 100)
    newest = instance.get_run_records(limit=1)[0]
    assert newest.update_timestamp < datetime.now(UTC) - timedelta(days=2)
    tick(instance, cursor)

    (lines,) = texts(web)
    assert lines[0] == "northstar: 1 check warns"


def test_an_event_log_that_was_begun_anew_is_followed_from_its_newest_run(
    web: Web, instance: dg.DagsterInstance
) -> None:
    fail(instance)

    assert tick(instance, "1000000").cursor == tick(instance, "1764360000.25").cursor

    assert len(web.got) == 1


def test_runs_that_ended_between_two_ticks_are_all_told(
    web: Web, instance: dg.DagsterInstance
) -> None:
    cursor = tick(instance).cursor
    fail(instance)
    cursor = tick(instance, cursor).cursor
    fail(instance)
    check_volume(instance, 100)
    fail(instance)

    tick(instance, cursor)

    titles = [lines[0] for lines in texts(web)]
    failed = "northstar: a run failed, nothing new was published"
    assert sorted(titles) == ["northstar: 1 check warns", failed, failed, failed]


def test_a_killed_run_reaches_a_person_before_another_one_starts(
    web: Web, instance: dg.DagsterInstance
) -> None:
    run = create_run_for_test(instance, job_name="rebuild", status=DagsterRunStatus.STARTED)
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
    tick(instance)
    assert web.got == []
    killed.kill()
    killed.wait()

    tick(instance)
    instance.report_run_failed(run)  # the next run does, when it finds it
    react(instance, run.run_id)

    (lines,) = texts(web)
    assert lines[0] == "northstar: a run was killed, nothing new was published"


def publish(
    settings: Settings, as_of: date, asked: date | None = None, *tables: publications.PublishedTable
) -> None:
    """Leave a publication, of whose tables the manifest alone knows."""
    folder = publications.publications_folder(settings) / "one"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / publications.DATABASE_FILE).touch()
    publication = publications.Publication(
        layout=publications.LAYOUT,
        id="one",
        run_id="run",
        as_of=as_of,
        published_at=datetime.fromisoformat("2026-01-01T00:00:00Z"),
        duckdb_version="2",
        fingerprint=Fingerprint(landing="", contracts="", dbt="", settings="", as_of=asked),
        content="",
        tables=tables,
    )
    publications.manifest_file(folder).unlink(missing_ok=True)
    publications.manifest_file(folder).write_text(publication.model_dump_json())
    publications.make_current(settings, "one")


def test_stale_exports_reach_a_person_once(
    web: Web, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    tick(instance)  # nothing was ever published
    today = datetime.now().date()
    publish(settings, today - timedelta(days=1))
    tick(instance)
    assert web.got == []

    publish(settings, today - timedelta(days=5))
    tick(instance)
    tick(instance)
    (lines,) = texts(web)
    assert lines[0].startswith("northstar: the published data is stale, the newest export is of ")

    # Somebody asked for that day.
    publish(settings, today - timedelta(days=6), asked=today - timedelta(days=6))
    tick(instance)
    monkeypatch.setenv("NORTHSTAR_ALERT_STALE_HOURS", "0")
    publish(settings, today - timedelta(days=7))
    tick(instance)
    assert len(web.got) == 1


def publish_files(settings: Settings, newest: dict[str, datetime]) -> None:
    """Leave a publication with the list of files, in the columns and types of its contract."""
    files = publications.PublishedTable(relation="ops.loaded_files", rows=9, checksum="")
    publish(settings, date(2026, 3, 1), date(2026, 3, 1), files)
    described = REPOSITORY / "dbt_project" / "models" / "marts" / "ops" / "loaded_files.yml"
    (model,) = yaml.safe_load(described.read_text())["models"]
    columns = ", ".join(f"{column['name']} {column['data_type']}" for column in model["columns"])
    folder = publications.publications_folder(settings) / "one"
    (folder / publications.DATABASE_FILE).unlink()
    with duckdb.connect(str(folder / publications.DATABASE_FILE)) as writer:
        writer.execute(f"create schema ops; create table ops.loaded_files ({columns})")
        for number, (source, at) in enumerate(newest.items()):
            for path, moment in (("older", datetime(2026, 1, 1)), ("newest", at), ("none", None)):
                writer.execute(
                    "insert into ops.loaded_files by name select $1 as path, $2 as source, "
                    "$3::timestamp as newest_export_at",
                    [f"{path} {number}", source, moment],
                )


def test_the_newest_exports_are_those_of_the_published_list_of_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))
    settings = Settings()
    publish_files(
        settings,
        {
            "amplitude_events": datetime(2026, 2, 27, 23),
            "zendesk_tickets": datetime(2026, 2, 28, 4, 30),
            "surveys": datetime(2026, 2, 1),
        },
    )

    assert newest_exports(settings) == {
        "Amplitude": datetime(2026, 2, 27, 23, tzinfo=UTC),
        "Zendesk": datetime(2026, 2, 28, 4, 30, tzinfo=UTC),
    }
