"""What people are alerted of, whoever notices it: the command line or Dagster's sensors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb

from orchestration import alerting
from orchestration.alerting import Alert, RunEnd, Undelivered
from orchestration.demo import read_marker
from orchestration.errors import NorthstarError
from orchestration.liveness import dead_runs
from orchestration.progress import tell
from orchestration.publishing import current_publication, published_file
from orchestration.settings import Settings, read_alert_settings

# Exported every night, unlike surveys: when one of them stops, the others would hide it.
_NIGHTLY_SOURCES = {"amplitude_events": "Amplitude", "zendesk_tickets": "Zendesk"}
_ATTEMPTS = 3


def tell_of_run(end: RunEnd) -> list[Alert]:
    """Tell of a run that failed, or of checks that did not pass in one that succeeded."""
    settings, now = read_alert_settings(), datetime.now(UTC)
    if not end.succeeded:
        return alerting.tell(settings, [alerting.failed_run(end)], now)
    return alerting.tell_of_checks(settings, end, now)


def tell_of_what_is_wrong(settings: Settings) -> list[Alert]:
    """Tell of runs whose process is gone, and of exports that no longer come."""
    alert_settings, now = read_alert_settings(), datetime.now(UTC)
    killed = [alerting.killed_run(run_id) for run_id in dead_runs(settings)]
    limit = timedelta(hours=alert_settings.stale_hours)
    stale = alerting.stale_exports(newest_exports(settings), now, limit) if limit else []
    return alerting.tell(alert_settings, [*killed, *stale], now)


def newest_exports(settings: Settings) -> dict[str, datetime]:
    """The end of the newest export by source, as readers of the published file see it.

    Nothing of a demo, whose exports end for ever on one day; nothing while nothing is published.
    """
    publication = current_publication(settings)
    if publication is None or read_marker(settings.landing) is not None:
        return {}
    zone = ZoneInfo(settings.reporting_timezone)
    newest: dict[str, datetime] = {}
    if publication.as_of is not None and publication.fingerprint.as_of is None:
        newest["the published data"] = datetime.combine(publication.as_of, time(), zone)
    if "ops.loaded_files" in {table.relation for table in publication.tables}:
        with duckdb.connect(str(published_file(settings)), read_only=True) as reader:
            found = reader.execute(
                """
                select source, max(newest_export_at)
                from ops.loaded_files
                where newest_export_at is not null
                group by source
                """
            ).fetchall()
        newest |= {
            _NIGHTLY_SOURCES[source]: time_found.replace(tzinfo=UTC)
            for source, time_found in found
            if source in _NIGHTLY_SOURCES
        }
    return newest


def deliver_alerts(attempts: int = 1) -> list[Undelivered]:
    """Deliver what is owed, also of earlier runs."""
    return alerting.deliver(read_alert_settings(), datetime.now(UTC), attempts=attempts)


@contextmanager
def failures_alerted(run_id: str) -> Iterator[None]:
    """Alert of whatever ends a block, other than the person who stops it, and let it through.

    For the command line, which cron may have called: nobody may be looking, and no daemon may be
    there. Never fails for reasons of its own: what is told must not depend on whether it was heard.
    """
    try:
        yield
    except Exception as error:
        with _never_failing(_print):
            text = str(error) if isinstance(error, NorthstarError) else ""
            tell_of_run(RunEnd(run_id, succeeded=False, errors=[(type(error).__name__, text)]))
            _deliver(_print)
        raise


def watch(settings: Settings) -> None:
    """Alert of everything that can be seen without a run, and deliver; see `failures_alerted`."""
    with _never_failing(tell):
        tell_of_what_is_wrong(settings)
        _deliver(tell)


def tell_safely(end: RunEnd) -> None:
    """`tell_of_run` for the command line; see `failures_alerted`."""
    with _never_failing(tell):
        tell_of_run(end)


def _print(text: str) -> None:
    print(text, file=sys.stderr)


def _deliver(say: Callable[[str], None]) -> None:
    for failure in deliver_alerts(_ATTEMPTS):
        say(str(failure))


@contextmanager
def _never_failing(say: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except NorthstarError as error:
        say(f"Nobody was alerted: {error}")
    except alerting.UnwrittenError as error:
        say(f"The alert could not be written down: {error.strerror}.")
    except (OSError, duckdb.Error) as error:
        say(f"Nobody was alerted ({type(error).__name__}): is the data folder writable?")
