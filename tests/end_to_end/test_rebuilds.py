"""Rebuilds beside, after and instead of each other."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.lock import read_holder
from tests.end_to_end.conftest import School


def test_two_rebuilds_at_once_publish_their_own_tables(school: School) -> None:
    days = ("2026-06-10", "2026-06-20")
    processes = {day: school.start("run", NORTHSTAR_AS_OF=day) for day in days}

    ended = {day: process.communicate(timeout=300) for day, process in processes.items()}

    for day, process in processes.items():
        assert process.returncode == 0, ended[day]
    waited = [day for day in days if "Waiting for another rebuild: run" in ended[day][0]]
    assert len(waited) == 1
    publications = sorted((school.data / "published" / "publications").iterdir())[-2:]
    told = set()
    for folder in publications:
        publication = json.loads((folder / "publication.json").read_text())
        with duckdb.connect(str(folder / "northstar.duckdb"), read_only=True) as reader:
            tables = reader.execute(
                "select distinct as_of_date::varchar from core.fct_events"
            ).fetchall()
            stamps = reader.execute("select run_id from ops.published_at").fetchall()
        assert tables == [(publication["fingerprint"]["as_of"],)]
        assert stamps == [(publication["run_id"],)]
        told.add(publication["fingerprint"]["as_of"])
    assert told == set(days)


def test_after_a_kill_the_next_run_starts_at_once(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = school.published.read_bytes()
    killed = school.start("run", NORTHSTAR_AS_OF="2026-06-10")
    run_id = wait_until_it_builds(school)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert school.published.read_bytes() == before

    done = school.run(NORTHSTAR_AS_OF="2026-06-10", NORTHSTAR_LOCK_WAIT_SECONDS="0")

    assert done.returncode == 0, done.stderr
    assert "Waiting" not in done.stdout
    assert school.published.read_bytes() != before
    monkeypatch.setenv("DAGSTER_HOME", str(school.settings.dagster_home))
    with dg.DagsterInstance.get() as instance:
        dead = instance.get_run_by_id(run_id)
        pool = instance.event_log_storage.get_concurrency_info("warehouse")
    assert dead is not None
    assert dead.status == dg.DagsterRunStatus.FAILURE
    assert pool.claimed_slots == []
    assert list((school.data / "warehouse" / "runs").iterdir()) == []


# From the first step on: some of these meet DuckDB at work, which hides that there was a stop.
@pytest.mark.parametrize("seconds", [0, 0.04, 0.06, 0.08, 0.3])
def test_a_stopped_run_ends_soon_and_says_so(school: School, seconds: float) -> None:
    before = school.published.read_bytes()
    process = school.start("run", NORTHSTAR_AS_OF="2026-06-10")
    wait_until_it_builds(school)
    time.sleep(seconds)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert errors.strip().endswith("Stopped. The published file is as it was.")
    assert "Traceback" not in errors
    assert school.published.read_bytes() == before
    assert list((school.data / "warehouse" / "runs").iterdir()) == []


def wait_until_it_builds(school: School) -> str:
    """Wait until a run has the lock and holds a slot of the pool; returns its id."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        holder = read_holder(school.settings.lock)
        if holder is not None and has_begun(school.settings.dagster_home, holder.run_id):
            return holder.run_id
        time.sleep(0.05)
    raise AssertionError("The run did not begin.")


def has_begun(home: Path, run_id: str, step: str = "%") -> bool:
    """Whether a step of a run, or any, has begun."""
    shard = home / "history" / "runs" / f"{run_id}.db"
    if not shard.exists():
        return False
    with sqlite3.connect(shard, timeout=10) as connection:
        try:
            rows = connection.execute(
                "select count(*) from event_logs where dagster_event_type = 'STEP_START' "
                "and step_key like ?",
                [step],
            ).fetchall()
        except sqlite3.OperationalError:
            return False
    return bool(rows[0][0])


def test_a_run_with_nothing_new_imports_neither_dagster_nor_dbt(school: School) -> None:
    code = (
        "import sys; from orchestration.cli import main; assert main(['run']) == 0; "
        "print({'dagster', 'dbt'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=school.repository,
        env=school.environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "Nothing new" in done.stdout
    assert done.stdout.strip().endswith("set()")


def test_own_files_beside_demo_exports_stop_the_run(school: School) -> None:
    before = school.published.read_bytes()
    own = school.settings.landing / "surveys" / "own.csv"
    own.write_text("a,b\n1,2\n")

    refused = school.run()

    assert refused.returncode == 1
    assert "own.csv" in refused.stderr
    assert "make clean" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert school.published.read_bytes() == before


def test_clean_leaves_own_files_and_the_state(school: School) -> None:
    own = school.settings.landing / "surveys" / "own.csv"
    own.write_text("a,b\n1,2\n")
    state = sorted(path.name for path in school.settings.state.iterdir())

    process = school.start("clean")
    output, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert "1 files of your own stay" in output
    assert own.read_text() == "a,b\n1,2\n"
    assert sorted(path.name for path in school.settings.state.iterdir()) == state
    left = {
        path.relative_to(school.data).as_posix()
        for path in school.data.rglob("*")
        if path.is_file() and "state" not in path.parts
    }
    assert left == {"landing/surveys/own.csv", "warehouse/rebuild.lock"}
