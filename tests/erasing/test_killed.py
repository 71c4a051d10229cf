"""`make erase` killed by the kernel at one of its stages, and completed by `make run`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.tombstones import unfinished
from tests.end_to_end.conftest import School
from tests.erasing.canaries import ANN, BEN, event, plant, search, words_of
from tests.erasing.conftest import SETTINGS, run
from tests.torture.measure import MEASURE

# What is printed when a stage begins, from the writing of the tombstone on.
_TAKING_OUT = "Taking the rows out"
_PUBLISHED = "Published"
_STAGES = (_TAKING_OUT, "Took the rows out", "Loaded the exports", "Built and tested", _PUBLISHED)
_IN_SHORT = (_TAKING_OUT, _PUBLISHED)


def _start(school: School, given: str) -> subprocess.Popen[str]:
    """Start `make erase` in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "erase"],
        cwd=school.repository,
        # Nobody else wants the lock: whoever waits for it waits for itself.
        env=school.environment | SETTINGS | {"NORTHSTAR_LOCK_WAIT_SECONDS": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(given)
    process.stdin.close()
    return process


def _kill_at(process: subprocess.Popen[str], stage: str) -> str:
    """Kill it as soon as it says that it has come to a stage; returns what it has said."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if stage in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait(60)
    assert stage in (said or [""])[-1], "".join(said)
    return "".join(said)


@pytest.mark.parametrize("stage", _STAGES if MEASURE.is_full else _IN_SHORT)
def test_what_was_killed_is_completed_and_told_by_the_next_run(
    canary_school: School, tmp_path: Path, stage: str
) -> None:
    school = canary_school.copy_data(tmp_path / "data")
    landing = school.settings.landing
    # Arrived since the last run, with an id of hers that the warehouse does not know.
    phone = ANN.word("device", "phone")
    late = [
        event(ANN, 80, device_id=phone),
        event(ANN, 81, device_id=phone, user_id=None, amplitude_id=None, user_properties={}),
        event(BEN, 82),
    ]
    lines = "".join(f"{json.dumps(row)}\n" for row in late)
    if stage == _TAKING_OUT:
        plant(landing, {"amplitude/100042_2025-06-01_10#0.json": lines.encode()})
        plant(landing, {"notes.txt": f"{ANN.email} wrote".encode()})

    said = _kill_at(_start(school, f"{ANN.user}\n"), stage)
    assert ("Building first" in said) == (stage == _TAKING_OUT)
    assert len(unfinished(school.settings, "own")) == 1
    done = run(school, "run")

    assert done.returncode == 0, done.stderr + done.stdout
    assert unfinished(school.settings, "own") == []
    (landing / "notes.txt").unlink(missing_ok=True)
    assert search(school.data, words=words_of(ANN)) == {}
    assert len(search(landing, words=words_of(BEN))) >= 15
    assert len(list((school.data / "published" / "publications").iterdir())) == 1
    told = done.stdout + done.stderr
    stone = json.loads((school.settings.state / "tombstones/own/000001.json").read_bytes())
    assert f"Erased (tombstone {stone['id']})" in told
    assert f"Publications        {1 + (stage == _TAKING_OUT)} removed" in told
    assert ("Look yourself: notes.txt" in told) == (stage == _TAKING_OUT)
    assert "zqcanary" not in told.lower()
