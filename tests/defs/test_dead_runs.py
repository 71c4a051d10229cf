"""What a killed run leaves behind is cleared up by the next one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from orchestration.defs.conventions import WAREHOUSE_POOL
from orchestration.defs.run import clear_up_after_dead_runs
from orchestration.liveness import alive, dead_runs
from orchestration.settings import REPOSITORY, Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path / "data"))
    return Settings()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage with the configuration of the repository."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        yield instance


def start(instance: dg.DagsterInstance) -> str:
    run: dg.DagsterRun = create_run_for_test(
        instance, job_name="rebuild", status=DagsterRunStatus.STARTED
    )
    return run.run_id


def kill(settings: Settings, run_id: str) -> None:
    """Leave the file of a living run without its lock, as the kernel does after a kill."""
    with alive(settings, run_id):
        file = settings.lock.parent / "runs" / f"{run_id}.alive"
        file.rename(file.with_suffix(".kept"))
    file.with_suffix(".kept").rename(file)


def test_a_dead_run_is_reported_and_its_slot_is_freed(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    dead, starting = start(instance), start(instance)
    kill(settings, dead)
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(WAREHOUSE_POOL)
    assert storage.claim_concurrency_slot(WAREHOUSE_POOL, dead, "step").is_claimed
    assert not storage.claim_concurrency_slot(WAREHOUSE_POOL, starting, "step").is_claimed

    clear_up_after_dead_runs(instance, settings, starting)

    run = instance.get_run_by_id(dead)
    assert run is not None
    assert run.status == DagsterRunStatus.FAILURE
    assert storage.get_concurrency_info(WAREHOUSE_POOL).slot_count == 1
    assert storage.claim_concurrency_slot(WAREHOUSE_POOL, starting, "step").is_claimed
    assert dead_runs(settings) == []


def test_a_run_that_waits_for_the_lock_is_left_alone(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    waiting, starting = start(instance), start(instance)

    with alive(settings, waiting):
        clear_up_after_dead_runs(instance, settings, starting)

    run = instance.get_run_by_id(waiting)
    assert run is not None
    assert run.status == DagsterRunStatus.STARTED


def test_a_dead_run_of_another_home_is_forgotten(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    kill(settings, "nobody-knows-it")

    clear_up_after_dead_runs(instance, settings, start(instance))

    assert dead_runs(settings) == []
