"""One rebuild at a time, whatever happens to the one that runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.errors import LockedError
from orchestration.lock import Holder, held_descriptor, lent, read_holder, rebuild_lock
from orchestration.settings import REPOSITORY, Settings

HOLD = """
import sys, time
from pathlib import Path
from orchestration.lock import rebuild_lock
from orchestration.settings import Settings
with rebuild_lock(Settings(data_dir=Path(sys.argv[1])), sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""

# Hands the lock to a child, which outlives it by being killed last.
HAND_ON = """
import subprocess, sys
from pathlib import Path
from orchestration.lock import held_descriptor, rebuild_lock
from orchestration.settings import Settings
settings = Settings(data_dir=Path(sys.argv[1]))
with rebuild_lock(settings, "killed"):
    child = subprocess.Popen(["sleep", "60"], pass_fds=[held_descriptor(settings)])
    print(child.pid, flush=True)
    child.wait()
"""

# Two of these at once: each writes that it begins and ends; interleaved lines mean no lock.
TAKE_TURNS = """
import sys, time
from pathlib import Path
from orchestration.lock import rebuild_lock
from orchestration.settings import Settings
folder, run = Path(sys.argv[1]), sys.argv[2]
for _ in range(10):
    with rebuild_lock(Settings(data_dir=folder, lock_wait_seconds=60), run):
        for step in ("begin", "end"):
            with (folder / "turns.txt").open("a") as turns:
                turns.write(f"{run} {step}\\n")
            time.sleep(0.01)
"""


def _settings(data: Path, wait_seconds: float = 0) -> Settings:
    return Settings(data_dir=data, lock_wait_seconds=wait_seconds)


@contextmanager
def _another_process_holds(data: Path, run_id: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data), run_id],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_another_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with (
        _another_process_holds(tmp_path, "run-a") as process,
        pytest.raises(LockedError, match=f"run run-a in process {process.pid} since 20"),
        rebuild_lock(_settings(tmp_path), "run-b"),
    ):
        pytest.fail("two runs hold the lock")


def test_after_a_kill_the_next_run_starts_at_once(tmp_path: Path) -> None:
    with _another_process_holds(tmp_path, "run-a") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        told: list[Holder] = []
        with rebuild_lock(_settings(tmp_path), "run-b", on_wait=told.append):
            holder = read_holder(_settings(tmp_path).lock)
        assert told == []
        assert holder is not None
        assert (holder.run_id, holder.pid) == ("run-b", os.getpid())


def test_a_waiting_run_goes_on_when_the_holder_is_killed(tmp_path: Path) -> None:
    with _another_process_holds(tmp_path, "run-a") as process:
        told: list[Holder] = []

        def kill(holder: Holder) -> None:
            told.append(holder)
            process.kill()

        with rebuild_lock(_settings(tmp_path, wait_seconds=30), "run-b", on_wait=kill):
            pass
        assert [holder.run_id for holder in told] == ["run-a"]
        assert told[0].pid == process.pid


def test_a_run_waits_as_long_as_the_setting_says(tmp_path: Path) -> None:
    with _another_process_holds(tmp_path, "run-a"):
        start = time.monotonic()
        with (
            pytest.raises(LockedError, match=r"Waited 0\.4 seconds"),
            rebuild_lock(_settings(tmp_path, wait_seconds=0.4), "run-b"),
        ):
            pytest.fail("two runs hold the lock")
        assert 0.4 <= time.monotonic() - start < 5


def test_two_runs_at_once_take_turns(tmp_path: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", TAKE_TURNS, str(tmp_path), run], cwd=REPOSITORY)
        for run in ("a", "b")
    ]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    lines = (tmp_path / "turns.txt").read_text().split("\n")[:-1]
    assert len(lines) == 40
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert begin.split() == [end.split()[0], "begin"]
        assert end.split()[1] == "end"


