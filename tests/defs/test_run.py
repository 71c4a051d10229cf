"""What a run hands to its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration.defs.run import RebuildRun
from orchestration.disk import disk_full
from orchestration.errors import WarehouseError
from orchestration.settings import Settings

ADDRESS = "anna@example.org"


def _run(tmp_path: Path) -> RebuildRun:
    nothing: Any = None
    settings = Settings(data_dir=tmp_path)
    return RebuildRun(settings, "run", 1, nothing, nothing, nothing, b"", "own", nothing)


def test_what_the_driver_says_of_values_is_in_no_record_of_dagster(tmp_path: Path) -> None:
    run = _run(tmp_path)

    @dg.op
    def ask() -> None:
        with run.warehouse() as connection:
            connection.execute("create table answers as select ? as answer", [ADDRESS])
            connection.execute("select answer::int from answers").fetchall()

    @dg.job
    def asking() -> None:
        ask()

    with dg.DagsterInstance.ephemeral() as instance:
        done = asking.execute_in_process(instance=instance, raise_on_error=False)
        records = "".join(str(entry) for entry in instance.all_logs(done.run_id))

    assert not done.success
    assert "WarehouseError: DuckDB gave up: Conversion Error." in records
    assert ADDRESS not in records


def test_a_damaged_warehouse_is_told_without_what_is_in_it(tmp_path: Path) -> None:
    run = _run(tmp_path)
    run.settings.warehouse.parent.mkdir()
    run.settings.warehouse.write_text(ADDRESS * 1_000)

    with pytest.raises(WarehouseError, match="it is damaged") as error, run.warehouse():
        pass

    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_a_full_disk_is_still_found_behind_what_is_told(tmp_path: Path) -> None:
    run = _run(tmp_path)

    with pytest.raises(WarehouseError) as error, run.warehouse():
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    assert disk_full(error.value, run.settings) is not None
