"""Which runs are alive: each holds a lock on a file of its own, which the kernel frees on a kill.

Dagster notes that a run has started and learns nothing more when its process is killed: without
this the run would count as running for ever, and whoever waits for it with it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.settings import Settings

# The runs that this process shows to be alive.
_shown: set[str] = set()


@contextmanager
def alive(settings: Settings, run_id: str) -> Iterator[None]:
    """Show that a run is alive for the time of a block; within another such block it does nothing.

    Whoever has Dagster note the run's beginning or end does so within: a kill right after the one,
    or right before the other, leaves a sign, too.
    """
    if run_id in _shown:
        yield
        return
    path = _sign_of_life(settings, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Locked before it gets its name: nobody may find it unlocked while the run is alive.
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.replace(path)
        _shown.add(run_id)
        yield
    finally:
        _shown.discard(run_id)
        path.unlink(missing_ok=True)
        os.close(descriptor)


def has_died(settings: Settings, run_id: str) -> bool:
    """Whether a run was alive and ended without saying so. Of a run never seen, it is not known."""
    try:
        descriptor = os.open(_sign_of_life(settings, run_id), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def dead_runs(settings: Settings) -> list[str]:
    """The runs that ended without saying so."""
    folder = _sign_of_life(settings, "any").parent
    run_ids = sorted(path.stem for path in folder.glob("*.alive"))
    return [run_id for run_id in run_ids if has_died(settings, run_id)]


def leave_for_dead(settings: Settings, run_id: str) -> None:
    """Let the next run tell of the end of this one, which could not tell of it itself.

    An empty file is made even where a disk is full.
    """
    path = _sign_of_life(settings, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)


def bury(settings: Settings, run_id: str) -> None:
    """Forget a dead run, once whoever waits for it has been told."""
    _sign_of_life(settings, run_id).unlink(missing_ok=True)


def _sign_of_life(settings: Settings, run_id: str) -> Path:
    return settings.lock.parent / "runs" / f"{run_id}.alive"