def test_the_same_run_enters_again_and_the_last_one_out_frees_the_lock(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with rebuild_lock(settings, "run-a"):
        with rebuild_lock(settings, "run-a"):
            pass
        with pytest.raises(LockedError), rebuild_lock(settings, "run-b"):
            pytest.fail("the inner one freed the lock")
    with rebuild_lock(settings, "run-b"):
        pass


def test_another_run_of_the_same_process_waits_too(tmp_path: Path) -> None:
    settings = _settings(tmp_path, wait_seconds=30)
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with rebuild_lock(settings, "run-b", on_wait=lambda _: waiting.set()):
            order.append("second in")

    thread = threading.Thread(target=second)
    with rebuild_lock(settings, "run-a"):
        thread.start()
        assert waiting.wait(timeout=30)
        order.append("first out")
    thread.join(timeout=30)
    assert order == ["first out", "second in"]


def test_a_run_that_was_lent_the_lock_enters_it_and_nobody_else_does(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with rebuild_lock(settings, "run-a"):
        with lent(settings, "run-b"):
            with rebuild_lock(settings, "run-b"):
                pass
            with pytest.raises(LockedError), rebuild_lock(settings, "run-c"):
                pytest.fail("it was not lent to this one")
        with pytest.raises(LockedError), rebuild_lock(settings, "run-b"):
            pytest.fail("it was given back")
    with pytest.raises(LockedError, match="not held"), lent(settings, "run-b"):
        pytest.fail("nobody lends what is not held")


def test_the_lock_is_free_after_an_error_in_the_run(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with pytest.raises(ZeroDivisionError), rebuild_lock(settings, "run-a"):
        raise ZeroDivisionError
    with rebuild_lock(settings, "run-b"):
        pass


def test_a_worker_that_outlives_a_killed_run_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A forked worker inherits the descriptor, and the kernel's lock lives as long as any copy."""
    read, write = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            with rebuild_lock(_settings(tmp_path), "run-a"):
                worker = os.fork()
                if worker != 0:
                    os.write(write, str(worker).encode())
                time.sleep(60)
        finally:
            os._exit(0)
    worker = int(os.read(read, 20))
    try:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        with rebuild_lock(_settings(tmp_path), "run-b"):
            os.kill(worker, 0)  # still alive
    finally:
        os.kill(worker, signal.SIGKILL)
        os.close(read)
        os.close(write)


def test_a_child_that_was_handed_the_lock_keeps_it_when_its_parent_is_killed(
    tmp_path: Path,
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", HAND_ON, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        parent.kill()
        parent.wait()
        with pytest.raises(LockedError, match="run killed"), rebuild_lock(_settings(tmp_path), "b"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
    with rebuild_lock(_settings(tmp_path, wait_seconds=10), "b"):
        pass


def test_nobody_hands_on_a_lock_that_is_not_held(tmp_path: Path) -> None:
    with pytest.raises(LockedError, match="not held"):
        held_descriptor(_settings(tmp_path))


def test_a_lock_file_that_was_deleted_does_not_let_two_in(tmp_path: Path) -> None:
    """Deleting the file frees nothing: who waits on the old file must notice the new one."""
    settings = _settings(tmp_path, wait_seconds=30)
    inside: list[str] = []
    waiting = threading.Event()

    def waiter() -> None:
        with rebuild_lock(settings, "run-b", on_wait=lambda _: waiting.set()):
            inside.append("run-b")

    thread = threading.Thread(target=waiter)
    with _another_process_holds(tmp_path, "run-a") as first:
        thread.start()
        assert waiting.wait(timeout=30)
        settings.lock.unlink()
        thread.join(timeout=30)
        assert inside == ["run-b"]
        with _another_process_holds(tmp_path, "run-c"):
            first.kill()
            with pytest.raises(LockedError, match="run-c"), rebuild_lock(_settings(tmp_path), "d"):
                pytest.fail("the lock of the deleted file counts")


def test_the_lock_file_is_private(tmp_path: Path) -> None:
    with rebuild_lock(_settings(tmp_path), "run-a"):
        assert _settings(tmp_path).lock.stat().st_mode & 0o777 == 0o600
