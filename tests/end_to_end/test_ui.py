"""Dagster's UI over the code location, as `make ui` starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.loading.warehouse import stamped_run
from orchestration.lock import rebuild_lock
from orchestration.publishing import current_publication
from orchestration.settings import REPOSITORY
from tests.end_to_end.conftest import School
from tests.end_to_end.processes import processes
from tests.end_to_end.test_rebuilds import has_begun

LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "northstar"}
LAUNCH = """
    mutation ($job: JobOrPipelineSelector!) {
      launchRun(executionParams: {selector: $job}) {
        __typename
        ... on LaunchRunSuccess { run { runId } }
        ... on PythonError { message }
      }
    }
    """
# Some seconds of work on two cores, so that there is something to cancel.
SLOW_MODEL = """
    select sum(hash(one.range + other.range) % 7) as sevens
    from range(4000) as one, range(100000) as other
    """
# As the Makefile starts them.
UI = ("dagster", "dev")
READ_ONLY = ("dagster-webserver", "--read-only")
Ask = Callable[..., Any]


@dataclass(frozen=True)
class Server:
    """A server of the UI.

    Attributes:
        ask: a question to it.
        pid: its process, which leads a group.
    """

    ask: Ask
    pid: int


@pytest.fixture(scope="module")
def school(published_school: School, tmp_path_factory: pytest.TempPathFactory) -> School:
    folder = tmp_path_factory.mktemp("ui")
    shutil.copytree(published_school.repository, folder / "repository")
    shutil.copytree(published_school.data, folder / "data", symlinks=True)
    school = School(folder / "repository", folder / "data")
    school.add("models/intermediate/int_slow.sql", SLOW_MODEL)
    return school


@pytest.fixture(scope="module")
def secret(school: School) -> str:
    """The secret that the school's data was made with, handed over as that of own exports is."""
    return (school.data / "state" / "demo.key").read_text()


