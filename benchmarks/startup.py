"""What Dagster and dbt cost around the SQL: the day without news, and an ordinary small day.

The day without news is `make run` after a run, against an interpreter that imports Dagster and
dagster-dbt and does nothing. The small day is a rebuild for one more day of exports in a process
that has rebuilt before, so that all code is loaded: counted is the processor time of Python's
threads outside of their calls of DuckDB, against an allowance of 4 seconds and 20 ms for each dbt
node. Processor time rather than the clock's, which on a machine with other work measures that work.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import duckdb
from rich.console import Console

from benchmarks.report import Figure, at_most, figure_of_turns
from orchestration.demo import DEFAULT_LEARNERS, DEFAULT_MONTHS, write_demo
from orchestration.settings import REPOSITORY, Settings

_AREA = "startup"
_IMPORTS = ("-c", "import dagster, dagster_dbt")
_TIMES_AS_LONG_AS_IMPORTS = 1.5
_ALLOWED_SECONDS = 4.0
_ALLOWED_SECONDS_PER_NODE = 0.020
_CALLS = (
    *("execute", "executemany", "sql", "query", "begin", "commit", "rollback", "cursor", "close"),
    *("fetchall", "fetchone", "fetchmany", "arrow", "fetch_arrow_table", "register"),
)


@dataclass(frozen=True)
class Day:
    """What a day's rebuild cost.

    Attributes:
        nodes: models, seeds and tests that dbt has built.
        python_seconds: processor time of Python's threads outside of DuckDB.
        quiet_seconds: by the clock, in which no thread was in DuckDB.
        seconds: by the clock, of the whole rebuild.
    """

    nodes: int
    python_seconds: float
    quiet_seconds: float
    seconds: float


def figures(arguments: Sequence[str]) -> list[Figure]:
    """Measure; see the options."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="northstar-startup-") as folder:
        settings = Settings(data_dir=Path(folder))
        write_demo(settings.landing, learners=options.learners, months=options.months)
        day = _small_day(settings)
        size = f"{options.learners:,} learners, {options.months} months"
        allowed = _ALLOWED_SECONDS + _ALLOWED_SECONDS_PER_NODE * day.nodes
        empty_day, importing = _empty_day(settings, options.turns, size)
        return [
            Figure(
                area=_AREA,
                what="processor time of a small day outside DuckDB : 4 s and 20 ms a dbt node",
                size=f"{size}, {day.nodes} nodes",
                ratio=day.python_seconds / allowed,
                wanted=at_most(1.0),
                note=f"{day.python_seconds:.1f} s of {allowed:.1f} s allowed; by the clock "
                f"{day.seconds:.1f} s, in {day.quiet_seconds:.1f} s of which no thread was in "
                "DuckDB",
            ),
            # Seconds are those of one machine in one hour; the imports are Python's work as well.
            Figure(
                area=_AREA,
                what="the same processor time : importing Dagster and dagster-dbt",
                size=f"{size}, {day.nodes} nodes",
                ratio=day.python_seconds / importing,
                note=f"{day.python_seconds:.1f} s : {importing:.1f} s",
            ),
            empty_day,
        ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks startup", description=__doc__)
    parser.add_argument("--learners", type=int, default=DEFAULT_LEARNERS)
    parser.add_argument("--months", type=int, default=DEFAULT_MONTHS)
    parser.add_argument("--turns", type=int, default=5, help="of the day without news")
    return parser


def _environment(settings: Settings) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if "NORTHSTAR" not in name}
    return own | {
        "NORTHSTAR_DATA_DIR": str(settings.data),
        "NORTHSTAR_DBT_TARGET_DIR": str(settings.data / "target"),
    }


def _empty_day(settings: Settings, turns: int, size: str) -> tuple[Figure, float]:
    """The day without news against the imports, in turns; the first of each warms the disk.

    Returns:
        The figure, and the seconds that the imports take.
    """
    told, imported = [], []
    for _ in range(turns + 1):
        imported.append(_clock(settings, *_IMPORTS))
        told.append(_clock(settings, "-m", "orchestration", "run", says="Nothing new"))
    ratios = [mine / theirs for mine, theirs in zip(told[1:], imported[1:], strict=True)]
    figure = figure_of_turns(
        _AREA,
        "`make run` with nothing new : importing Dagster and dagster-dbt",
        size,
        ratios,
        at_most(_TIMES_AS_LONG_AS_IMPORTS),
        note=f"{min(told):.1f} s : {min(imported):.1f} s",
    )
    return figure, min(imported)


