"""Runs of the job that can be killed at any moment: the other end of `run_server`."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from orchestration.durable import point_link

# The stages that a run tells of; before the first of them it starts.
STARTING = "Starting"
LOADING = "Loading"
BUILDING = "Building"
PUBLISHING = "Publishing"
STAGES = (STARTING, LOADING, BUILDING, PUBLISHING)

_LONGEST_SECONDS = 600


@dataclass
class Run:
    """One run of the job in a process group of its own.

    Attributes:
        pid: of its process, and of its group.
        log: what it prints, on either output.
        stage: the newest that it told.
        began: when each stage began, on the monotonic clock.
        code: how it ended, as `subprocess` tells it; null while it runs.
        ended: when, on the monotonic clock.
        cpu: seconds of processor time that it has taken.
    """

    log: Path
    pid: int = 0
    stage: str = STARTING
    began: dict[str, float] = field(default_factory=dict)
    code: int | None = None
    ended: float | None = None
    cpu: float = 0
    _told: queue.SimpleQueue[Mapping[str, Any]] = field(default_factory=queue.SimpleQueue)

    @property
    def output(self) -> str:
        """What it has printed until now."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def until(self, stage: str) -> bool:
        """Wait for a stage; false if the run ended without it."""
        while stage not in self.began and self.code is None:
            self._hear(_LONGEST_SECONDS)
        return stage in self.began

    def lives_for(self, seconds: float) -> bool:
        """Let it run for a time; false if it ended before."""
        end = time.monotonic() + seconds
        while self.code is None and (left := end - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self._hear(left)
        return self.code is None

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        while self.code is None:
            self._hear(_LONGEST_SECONDS)
        return self.code

    def kill(self) -> None:
        """Kill its process group, as the kernel or an operator would: nothing is cleaned up."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def seconds(self, stage: str) -> float:
        """How long a stage of a run that has ended took."""
        later = [
            self.began[name] for name in STAGES[STAGES.index(stage) + 1 :] if name in self.began
        ]
        assert self.ended is not None
        return min([*later, self.ended]) - self.began[stage]

    def hear(self, message: Mapping[str, Any]) -> None:
        """Note what the server told; called from its thread."""
        self._told.put({**message, "at": time.monotonic()})

    def _hear(self, seconds: float) -> None:
        message = self._told.get(timeout=seconds)
        if "pid" in message:
            self.pid, self.began[STARTING] = message["pid"], message["at"]
        elif "stage" in message:
            self.stage = message["stage"]
            self.began[self.stage] = message["at"]
        else:
            self.code, self.ended = message["code"], message["at"]
            self.cpu = message["cpu"]


class RunServer:
    """Starts runs quickly; ends them all when it is closed.

    Args:
        repository: whose code is run, with its own dbt project.
        environment: of all runs; its data folder is a link, which is pointed to the data of each
            run. (dbt reads its project anew when the path of the warehouse changes.)
        logs: a folder for what they print.
    """

    def __init__(self, repository: Path, environment: Mapping[str, str], logs: Path) -> None:
        self._logs = logs
        self._link = Path(environment["NORTHSTAR_DATA_DIR"])
        self._runs: dict[int, Run] = {}
        self._ready: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._number = 0
        self._log = logs / "server.log"
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("run_server.py"))],
                cwd=repository,
                env={
                    **environment,
                    "PYTHONPATH": str(repository),
                    "PYTHONUNBUFFERED": "1",
                    "OPENBLAS_NUM_THREADS": "1",  # numpy starts others when it is imported
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()
        ready = self._ready.get(timeout=_LONGEST_SECONDS)
        assert ready.get("ready"), self._log.read_text()
        # A fork of a process with threads may stop at a lock that none of its own threads holds.
        assert ready["threads"] == 1, ready

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for run in self._runs.values():
            if run.code is None:
                run.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def start(
        self,
        data: Path,
        settings: Mapping[str, str] = MappingProxyType({}),
        *,
        largest_file: int | None = None,
        clock: timedelta = timedelta(0),
    ) -> Run:
        """Start `python -m orchestration run` on a data folder.

        Args:
            data: the data folder.
            settings: environment variables of this run.
            largest_file: bytes; no file may grow beyond.
            clock: how far ahead of the machine's clock that of the run is.
        """
        if not (self._link.is_symlink() and self._link.readlink() == data):
            assert all(run.code is not None for run in self._runs.values()), "one school at a time"
            point_link(self._link, data)
        self._number += 1
        log = self._logs / f"{self._number}.log"
        request = {
            "number": self._number,
            "log": str(log),
            "environment": dict(settings),
            "largest_file": largest_file,
            "clock": clock.total_seconds(),
        }
        run = self._runs[self._number] = Run(log)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        assert run.until(STARTING), self._log.read_text()
        return run

    def run(self, data: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Run:
        """Run the job to its end, which must be a good one."""
        run = self.start(data, settings)
        assert run.wait() == 0, run.output
        return run

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self._ready.put(message)
            else:
                self._runs[message["number"]].hear(message)
        self._ready.put({})
