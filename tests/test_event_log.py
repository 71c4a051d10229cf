"""Dagster's event log with its connections kept open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

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
