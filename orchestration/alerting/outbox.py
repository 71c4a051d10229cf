"""What was told, and what is still to be delivered: nothing is lost, nothing is repeated.

An alert is written to the log first, and in the same step it becomes owed to every channel that
is configured. Whoever told it may forget it then: it is delivered at once, and, where that fails,
again by whoever comes next (a sensor's tick, the next run), at growing distances, for two days.
A kill between sending and noting it sends it once more, never not at all.

Where nothing can be written, on a full disk above all, alerts go to the channels directly, and
whoever tells them is told so: they are told again, and then noted, by whoever comes next.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ValidationError

from orchestration.alerting.alerts import Alert
from orchestration.alerting.findings import RunEnd, failed_checks
from orchestration.durable import write_file
from orchestration.modes import make_folder
from orchestration.settings import AlertSettings

_GIVE_UP_AFTER = timedelta(days=2)
_LONGEST_PAUSE = timedelta(hours=1)
# What has not been told for so long may be told again.
_FORGET_AFTER = timedelta(days=90)
# Folder, key and channel of what this process has delivered and could not note.
_unnoted: set[tuple[Path, str, str]] = set()


class _Owed(BaseModel):
    """An alert that a channel has not taken yet."""

    alert: Alert
    channel: str
    since: datetime
    attempts: int = 0
    not_before: datetime

    def delivery(self, settings: AlertSettings) -> tuple[Path, str, str]:
        """What `_unnoted` knows it by."""
        return settings.folder, self.alert.key, self.channel


class _Memory(BaseModel):
    """What outlives a process.

    Attributes:
        told: keys of alerts, and when they were told.
        wrong: how much was wrong in the newest run, by check.
        owed: what is still to be delivered.
    """

    told: dict[str, datetime] = {}
    wrong: dict[str, float] = {}
    owed: list[_Owed] = []


@dataclass(frozen=True)
class Undelivered:
    """An attempt that failed, and whether another one follows."""

    channel: str
    reason: str
    is_given_up: bool

    def __str__(self) -> str:
        after = "given up; see the log of alerts" if self.is_given_up else "tried again later"
        return f"An alert was not delivered by {self.channel} ({self.reason}): {after}."


class UnwrittenError(OSError):
    """Alerts could not be written down; the text says who was told nevertheless."""


def log_file(settings: AlertSettings) -> Path:
    """Where every alert is written, whatever else is configured."""
    return settings.folder / "alerts.log"


def tell(settings: AlertSettings, alerts: Iterable[Alert], now: datetime) -> list[Alert]:
    """Write alerts to the log and owe them to the channels, unless they were told before.

    Args:
        settings: whom to tell.
        alerts: what is wrong now.
        now: with a time zone.

    Returns:
        Those that are new.

    Raises:
        UnwrittenError: they could not be written; channels were told directly, once by a process.
    """
    wanted = list(alerts)
    if not wanted:
        return []
    with _told_directly_if_unwritten(settings, wanted), _remembered(settings, now) as memory:
        return _tell(settings, memory, wanted, now)


def tell_of_checks(settings: AlertSettings, end: RunEnd, now: datetime) -> list[Alert]:
    """Tell of checks that pass no longer, or are worse than in the run before; see `tell`."""
    found: list[Alert] = []
    with _told_directly_if_unwritten(settings, found), _remembered(settings, now) as memory:
        alert = failed_checks(end, memory.wrong)
        found += [alert] if alert else []
        told = _tell(settings, memory, found, now)
        memory.wrong = {check.name: check.found for check in end.checks}
    return told


def deliver(
    settings: AlertSettings, now: datetime, *, attempts: int = 1, pause_seconds: float = 1
) -> list[Undelivered]:
    """Deliver what is owed and due.

    Args:
        settings: the channels.
        now: with a time zone.
        attempts: how often to try now, for callers that do not come again soon.
        pause_seconds: between them.

    Returns:
        What could not be delivered. It stays owed, unless it was given up.
    """
    due = _take_due(settings, now) if _memory_file(settings).exists() else ()
    if not due:
        return []
    # Not before: clients of mail and web take their time to import.
    from orchestration.alerting.channels import NotDelivered, send

    failures: list[Undelivered] = []
    for owed in due:
        reason: str | None = f"{owed.channel} is configured no longer"
        if owed.channel in settings.channels:
            for attempt in range(attempts):
                if attempt:
                    time.sleep(pause_seconds)
                try:
                    send(owed.channel, settings, owed.alert)
                except NotDelivered as error:
                    reason = str(error)
                else:
                    reason = None
                    break
        gives_up = owed.channel not in settings.channels or now - owed.since >= _GIVE_UP_AFTER
        if reason is None:
            _unnoted.add(owed.delivery(settings))
        # What cannot be noted stays owed, and must not keep others from being told.
        with suppress(OSError):
            if reason is None or gives_up:
                with _remembered(settings, now) as memory:
                    memory.owed = [
                        other
                        for other in memory.owed
                        if other.delivery(settings) != owed.delivery(settings)
                    ]
                _unnoted.discard(owed.delivery(settings))
        if reason is not None:
            failures.append(Undelivered(owed.channel, reason, gives_up))
            with suppress(OSError):
                _log(settings, now, f"NOT DELIVERED {failures[-1]} ({owed.alert.key})")
    return failures


def _take_due(settings: AlertSettings, now: datetime) -> Sequence[_Owed]:
    """What is due; nobody else takes it before the next attempt is, which is noted in advance."""
    due: list[_Owed] = []
    # Where nothing can be noted, it is delivered all the same.
    with suppress(OSError), _remembered(settings, now) as memory:
        memory.owed = [owed for owed in memory.owed if owed.delivery(settings) not in _unnoted]
        for owed in memory.owed:
            if owed.since > now:  # the clock was set back
                owed.since = owed.not_before = now
        due = [owed.model_copy() for owed in memory.owed if owed.not_before <= now]
        for owed in memory.owed:
            if owed.not_before <= now:
                pause = min(timedelta(minutes=2 ** min(owed.attempts, 6)), _LONGEST_PAUSE)
                owed.attempts += 1
                owed.not_before = now + pause
    return due


def _tell(
    settings: AlertSettings, memory: _Memory, alerts: Iterable[Alert], now: datetime
) -> list[Alert]:
    new: list[Alert] = []
    for alert in alerts:
        if alert.key in memory.told:
            continue
        _log(settings, now, f"{alert.severity.upper()} {' | '.join(alert.lines)}")
        memory.told[alert.key] = now
        memory.owed += [
            _Owed(alert=alert, channel=channel, since=now, not_before=now)
            for channel in settings.channels
            if (settings.folder, alert.key, channel) not in _unnoted
        ]
        new.append(alert)
    return new


@contextmanager
def _told_directly_if_unwritten(settings: AlertSettings, alerts: Sequence[Alert]) -> Iterator[None]:
    """Deliver alerts past the log and the memory if these cannot be used in a block."""
    try:
        yield
    except OSError as error:
        told = _deliver_directly(settings, alerts)
        raise UnwrittenError(
            error.errno,
            f"{settings.folder} cannot be used ({error.strerror or type(error).__name__}); "
            f"{'; '.join(told) if told else 'nobody was told'}",
        ) from error


def _deliver_directly(settings: AlertSettings, alerts: Sequence[Alert]) -> list[str]:
    """Try every channel once for what was not told before; says by channel what came of it."""
    from orchestration.alerting.channels import NotDelivered, send

    known: Mapping[str, datetime] = {}
    with suppress(OSError, ValidationError):
        known = _Memory.model_validate_json(_memory_file(settings).read_bytes()).told
    said: list[str] = []
    for alert in alerts:
        for channel in settings.channels:
            delivery = (settings.folder, alert.key, channel)
            if alert.key in known or delivery in _unnoted:
                continue
            try:
                send(channel, settings, alert)
            except NotDelivered as error:
                said.append(f"not delivered by {channel} ({error})")
            else:
                _unnoted.add(delivery)
                said.append(f"delivered directly by {channel}")
    return said


def _log(settings: AlertSettings, now: datetime, line: str) -> None:
    """Append one line, on disk before anything else happens."""
    descriptor = os.open(log_file(settings), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    left = f"{now.isoformat(timespec='seconds')} {line}\n".encode()
    try:
        while left:  # a disk that has become full takes the beginning and says nothing
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _memory_file(settings: AlertSettings) -> Path:
    return settings.folder / "memory.json"


@contextmanager
def _remembered(settings: AlertSettings, now: datetime) -> Iterator[_Memory]:
    """The memory, for one process at a time; what has changed of it is kept."""
    folder = settings.folder
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    path = _memory_file(settings)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        memory = _read(settings, path, now)
        before = memory.model_dump_json()
        yield memory
        memory.told = {key: at for key, at in memory.told.items() if now - at < _FORGET_AFTER}
        after = memory.model_dump_json()
        if after != before:
            write_file(path, after.encode(), 0o600)
    finally:
        os.close(descriptor)


def _read(settings: AlertSettings, path: Path, now: datetime) -> _Memory:
    try:
        return _Memory.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _Memory()
    except ValidationError:
        # What merely cannot be read now may be there the next time: an OSError goes through.
        _log(settings, now, f"{path} is damaged; it is begun anew.")
        return _Memory()
