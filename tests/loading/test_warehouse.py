"""Opening the warehouse: what is damaged, deleted or held by others says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import WarehouseError
from orchestration.loading import connect, stamp_run
from orchestration.loading.warehouse import share_memory, stamped_run
from orchestration.settings import REPOSITORY, Settings
from tests.signals import ask_for_long, raised_by_a_signal

# Leaves changes in the log beside the file, as a kill does.
WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from orchestration.loading import connect, stamp_run
from orchestration.settings import Settings
with connect(Settings(data_dir=Path(sys.argv[1]))) as connection:
    stamp_run(connection, "killed")
    os.kill(os.getpid(), signal.SIGKILL)
"""
HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path / "data")
    with connect(settings) as connection:
        stamp_run(connection, "first")
    return settings


def _kill_a_writer(settings: Settings) -> Path:
    subprocess.run(
        [sys.executable, "-c", WRITE_AND_DIE, str(settings.data)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
        timeout=60,
    )
    log = settings.warehouse.with_name("warehouse.duckdb.wal")
    assert log.exists()
    return log


def test_what_a_killed_run_had_committed_is_there(settings: Settings) -> None:
    _kill_a_writer(settings)
    with connect(settings) as connection:
        assert stamped_run(connection) == "killed"


def test_the_log_of_a_deleted_warehouse_is_not_played_into_the_new_one(settings: Settings) -> None:
    _kill_a_writer(settings)
    settings.warehouse.unlink()
    with connect(settings) as connection:
        assert stamped_run(connection) is None


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough to be one" * 200])
def test_a_damaged_warehouse_is_named_with_the_remedy(settings: Settings, damage: bytes) -> None:
    content = settings.warehouse.read_bytes()
    settings.warehouse.write_bytes(damage + content[len(damage) : len(content) // 2])

    with pytest.raises(WarehouseError) as caught, connect(settings):
        pass

    assert str(settings.warehouse) in str(caught.value)
    assert "delete it" in str(caught.value)


def test_whoever_else_has_it_open_is_asked_to_close_it(settings: Settings) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(WarehouseError, match=r"Another process .* close it"), connect(settings):
            pass
    finally:
        holder.kill()
        holder.wait()
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        assert stamped_run(connection) == "first"


def test_python_gets_a_quarter_of_the_memory_until_the_warehouse_is_closed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, memory_limit="2GiB")
    asked = "select current_setting('memory_limit')"
    with connect(settings) as connection:
        share_memory(connection, settings)
        assert connection.execute(asked).fetchall() == [("1.5 GiB",)]
    with connect(settings) as connection:
        assert connection.execute(asked).fetchall() == [("2.0 GiB",)]


class DagsterStops(BaseException):
    """As Dagster raises while a step runs, in the place of Python's `KeyboardInterrupt`."""


def test_a_stop_during_a_query_is_no_error(settings: Settings) -> None:
    """The driver tells it as a `RuntimeError`, which Dagster would take for a failed step."""
    with (
        raised_by_a_signal(DagsterStops),
        pytest.raises(KeyboardInterrupt),
        connect(settings) as connection,
    ):
        ask_for_long(connection)

    with connect(settings) as connection:
        assert stamped_run(connection) == "first"


def test_an_error_that_is_no_stop_stays_what_it_is(settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="of somebody else"), connect(settings):
        raise RuntimeError("of somebody else")
