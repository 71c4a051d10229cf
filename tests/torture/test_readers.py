"""Eight processes read the published file while one publication follows another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from orchestration.publishing import Fingerprint, publish, published_file
from orchestration.settings import Settings
from tests.publishing.test_old_drivers import OLDER, wheel
from tests.torture.measure import Measure

# Every table of a publication says its number, in every row; `ops.published_at` its id.
_TABLES = ("core.one", "core.two", "nps.three", "outcomes.four")
_ROWS = 20_000
_READERS = 8

# Reads until somebody writes the file `stop`. Modes: a connection each time; one that is kept open
# for as long as three publications are to be seen around it; Parquet.
_READER = """
import json, sys, time
from pathlib import Path
import duckdb

published, mode, stop, tables, seen_by_others = (
    Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4].split(","), Path(sys.argv[5])
)
seen, reads, longest = [], 0, 0

def numbers(connection):
    told = set()
    for table in tables:
        told |= set(connection.execute(
            f"select min(number), max(number), count(*) from {table}"
        ).fetchall())
    rest = connection.execute("select publication_id from ops.published_at").fetchall()
    assert len(told) == 1 and len(rest) == 1, told
    lowest, highest, rows = told.pop()
    assert lowest == highest and rows == int(sys.argv[6]), (lowest, highest, rows)
    return highest, rest[0][0]

def connect():
    return duckdb.connect(str(published / "northstar.duckdb"), read_only=True)

def published_number():
    return int(seen_by_others.read_text() or 0)

print("ready", flush=True)
while not stop.exists():
    if mode == "each":
        connection = connect()
        token = numbers(connection)
        assert numbers(connection) == token
        connection.close()
    elif mode == "kept":
        connection = connect()
        token = numbers(connection)
        begun = published_number()
        while published_number() < begun + 5 and not stop.exists():
            assert numbers(connection) == token
            reads += 1
            longest = max(longest, published_number() - token[0])
        connection.close()
    else:
        connection = duckdb.connect()
        for table in tables:
            path = published / "current" / "parquet" / (table.replace(".", "/") + ".parquet")
            found = connection.execute(
                f"select min(number), max(number), count(*) from read_parquet('{path}')"
            ).fetchall()[0]
            assert found[0] == found[1] and found[2] == int(sys.argv[6]), found
        connection.close()
        token = (found[0], None)
    assert not seen or token[0] >= seen[-1], "back in time"
    if not seen or token[0] != seen[-1]:
        seen.append(token[0])
    reads += 1
print(json.dumps(
    {"driver": duckdb.__version__, "mode": mode, "seen": seen, "reads": reads, "longest": longest}
))
"""


@dataclass(frozen=True)
class Reader:
    """A process that reads, in one of the modes, with a driver of its own or the pipeline's."""

    mode: str
    driver: Path | None = None


def test_eight_readers_see_whole_publications_and_no_error(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, measure: Measure
) -> None:
    """Also those that keep a connection open until its publication has been pruned."""
    settings = Settings(data_dir=tmp_path / "data", lock_wait_seconds=0, memory_limit="500MB")
    readers = [*[Reader("each")] * 4, *[Reader("kept")] * 3, Reader("parquet")]
    if measure.is_full:
        readers[0] = readers[4] = Reader("kept", _older_driver(tmp_path_factory))
    assert len(readers) == _READERS
    newest, stop = tmp_path / "newest", tmp_path / "stop"
    newest.write_text("0")
    with _warehouse(settings) as warehouse:
        _publish(warehouse, settings, 0)
        processes = [_start(reader, settings, stop, newest) for reader in readers]
        try:
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n", process.stderr
            for number in range(1, measure.publications + 1):
                _publish(warehouse, settings, number)
                newest.write_text(str(number))
            stop.touch()
            told = [process.communicate(timeout=60) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    for process, (_, errors) in zip(processes, told, strict=True):
        assert process.returncode == 0, errors
    reports = [json.loads(output) for output, _ in told]
    print(*reports, sep="\n")
    assert all(report["reads"] > 0 for report in reports)
    assert len({number for report in reports for number in report["seen"]}) > 2
    # Readers went on reading a publication that had been pruned by then.
    kept = [report["longest"] for report in reports if report["mode"] == "kept"]
    assert max(kept) > settings.keep_publications


def _older_driver(folders: pytest.TempPathFactory) -> Path | None:
    version, newest_python = OLDER[-1]
    if sys.version_info[:2] > newest_python:
        return None
    try:
        return wheel(version, folders.mktemp("driver"))
    except pytest.skip.Exception:
        return None


@contextmanager
def _warehouse(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    settings.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        for schema in ("raw", "intermediate", *{name.split(".")[0] for name in _TABLES}):
            connection.execute(f"create schema {schema}")
        connection.execute("create table raw.run_stamp as select 'run-1' as run_id")
        connection.execute(
            "create table intermediate.int_as_of as select date '2026-11-01' as as_of_date"
        )
        yield connection


def _publish(warehouse: duckdb.DuckDBPyConnection, settings: Settings, number: int) -> None:
    for table in _TABLES:
        warehouse.execute(
            f"create or replace table {table} as "
            f"select {number} as number, hash(range) as filler from range({_ROWS})"
        )
    fingerprint = Fingerprint(landing=str(number), contracts="c", dbt="d", settings="s")
    publish(warehouse, settings, run_id="run-1", relations=_TABLES, fingerprint=fingerprint)


def _start(reader: Reader, settings: Settings, stop: Path, newest: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _READER, str(published_file(settings).parent), reader.mode),
            *(str(stop), ",".join(_TABLES), str(newest), str(_ROWS)),
        ],
        env={"PYTHONPATH": "" if reader.driver is None else str(reader.driver)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
