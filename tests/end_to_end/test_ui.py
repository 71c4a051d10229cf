"""Dagster's UI over the code location, as `make ui` starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestration.publishing import current_publication
from tests.end_to_end.conftest import School

LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "northstar"}
Ask = Callable[..., Any]


@pytest.fixture
def ask(school: School) -> Iterator[Ask]:
    """A question to the UI's server, which runs for the time of a test."""
    home = subprocess.run(
        [sys.executable, "-m", "orchestration", "home"],
        cwd=school.repository,
        env=school.environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml"),
            *("-h", "127.0.0.1", "-p", str(port)),
        ],
        cwd=school.repository,
        env=school.environment | {"DAGSTER_HOME": home, "NORTHSTAR_AS_OF": "2026-06-15"},
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
        until(lambda: is_up(ask), 90)
        yield ask
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


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


def test_automation_can_be_switched_on_and_the_job_be_launched(school: School, ask: Ask) -> None:
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
    launched = ask(
        """
        mutation ($job: JobOrPipelineSelector!) {
          launchRun(executionParams: {selector: $job}) {
            __typename
            ... on LaunchRunSuccess { run { runId } }
            ... on PythonError { message }
          }
        }
        """,
        job=LOCATION | {"jobName": "rebuild"},
    )["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    def has_ended() -> bool:
        run = ask(
            "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id
        )
        return run["runOrError"]["status"] in ("SUCCESS", "FAILURE", "CANCELED")

    until(has_ended, 120)
    after = current_publication(school.settings)
    assert after is not None
    assert after.run_id == run_id
    assert before != after
    assert str(after.as_of) == "2026-06-15"
