"""One rebuild at a time: an operating-system lock that is held for the whole run.

`flock` rather than a file with a process id in it, since the kernel frees it when the holder dies,
however it dies: there is nothing to clean up and nothing to be stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from orchestration.errors import LockedError
from orchestration.modes import make_folder
from orchestration.settings import Settings

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as the holder wrote it down; for messages only.

    Attributes:
        run_id: the run.
        pid: its process.
        since: when it got the lock, UTC.
    """

    run_id: str
    pid: int
    since: datetime

    def __str__(self) -> str:
        return f"run {self.run_id} in process {self.pid} since {self.since:%Y-%m-%d %H:%M:%S} UTC"


@dataclass
class _Held:
    run_id: str
    descriptor: int
    depth: int
    lent_to: set[str] = field(default_factory=set)


# A second descriptor of this process would wait for the first one, so the locks that this process
# holds are counted here. Guarded, since an entry point and a job's steps may be different threads.
_held: dict[Path, _Held] = {}
_guard = threading.Lock()


@contextmanager
def rebuild_lock(
    settings: Settings, run_id: str, *, on_wait: Callable[[Holder], None] | None = None
) -> Iterator[None]:
    """Hold the lock of the warehouse for a run; whoever comes second waits.

    The same run may enter again in the same process (the command line and the job that it starts
    both do); the lock is freed when the last of them leaves. Another run waits, also in the same
    process, unless it was `lent` the lock. A child process takes no part in its parent's lock
    unless it is handed the descriptor: run a run's steps in one process.

    Args:
        settings: say where the lock lies and how long to wait.
        run_id: the run that wants to rebuild.
        on_wait: called once, with the holder, when the lock is not free.

    Raises:
        LockedError: the lock was not free within `lock_wait_seconds`, or cannot be used here.
    """
    path = settings.lock
    make_folder(settings.data)
    _enter(path, run_id, settings.lock_wait_seconds, on_wait)
    try:
        yield
    finally:
        _leave(path)


@contextmanager
def lent(settings: Settings, run_id: str) -> Iterator[None]:
    """Let one more run of this process enter the lock that this process holds, for a block.

    For whoever starts several runs one after the other and lets nobody else in between. Dagster
    knows each of them by an id of its own.

    Raises:
        LockedError: this process does not hold the lock.
    """
    held = _held_here(settings)
    with _guard:
        held.lent_to.add(run_id)
    try:
        yield
    finally:
        with _guard:
            held.lent_to.discard(run_id)


def held_descriptor(settings: Settings) -> int:
    """The descriptor of the lock that this process holds.

    A child process that is handed it keeps the lock until it ends, should this one be killed.

    Raises:
        LockedError: this process does not hold the lock.
    """
    return _held_here(settings).descriptor


def _held_here(settings: Settings) -> _Held:
    with _guard:
        held = _held.get(settings.lock)
    if held is None:
        raise LockedError(f"{settings.lock} is not held by this process. Enter the lock first.")
    return held


def read_holder(path: Path) -> Holder | None:
    """Who last wrote into the lock file; None when nobody did or when it is being written."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Holder(told["run_id"], told["pid"], datetime.fromisoformat(told["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _enter(
    path: Path, run_id: str, wait_seconds: float, on_wait: Callable[[Holder], None] | None
) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        with _guard:
            held = _held.get(path)
            if held is not None and (held.run_id == run_id or run_id in held.lent_to):
                held.depth += 1
                return
            descriptor = _try_lock(path) if held is None else None
            if descriptor is not None:
                _write_holder(descriptor, run_id)
                _held[path] = _Held(run_id, descriptor, depth=1)
                return
        holder = read_holder(path)
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockedError(
                f"Another rebuild is running: {holder or 'its run is not known yet'}. Waited "
                f"{wait_seconds:g} seconds (NORTHSTAR_LOCK_WAIT_SECONDS) and changed nothing. "
                "Run again when it has ended, or stop it first."
            )
        if holder is not None and on_wait is not None:
            on_wait(holder)
            on_wait = None
        time.sleep(min(_POLL_SECONDS, left))


def _leave(path: Path) -> None:
    with _guard:
        held = _held[path]
        held.depth -= 1
        if held.depth == 0:
            del _held[path]
            os.ftruncate(held.descriptor, 0)
            os.close(held.descriptor)


def _try_lock(path: Path) -> int | None:
    """Lock the file; None when another holds it. Returns the open descriptor, which is the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A file that was deleted and made anew while we waited is another lock than ours.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except BlockingIOError:
        pass
    except OSError as error:
        os.close(descriptor)
        raise LockedError(
            f"{path} cannot be locked ({error.strerror}). Put NORTHSTAR_DATA_DIR on a local disk: "
            "the lock is what keeps two rebuilds apart."
        ) from error
    os.close(descriptor)
    return None


def _write_holder(descriptor: int, run_id: str) -> None:
    told = {"run_id": run_id, "pid": os.getpid(), "since": datetime.now(UTC).isoformat()}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(told).encode(), 0)


def _forget_in_child() -> None:
    """Let go of the parent's locks in a forked child.

    The lock lives as long as any copy of its descriptor: a worker process that outlives a killed
    run would keep it. Closing a copy does not free the parent's lock.
    """
    global _guard
    _guard = threading.Lock()
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