@pytest.fixture(scope="module")
def home(school: School) -> str:
    return subprocess.run(
        [sys.executable, "-m", "orchestration", "home"],
        cwd=school.repository,
        env=school.environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture(scope="module")
def ui(school: School, home: str, secret: str) -> Iterator[Server]:
    with serve(UI, school, home, secret) as server:
        yield server


@pytest.fixture(scope="module")
def read_only(school: School, home: str, secret: str) -> Iterator[Server]:
    with serve(READ_ONLY, school, home, secret) as server:
        yield server


@contextmanager
def serve(command: tuple[str, ...], school: School, home: str, secret: str) -> Iterator[Server]:
    """Run a server for the time of a block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).parent / command[0])
    server = subprocess.Popen(
        [program, *command[1:], "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
        cwd=school.repository,
        env=school.environment
        | {"DAGSTER_HOME": home, "NORTHSTAR_AS_OF": "2026-06-15", "NORTHSTAR_SECRET": secret},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def ask(query: str, **variables: object) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.loads(answer.read())
        assert "errors" not in told, told
        return told["data"]

    try:
        until(lambda: is_up(ask), 240)
        yield Server(ask, server.pid)
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def family(pid: int) -> dict[int, str]:
    """The processes of a session that a process leads, with their command lines."""
    return {found.pid: found.arguments for found in processes() if found.session == pid}


def listening_addresses(pid: int) -> set[str]:
    """The addresses on which the processes of a session wait for connections (TCP)."""
    sockets = set()
    for member in family(pid):
        for link in Path(f"/proc/{member}/fd").glob("*"):
            with suppress(OSError):
                sockets.add(str(link.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                words = bytes.fromhex(fields[1].split(":")[0])
                packed = b"".join(
                    words[start : start + 4][::-1] for start in range(0, len(words), 4)
                )
                found.add(str(ip_address(packed)))
    return found


def is_up(ask: Ask) -> bool:
    try:
        return bool(ask("{ version }")["version"])
    except (urllib.error.URLError, ConnectionError):
        return False


def until(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.3)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_the_ui_listens_on_the_loopback_only(ui: Server, read_only: Server) -> None:
    for server in (ui, read_only):
        assert listening_addresses(server.pid) == {"127.0.0.1"}


def test_the_makefile_starts_the_ui_so() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()

    assert "\nHOST := 127.0.0.1\n" in makefile
    where = "-w workspace.yaml -h $(HOST) -p $(PORT)\n"
    for command in (UI, READ_ONLY):
        assert f"exec $(BIN)/{' '.join(command)} {where}" in makefile


def test_onlookers_see_everything_and_start_and_change_nothing(
    school: School, read_only: Server
) -> None:
    before = current_publication(school.settings)
    ask = read_only.ask
    job, sensor = LOCATION | {"jobName": "rebuild"}, LOCATION | {"sensorName": "landing_files"}

    runs = ask("{ runsOrError { ... on Runs { results { runId } } } }")["runsOrError"]["results"]
    assert len(runs) >= 1
    assert ask(LAUNCH, job=job)["launchRun"]["__typename"] == "UnauthorizedError"
    refused = ask(
        """
        mutation ($sensor: SensorSelector!, $schedule: ScheduleSelector!, $run: String!) {
          startSensor(sensorSelector: $sensor) { __typename }
          startSchedule(scheduleSelector: $schedule) { __typename }
          deletePipelineRun(runId: $run) { __typename }
          wipeAssets(assetPartitionRanges: [{assetKey: {path: ["raw", "events"]}}]) { __typename }
          terminateRun(runId: $run) { __typename ... on TerminateRunFailure { message } }
          reloadWorkspace { __typename }
        }
        """,
        sensor=sensor,
        schedule=LOCATION | {"scheduleName": "daily"},
        run=runs[0]["runId"],
    )
    stop = refused.pop("terminateRun")
    assert stop["message"] == "You do not have permission to terminate this run"
    assert {name: told["__typename"] for name, told in refused.items()} == dict.fromkeys(
        refused, "UnauthorizedError"
    )
    after = ask("{ runsOrError { ... on Runs { results { runId } } } }")["runsOrError"]["results"]
    assert after == runs
    assert current_publication(school.settings) == before


# Before the one that switches automation on, which would start runs of its own.
def test_a_run_that_is_cancelled_leaves_everything_as_it_was(school: School, ui: Server) -> None:
    before = school.published.read_bytes()
    launched = ui.ask(LAUNCH, job=LOCATION | {"jobName": "rebuild"})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    until(lambda: has_begun(school.settings.dagster_home, run_id, "dbt_models"), 240)

    cancelled = ui.ask(
        """
        mutation ($id: String!) {
          terminateRun(runId: $id) {
            __typename
            ... on TerminateRunFailure { message }
            ... on PythonError { message }
          }
        }
        """,
        id=run_id,
    )["terminateRun"]
    assert cancelled["__typename"] == "TerminateRunSuccess", cancelled
    ended = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"

    def status() -> str:
        return str(ui.ask(ended, id=run_id)["runOrError"]["status"])

    until(lambda: status() not in ("STARTED", "CANCELING"), 240)
    assert status() == "CANCELED"
    assert school.published.read_bytes() == before
    # Nobody is waited for by the next run, which the next test launches.
    with rebuild_lock(school.settings.model_copy(update={"lock_wait_seconds": 5}), "the next"):
        assert list((school.data / "warehouse" / "runs").iterdir()) == []
        assert not (school.data / "warehouse" / "scratch").exists()
        publications = school.data / "published" / "publications"
        assert [path.name for path in publications.iterdir() if path.name[0] == "."] == []
        with duckdb.connect(str(school.settings.warehouse)) as warehouse:
            assert stamped_run(warehouse) == run_id


def test_automation_can_be_switched_on_and_the_job_be_launched(
    school: School, ui: Server, home: str, secret: str
) -> None:
    ask = ui.ask
    automation = ask(
        """
        query ($location: RepositorySelector!) {
          repositoryOrError(repositorySelector: $location) { ... on Repository {
            schedules { name scheduleState { status } }
            sensors { name sensorState { status } }
          } }
        }
        """,
        location=LOCATION,
    )["repositoryOrError"]
    assert automation["schedules"] == [{"name": "daily", "scheduleState": {"status": "STOPPED"}}]
    # What tells people of failures is on; what starts runs waits for somebody.
    assert {
        sensor["name"]: sensor["sensorState"]["status"] for sensor in automation["sensors"]
    } == {"alerts": "RUNNING", "failed_runs": "RUNNING", "landing_files": "STOPPED"}

    on = ask(
        """
        mutation ($schedule: ScheduleSelector!, $sensor: SensorSelector!) {
          startSchedule(scheduleSelector: $schedule) {
            ... on ScheduleStateResult { scheduleState { status } }
          }
          startSensor(sensorSelector: $sensor) { ... on Sensor { sensorState { status } } }
        }
        """,
        schedule=LOCATION | {"scheduleName": "daily"},
        sensor=LOCATION | {"sensorName": "landing_files"},
    )
    assert on["startSchedule"]["scheduleState"]["status"] == "RUNNING"
    assert on["startSensor"]["sensorState"]["status"] == "RUNNING"

    before = current_publication(school.settings)
    launched = ask(LAUNCH, job=LOCATION | {"jobName": "rebuild"})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    commands: set[str] = set()

    def has_ended() -> bool:
        commands.update(family(ui.pid).values())
        run = ask(
            "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id
        )
        return run["runOrError"]["status"] in ("SUCCESS", "FAILURE", "CANCELED")

    until(has_ended, 300)
    after = current_publication(school.settings)
    assert after is not None
    assert after.run_id == run_id
    assert before != after
    assert str(after.as_of) == "2026-06-15"

    # The daemon asks the sensor, and nothing goes wrong in it.
    def ticks() -> list[dict[str, Any]]:
        told = ask(
            """
            query ($sensor: SensorSelector!) {
              sensorOrError(sensorSelector: $sensor) { ... on Sensor {
                sensorState { ticks { status error { message } } }
              } }
            }
            """,
            sensor=LOCATION | {"sensorName": "alerts"},
        )
        found: list[dict[str, Any]] = told["sensorOrError"]["sensorState"]["ticks"]
        return [tick for tick in found if tick["status"] != "STARTED"]

    until(lambda: bool(ticks()), 180)
    assert {(tick["status"], str(tick["error"])) for tick in ticks()} == {("SKIPPED", "None")}

    # The secret is in no list of processes, and in nothing that Dagster keeps.
    assert any("webserver" in command for command in commands)
    assert any("daemon" in command for command in commands)
    assert not any(secret in command for command in commands)
    kept = [path for path in Path(home).rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.suffix == ".db" for path in kept)
    for path in kept:
        assert secret.encode() not in path.read_bytes(), path
