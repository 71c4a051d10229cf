"""Times the whole load against what others take for the same files: `make bench ONLY=loading`.

The whole load is: find the files, hash them, read them, hash ids, judge repeats, write the ledger,
commit. It is held against `zcat` on all cores, which most would call the limit, against dlt's way
of JSON lines into DuckDB, and against polars' reader of them into Parquet. Both of a pair are run
in turn, so that a noisy machine is noisy for both; the ratio of a turn is what counts.

How low the ratio to zcat can be is told by reading alone: the files inflated, their lines parsed,
and nothing done with what the load keeps of them; and by the plainest load there is: one statement
of DuckDB that reads the files into a table, with the same columns and nothing judged or hashed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import dlt
import duckdb
import polars
from dlt.sources.filesystem import filesystem, read_jsonl

from benchmarks.exports import PLAN, write_exports
from benchmarks.measuring import measured_apart
from benchmarks.report import Figure, at_least, at_most, figure_of_turns
from orchestration.contracts import read_contracts
from orchestration.landing import take_inventory
from orchestration.landing.names import AMPLITUDE_EVENTS
from orchestration.loading import connect, load_landing, stamp_run
from orchestration.loading.amplitude import EventReader, json_lines
from orchestration.loading.ledger import LOADED, Entry
from orchestration.loading.scratch import Scratch
from orchestration.loading.sql import identifier
from orchestration.settings import Settings

_AREA = "loading"
_CORES = os.cpu_count() or 1
_MEMORY_MIB = 2048
# A school's first load.
_FEW_EVENTS = 1_000_000
_FEW_FILES = 40
_FILES_A_BATCH = 20


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Measure all; prints a line a turn."""
    parser = argparse.ArgumentParser(
        prog="make bench ONLY=loading",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--small-files", type=int, default=18_000)
    parser.add_argument("--small-events", type=int, default=1_000_000)
    parser.add_argument("--dlt-events", type=int, default=100_000, help="dlt is slow")
    parser.add_argument("--large", type=int, default=0, help="events to measure memory with")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="northstar-benchmark-") as name:
        folder = Path(name)
        few = _school(folder / "few", _FEW_EVENTS, _FEW_FILES)
        school = _school(folder / "school", options.events, options.files)
        found = [
            *_against_zcat(few, _FEW_EVENTS, _FEW_FILES, options.turns, wanted=2.5),
            *_against_zcat(school, options.events, options.files, options.turns, wanted=1.5),
            _against_polars(school, folder / "polars", options.events, options.turns),
            _against_dlt(folder / "dlt", options.dlt_events),
            _small_files(
                folder / "small", options.small_events, options.small_files, options.turns
            ),
        ]
        shutil.rmtree(school.data_dir)
        if options.large:
            large = _school(folder / "large", options.large, options.large // 25_000)
            peak = measured_apart(_load, large).peak_mib
            # A section of its own: measured seldom, since the exports alone take half an hour.
            found.append(_memory(options.large, peak, area=f"{_AREA} at scale"))
        return found


def _against_zcat(
    school: Settings, events: int, files: int, turns: int, wanted: float
) -> list[Figure]:
    ratios, processor_ratios, peaks, reading_ratios, plain_ratios = [], [], [], [], []
    for _ in range(turns):
        unzipping = measured_apart(_zcat, school)
        loading = measured_apart(_load, school)
        reading_ratios.append(measured_apart(_read, school).clock / unzipping.clock)
        plain_ratios.append(measured_apart(_load_plainly, school).clock / unzipping.clock)
        ratios.append(loading.clock / unzipping.clock)
        processor_ratios.append(loading.processor / unzipping.processor)
        peaks.append(loading.peak_mib)
        print(
            f"zcat {unzipping.clock:.2f} s, load {loading.clock:.2f} s: {ratios[-1]:.2f}; "
            f"of processor time {processor_ratios[-1]:.2f}; at most {peaks[-1]:.0f} MiB; reading "
            f"alone {reading_ratios[-1]:.2f}, into a table {plain_ratios[-1]:.2f}",
            flush=True,
        )
    size = f"{events:,} events in {files} files"
    note = f"of processor time {min(processor_ratios):.2f} to {max(processor_ratios):.2f}"
    what = f"the whole load, against zcat of the same files on {_CORES} cores"
    return [
        figure_of_turns(_AREA, what, size, ratios, at_most(wanted), note=note),
        figure_of_turns(
            _AREA,
            "reading alone (inflating, parsing, keeping nothing), against the same zcat",
            size,
            reading_ratios,
        ),
        figure_of_turns(
            _AREA,
            "one statement of DuckDB that reads the same files into a table, against the same zcat",
            size,
            plain_ratios,
        ),
        _memory(events, max(peaks)),
    ]


def _memory(events: int, peak_mib: float, area: str = _AREA) -> Figure:
    return Figure(
        area=area,
        what="the most memory that the process of a load held, against 2 GiB",
        size=f"{events:,} events",
        ratio=peak_mib / _MEMORY_MIB,
        wanted=at_most(1),
        note=f"{peak_mib:,.0f} MiB",
    )


def _against_polars(school: Settings, folder: Path, events: int, turns: int) -> Figure:
    folder.mkdir()
    ratios = []
    for _ in range(turns):
        other = measured_apart(_polars, school, folder / "events.parquet")
        loading = measured_apart(_load, school)
        ratios.append(other.clock / loading.clock)
        print(f"polars {other.clock:.2f} s, load {loading.clock:.2f} s", flush=True)
    return figure_of_turns(
        _AREA,
        "polars from the same files into Parquet, against the whole load",
        f"{events:,} events",
        ratios,
        at_least(1.5),
        note="polars reads every column",
    )


def _against_dlt(folder: Path, events: int) -> Figure:
    """Both on the same few events: the load's start-up counts against it."""
    school = _school(folder / "school", events, 2)
    other = measured_apart(_dlt, school, folder)
    loading = measured_apart(_load, school)
    print(f"dlt {other.clock:.2f} s, load {loading.clock:.2f} s", flush=True)
    return Figure(
        area=_AREA,
        what="dlt from the same files into DuckDB, against the whole load",
        size=f"{events:,} events",
        ratio=other.clock / loading.clock,
        wanted=at_least(50),
        note=f"dlt {events / other.clock:,.0f} events a second",
    )


def _small_files(folder: Path, events: int, files: int, turns: int) -> Figure:
    many, few = _school(folder / "many", events, files), _school(folder / "few", events, 40)
    ratios, seconds = [], []
    for _ in range(turns):
        small, large = measured_apart(_load, many), measured_apart(_load, few)
        ratios.append(small.clock / large.clock)
        seconds.append((small.clock, large.clock))
        print(f"{files} files {small.clock:.2f} s, 40 files {large.clock:.2f} s", flush=True)
    best = min(seconds)
    return figure_of_turns(
        _AREA,
        f"{files:,} hourly files, against 40 files of as many events",
        f"{events:,} events",
        ratios,
        at_most(2),
        note=f"best {best[0]:.1f} and {best[1]:.1f} s",
    )


def _school(folder: Path, events: int, files: int) -> Settings:
    settings = Settings(data_dir=folder / "data", sources_dir=folder / "sources")
    settings.sources.mkdir(parents=True)
    (settings.sources / "plan.yml").write_text(PLAN)
    write_exports(settings.landing / "amplitude", events, files)
    return settings


# -- what is measured ------------------------------------------------------------------------------


def _zcat(school: Settings) -> None:
    folder = school.landing / "amplitude"
    command = f"ls {folder}/*.gz | xargs -P{_CORES} -n10 zcat > /dev/null"
    subprocess.run(["/bin/sh", "-c", command], check=True)


def _load(school: Settings) -> None:
    """From an empty warehouse to all events committed."""
    shutil.rmtree(school.warehouse.parent, ignore_errors=True)
    with connect(school) as connection:
        connection.execute("set enable_progress_bar = false")  # on where a process is spawned
        load_landing(
            connection,
            school,
            contracts=read_contracts(school.sources),
            inventory=take_inventory(school.landing),
            run_id="benchmark",
            load_number=stamp_run(connection, "benchmark"),
            secret=b"the secret of the benchmark",
        )


def _load_plainly(school: Settings) -> None:
    """The same columns by DuckDB alone, which also inflates: no ids hashed, nothing judged."""
    database = school.data / "plain.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(
            f"create table events as from {json_lines(_exports(school), _types(school))}"
        )
    database.unlink()


