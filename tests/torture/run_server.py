"""Runs the job in forks of one process that has imported everything: each is a whole `make run`.

Importing Dagster and dbt costs seconds, and nothing that is killed here happens in them. Started by
`runs.RunServer` in the repository to be run. Reads one request a line from standard input and
answers with lines of JSON: the process of a run, the stages it comes to, and how it ended.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.005
# What a run imports when it is under way; it would do so itself, in a second or two.
_IMPORTED_BY_RUNS = (
    "babel.dates",
    "daff",
    "dagster._core.execution.execute_in_process",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.sqlite_storage",
    "dagster._daemon.controller",
    "dbt.adapters.duckdb.impl",
    "dbt.cli.main",
    "dbt.task.build",
    "sqlalchemy.dialects.sqlite",
    "sqlglot.optimizer.scope",
)


def main() -> None:
    """Import, say so, and run what is asked for until nobody asks any more."""
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    _import_everything()
    tasks = Path("/proc/self/task")
    started = len(list(tasks.iterdir())) if tasks.is_dir() else 1
    _say({"ready": True, "threads": max(started, threading.active_count())})
    # No threads, which a fork would take half of along.
    runs: dict[int, int] = {}
    asked = b""
    while True:
        if select.select([0], [], [], _POLL_SECONDS)[0]:
            read = os.read(0, 2**16)
            if not read:
                return
            asked += read
        while b"\n" in asked:
            line, _, asked = asked.partition(b"\n")
            request = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _run(request)
            with suppress(OSError):  # the child does so, too: whoever is first
                os.setpgid(pid, pid)
            runs[pid] = request["number"]
            _say({"number": request["number"], "pid": pid})
        while runs:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                break
            _say(
                {
                    "number": runs.pop(pid),
                    "code": os.waitstatus_to_exitcode(status),
                    "cpu": round(used.ru_utime + used.ru_stime, 1),
                }
            )


def _import_everything() -> None:
    import orchestration.cli
    import orchestration.event_log
    import orchestration.rebuilding  # noqa: F401
    from orchestration import definitions

    for name in _IMPORTED_BY_RUNS:
        with suppress(ImportError):
            importlib.import_module(name)
    defs = definitions.defs()
    defs.resolve_job_def("rebuild")
    # The same ones for all runs, which would each find them anew.
    definitions.defs = lambda: defs


def _set_clock(seconds: float) -> None:
    """Let northstar and Dagster see another time than the machine's; waiting is not concerned."""
    real_time = time.time
    ahead = timedelta(seconds=seconds)

    class Looks(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Shifted(datetime, metaclass=Looks):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + ahead

    time.time = lambda: real_time() + seconds
    for name, module in list(sys.modules.items()):
        is_ours = name.startswith("orchestration.") or name == "dagster._time"
        if is_ours and getattr(module, "datetime", None) is datetime:
            module.datetime = Shifted  # type: ignore[attr-defined]


def _run(request: dict[str, Any]) -> None:
    """The child: in a process group of its own, like a command of a shell."""
    code = 70
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 2)
        told = os.dup(1)
        os.dup2(log, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(request["environment"])
        if request.get("largest_file"):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
        if request.get("clock"):
            _set_clock(request["clock"])
        seen: set[str] = set()

        def hear(message: object) -> None:
            stage = getattr(message, "stage", None)
            if stage is not None and stage not in seen:
                seen.add(stage)
                _tell(told, {"number": request["number"], "stage": stage})

        from orchestration.cli import main as command
        from orchestration.progress import listening

        with listening(hear):
            code = command(["run"])
        sys.stdout.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(message: dict[str, Any]) -> None:
    _tell(1, message)


def _tell(descriptor: int, message: dict[str, Any]) -> None:
    # One write, short enough to be one piece among those of other processes.
    os.write(descriptor, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