def _clock(settings: Settings, *arguments: str, says: str = "") -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=_environment(settings),
        check=True,
        capture_output=True,
        text=True,
    )
    took = time.perf_counter() - began
    if says not in done.stdout:
        raise RuntimeError(f"{arguments} did not say {says!r}: {done.stdout}{done.stderr}")
    return took


def _small_day(settings: Settings) -> Day:
    """A small day in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.startup"],
        cwd=REPOSITORY,
        env=_environment(settings),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Day(**json.loads(done.stdout.splitlines()[-1]))


def _rebuild_twice(settings: Settings) -> Day:
    """Rebuild without the newest day of events, and then, counting, with it."""
    from orchestration.rebuilding import start

    start(settings)
    newest = _newest_day(settings.landing)
    held_back = settings.data / "held back"
    held_back.mkdir()
    for file in newest:
        file.rename(held_back / file.name)
    _rebuild(settings)
    for file in newest:
        (held_back / file.name).rename(file)
    with counting() as count:
        began = time.perf_counter()
        _rebuild(settings)
        seconds = time.perf_counter() - began
    return Day(_nodes(settings), count.python_seconds, count.quiet_seconds, seconds)


def _newest_day(landing: Path) -> list[Path]:
    """Hourly files of the last day that has any: `<project>_<day>_<hour>#<part>.json.gz`."""
    files = sorted((landing / "amplitude").rglob("*.json.gz"))
    days = [file.name.split("_")[1] for file in files]
    return [file for file, day in zip(files, days, strict=True) if day == max(days)]


def _rebuild(settings: Settings) -> None:
    from orchestration.display import Display
    from orchestration.lock import rebuild_lock
    from orchestration.rebuilding import rebuild

    run_id = str(uuid4())
    display = Display(Console(file=io.StringIO()))
    with rebuild_lock(settings, run_id):
        rebuild(settings, run_id, display)


def _nodes(settings: Settings) -> int:
    from orchestration.transforming import ensure_manifest, read_manifest

    return len(read_manifest(ensure_manifest(settings))["nodes"])


@dataclass
class Count:
    """What was counted so far; units are seconds.

    Attributes:
        python_seconds: processor time of Python's threads outside of DuckDB.
        quiet_seconds: by the clock, in which no thread was in DuckDB.
    """

    python_seconds: float = 0.0
    quiet_seconds: float = 0.0
    _inside: int = 0
    _since: float = field(default_factory=time.perf_counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _here: threading.local = field(default_factory=threading.local)

    @contextmanager
    def thread(self) -> Iterator[None]:
        """Count a thread for the time of a block."""
        self._here.in_duckdb = 0.0
        began = time.thread_time()
        try:
            yield
        finally:
            took = time.thread_time() - began - self._here.in_duckdb
            with self._lock:
                self.python_seconds += took

    @contextmanager
    def call(self) -> Iterator[None]:
        """Leave out a call of DuckDB; calls within it belong to it."""
        if getattr(self._here, "depth", 0):
            yield
            return
        self._here.depth = 1
        self._enter(+1)
        began = time.thread_time()
        try:
            yield
        finally:
            took = time.thread_time() - began
            self._here.in_duckdb = getattr(self._here, "in_duckdb", 0.0) + took
            self._enter(-1)
            self._here.depth = 0

    def end(self) -> None:
        """Count the time since the last call."""
        self._enter(0)

    def _enter(self, change: int) -> None:
        with self._lock:
            now = time.perf_counter()
            if self._inside == 0:
                self.quiet_seconds += now - self._since
            self._since = now
            self._inside += change


@contextmanager
def counting() -> Iterator[Count]:
    """Count what this thread, and the threads that begin meanwhile, spend outside of DuckDB."""
    count = Count()
    run = threading.Thread.run

    def counted_run(self: threading.Thread) -> None:
        with count.thread():
            run(self)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted_call(*arguments: Any, **options: Any) -> Any:
            with count.call():
                return call(*arguments, **options)

        return counted_call

    connection = duckdb.DuckDBPyConnection
    calls = [(connection, name) for name in _CALLS if hasattr(connection, name)]
    before = [(owner, name, getattr(owner, name)) for owner, name in [*calls, (duckdb, "connect")]]
    for owner, name, call in before:
        setattr(owner, name, counted(call))
    try:
        with patch.object(threading.Thread, "run", counted_run), count.thread():
            yield count
        count.end()
    finally:
        for owner, name, call in before:
            setattr(owner, name, call)


if __name__ == "__main__":
    print(json.dumps(asdict(_rebuild_twice(Settings()))))
