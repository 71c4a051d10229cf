"""Which runs are alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.liveness import alive, bury, dead_runs, has_died, leave_for_dead
from orchestration.settings import REPOSITORY, Settings

_LIVE = """
import sys
from orchestration.liveness import alive
from orchestration.settings import Settings
with alive(Settings(), sys.argv[1]):
    print("alive", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))
    return Settings()


def test_a_run_is_alive_while_its_block_lasts(settings: Settings) -> None:
    with alive(settings, "one"):
        assert not has_died(settings, "one")
        assert dead_runs(settings) == []
    assert not has_died(settings, "one")
    assert dead_runs(settings) == []


def test_a_run_that_failed_has_not_died(settings: Settings) -> None:
    with pytest.raises(ValueError, match="on its own"), alive(settings, "one"):
        raise ValueError("on its own")

    assert not has_died(settings, "one")


def test_a_run_that_cannot_tell_of_its_end_has_died_until_it_is_buried(settings: Settings) -> None:
    with alive(settings, "one"):
        pass
    leave_for_dead(settings, "one")

    assert dead_runs(settings) == ["one"]
    bury(settings, "one")
    assert dead_runs(settings) == []


def test_a_run_that_was_killed_has_died_until_it_is_buried(settings: Settings) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _LIVE, "one"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ,
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert not has_died(settings, "one")

    process.kill()
    process.wait()
    assert has_died(settings, "one")
    assert dead_runs(settings) == ["one"]

    bury(settings, "one")
    assert not has_died(settings, "one")
    assert dead_runs(settings) == []


def test_a_run_that_was_never_seen_is_not_called_dead(settings: Settings) -> None:
    assert not has_died(settings, "nobody")
