"""One rebuild through the real job, in a process of its own, told step by step.

`rebuilt(settings, ...)` starts the process and returns what it took; the process is this module,
run as `python -m benchmarks.rebuilding <file>`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from benchmarks.history import SECRET
from orchestration.settings import REPOSITORY, Settings, read_settings

COPY = "core.fct_learner_days"


@dataclass(frozen=True)
class Rebuild:
    """What a rebuild took.

    Attributes:
        seconds: from the start of the process to the end of the rebuild.
        processor: seconds of all cores together, in that time.
        steps: seconds of the steps of the job.
        nodes: seconds of each dbt model and test.
        tables: seconds that publishing spent on each table.
        peak_mib: the most memory that the process held.
    """

    seconds: float
    processor: float
    steps: Mapping[str, float] = field(default_factory=dict)
    nodes: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, float] = field(default_factory=dict)
    peak_mib: float = 0

    @property
    def copying(self) -> float:
        """Seconds of copying, exporting and checking the learner days in the published file."""
        return self.tables.get(COPY, 0)


def environment(settings: Settings, memory: str) -> dict[str, str]:
    """The environment of a run over the school of `settings`."""
    return {
        **os.environ,
        "NORTHSTAR_DATA_DIR": str(settings.data),
        "NORTHSTAR_SOURCES_DIR": str(settings.sources),
        "NORTHSTAR_SECRET": SECRET,
        "NORTHSTAR_MEMORY_LIMIT": memory,
        "NORTHSTAR_KEEP_PUBLICATIONS": "1",
    }


def rebuilt(settings: Settings, memory: str) -> Rebuild:
    """Bring the published file up to date with the landing folder.

    Raises:
        SystemExit: the rebuild failed; it has told why.
    """
    told = settings.data / "rebuild.json"
    told.unlink(missing_ok=True)
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.rebuilding", str(told)],
        cwd=REPOSITORY,
        env=environment(settings, memory),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or not told.exists():
        raise SystemExit(f"The rebuild of {settings.data} failed.")
    found = json.loads(told.read_text())
    # Processes of one machine share this clock.
    seconds = found.pop("ended_at") - start
    return Rebuild(seconds=seconds, peak_mib=usage.ru_maxrss / 1024, **found)


def main(file: Path) -> None:
    """Rebuild, and write down the seconds of steps, nodes and tables."""
    from orchestration.display import Display
    from orchestration.lock import rebuild_lock
    from orchestration.progress import Progress, listening
    from orchestration.rebuilding import rebuild

    settings = read_settings()
    run_id = str(uuid4())
    tables: dict[str, float] = {}
    now = time.perf_counter()

    def hear(message: Progress | str) -> None:
        nonlocal now
        then, now = now, time.perf_counter()
        if isinstance(message, Progress) and message.stage == "Publishing" and message.what:
            tables[message.what] = tables.get(message.what, 0) + now - then

    with listening(hear), Display() as display, rebuild_lock(settings, run_id):
        rebuild(settings, run_id, display)
    # Reading what it took is no part of it.
    ended_at, spent = time.perf_counter(), os.times()
    steps, nodes = _durations(run_id)
    told = {
        "ended_at": ended_at,
        "processor": spent.user + spent.system + spent.children_user + spent.children_system,
        "steps": steps,
        "nodes": nodes,
        "tables": tables,
    }
    file.write_text(json.dumps(told))


def _durations(run_id: str) -> tuple[dict[str, float], dict[str, float]]:
    """The seconds of steps, and of dbt's models and tests, from Dagster's own log of the run."""
    import dagster as dg

    steps: dict[str, float] = {}
    nodes: dict[str, float] = {}
    with dg.DagsterInstance.get() as instance:
        for entry in instance.all_logs(run_id):
            if not entry.is_dagster_event:
                continue
            event = entry.get_dagster_event()
            kind = event.event_type_value
            if kind == "STEP_SUCCESS" and event.step_key:
                steps[event.step_key] = event.step_success_data.duration_ms / 1000
            elif kind == "ASSET_MATERIALIZATION":
                materialized = event.step_materialization_data.materialization
                if seconds := _duration(materialized.metadata):
                    nodes["/".join(materialized.asset_key.path)] = seconds
            elif kind == "ASSET_CHECK_EVALUATION":
                check = event.asset_check_evaluation_data
                if seconds := _duration(check.metadata):
                    nodes[f"test {check.check_name}"] = seconds
    return steps, nodes


def _duration(metadata: Mapping[str, object]) -> float | None:
    value = getattr(metadata.get("Execution Duration"), "value", None)
    return float(value) if value is not None else None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