def _read(school: Settings) -> None:
    """Inflate a batch of files ahead, as the load does, and parse the columns that it keeps."""
    types = _types(school)
    files = _exports(school)
    batches = [
        [_entry(school, file) for file in files[first : first + _FILES_A_BATCH]]
        for first in range(0, len(files), _FILES_A_BATCH)
    ]
    kept = ", ".join(f"max({identifier(name)})" for name in types)
    with (
        connect(school) as connection,
        Scratch(school.scratch, school.landing) as scratch,
        closing(scratch.inflate((batch, False) for batch in batches)) as inflated,
    ):
        connection.execute("set enable_progress_bar = false")
        for batch in inflated:
            lines = json_lines([file.text for file in batch], types)
            connection.execute(f"select {kept} from {lines}").fetchall()


def _exports(school: Settings) -> list[Path]:
    return sorted((school.landing / "amplitude").glob("*.gz"))


def _types(school: Settings) -> dict[str, str]:
    """The columns that the load reads of a line, with DuckDB's types."""
    (plan,) = read_contracts(school.sources).tracking_plans
    return EventReader(plan).types


def _entry(school: Settings, file: Path) -> Entry:
    size = file.stat().st_size
    path = file.relative_to(school.landing).as_posix()
    return Entry(path, path, AMPLITUDE_EVENTS, LOADED, None, size, size, 0, "", "", "")


def _polars(school: Settings, output: Path) -> None:
    files = sorted((school.landing / "amplitude").glob("*.gz"))
    polars.scan_ndjson(files).sink_parquet(output)


def _dlt(school: Settings, folder: Path) -> None:
    dlt.config["runtime.dlthub_telemetry"] = False  # nothing leaves this machine
    dlt.config["runtime.log_level"] = "CRITICAL"
    files = filesystem(bucket_url=school.landing.absolute().as_uri(), file_glob="**/*.gz")
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="raw",
        pipelines_dir=str(folder / "pipelines"),
    )
    pipeline.run((files | read_jsonl()).with_name("events"))
