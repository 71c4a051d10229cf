"""Dagster's event log with its connections kept open."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster_shared.serdes import deserialize_value
from sqlalchemy import text

from orchestration.event_log import connections_kept
from orchestration.settings import REPOSITORY


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    assert home.is_dir()
    with dg.DagsterInstance.get() as instance:
        yield instance


@dg.asset
def mart() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"dagster/row_count": 7})


@dg.asset_check(asset=mart)
def is_audited() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def run(instance: dg.DagsterInstance) -> str:
    job = dg.Definitions([mart], asset_checks=[is_audited]).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance).run_id


def told(instance: dg.DagsterInstance, run_id: str) -> list[str | None]:
    return [
        entry.dagster_event.event_type_value
        for entry in instance.all_logs(run_id)
        if entry.dagster_event is not None
    ]


def test_the_same_events_are_kept_and_others_can_read_them_at_once(
    instance: dg.DagsterInstance,
) -> None:
    usual = told(instance, run(instance))

    with connections_kept(instance):
        run_id = run(instance)
        with dg.DagsterInstance.get() as reader:
            assert told(reader, run_id) == usual
            event = reader.get_latest_materialization_event(mart.key)

    assert event is not None
    assert event.run_id == run_id
    assert told(instance, run_id) == usual
    assert "ASSET_CHECK_EVALUATION" in usual


def test_no_database_is_opened_anew_while_it_lasts(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("opened anew")

    with connections_kept(instance), connections_kept(instance):
        monkeypatch.setattr(SqliteEventLogStorage, "_connect", refuse)
        run_id = run(instance)
        assert told(instance, run_id)
    with pytest.raises(AssertionError, match="opened anew"):
        told(instance, run_id)


def test_other_storage_is_left_as_it_is() -> None:
    with dg.DagsterInstance.ephemeral() as instance, connections_kept(instance):
        assert "_connect" not in vars(instance.event_log_storage)
        assert told(instance, run(instance))


def stored(home: Path) -> list[tuple[object, ...]]:
    """All that the index holds of events, assets and checks, but for times, numbers and runs."""
    with sqlite3.connect(home / "history" / "runs" / "index.db") as index:
        return [
            *index.execute("select asset_key, dagster_event_type from event_logs order by id"),
            *index.execute("select asset_key, last_materialization is null from asset_keys"),
            *index.execute(
                "select asset_key, check_name, execution_status, evaluation_event is null, "
                "materialization_event_storage_id is null from asset_check_executions"
            ),
        ]


def test_the_index_holds_the_same(instance: dg.DagsterInstance, home: Path) -> None:
    run(instance)
    usual = stored(home)
    shutil.rmtree(home / "history")
    with dg.DagsterInstance.get() as other, connections_kept(other):
        run(other)
    assert stored(home) == usual
    assert len(usual) > 3


def test_each_event_is_kept_as_itself(instance: dg.DagsterInstance, home: Path) -> None:
    with connections_kept(instance):
        run_id = run(instance)
    with sqlite3.connect(home / "history" / "runs" / "index.db") as index:
        (check,) = index.execute("select evaluation_event from asset_check_executions").fetchone()
        (mart,) = index.execute("select last_materialization from asset_keys").fetchone()
    (evaluation,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    assert deserialize_value(check, dg.EventLogEntry) == evaluation
    (made,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert deserialize_value(mart, dg.EventLogRecord).event_log_entry == made


def test_a_table_that_is_missing_is_looked_for_again(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, SqliteEventLogStorage)
    with connections_kept(instance):
        assert storage.has_table("event_logs")
        assert not storage.has_table("later")
        with storage.index_connection() as connection:
            connection.execute(text("create table later (number integer)"))
        assert storage.has_table("later")
    assert "has_table" not in vars(storage)
