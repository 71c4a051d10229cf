"""What makes Dagster tell people: runs that failed, checks, stale exports.

Both sensors write to the log of alerts first, where `alerting` takes over: an alert is delivered
until it is taken, and told once, also when both sensors and the command line see the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus
from dagster_shared.error import SerializableErrorInfo

from orchestration.alerting import Alert, FailedCheck, RunEnd
from orchestration.defs.ingestion.checks import raw_checks
from orchestration.settings import read_settings
from orchestration.watching import deliver_alerts, tell_of_run, tell_of_what_is_wrong

_MOST_RUNS = 50
_ABOUT = {spec.key: spec.description or "" for spec in raw_checks.check_specs}


@dg.run_failure_sensor(
    # Also of runs that `make run` started, which belong to no code location.
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts of every run that fails: to the log, and to the webhook or mailbox that "
    "NORTHSTAR_ALERT_... name.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> None:
    """Tell of one failed run. Dagster's cursor moves on even if this fails; `alerts` sees to it."""
    tell_of_run(end_of(context.instance, context.dagster_run.run_id))
    _deliver(context.log.warning)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts of checks that no longer pass (such as a drop in volume), of exports that "
    "are stale and of runs that were killed, and delivers what could not be delivered before.",
)
def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Tell of what ended since the last tick and of what is wrong now.

    The cursor moves once everything is in the log of alerts.
    """
    ended, cursor = _ended_since(context.instance, context.cursor)
    told: list[Alert] = []
    unwritten: OSError | None = None
    tells: list[Callable[[], list[Alert]]] = [
        partial(tell_of_run, end_of(context.instance, run_id)) for run_id in ended
    ]
    tells.append(partial(tell_of_what_is_wrong, read_settings()))
    for tell in tells:
        try:
            told += tell()
        except OSError as error:
            # What cannot be written must not keep the others from being told.
            unwritten = unwritten or error
    undelivered = _deliver(context.log.warning)
    if unwritten is not None:
        raise unwritten
    reason = "; ".join(alert.lines[0] for alert in told) or "Nothing is wrong that was not told."
    return dg.SensorResult(
        skip_reason=f"{reason}{f' {undelivered} not delivered.' if undelivered else ''}",
        cursor=cursor,
    )


def end_of(instance: dg.DagsterInstance, run_id: str) -> RunEnd:
    """How a run ended, from its events: names and numbers, no finding in words."""
    run = instance.get_run_by_id(run_id)
    errors: list[tuple[str, str]] = []
    checks: dict[str, FailedCheck] = {}
    kinds = {
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.STEP_FAILURE,
        DagsterEventType.RUN_FAILURE,
    }
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.get_dagster_event()
        if event.event_type == DagsterEventType.STEP_FAILURE:
            errors = errors or list(_errors(event.step_failure_data.error))
        elif event.event_type == DagsterEventType.RUN_FAILURE:
            # Of a run whose process was killed nobody knows anything.
            failure = event.event_specific_data
            errors = errors or list(_errors(getattr(failure, "error", None)))
        elif not event.asset_check_evaluation_data.passed:
            check = _failed_check(event.asset_check_evaluation_data)
            checks[check.name] = check
    return RunEnd(
        run_id,
        succeeded=run is not None and run.status == DagsterRunStatus.SUCCESS,
        errors=errors,
        checks=list(checks.values()),
    )


def _ended_since(instance: dg.DagsterInstance, cursor: str | None) -> tuple[list[str], str | None]:
    """Runs that ended since, oldest first, and the new cursor; at the first tick the newest one.

    The cursor is a number of Dagster's event log, which goes forward even when the clock does not.
    """
    newest = max((_ends(instance, ascending=False, limit=1)), default=None)
    if newest is None:
        return [], cursor or "0"
    # Another form was a time once; and a log that was begun anew counts from 1 again.
    since = int(cursor) if cursor is not None and cursor.isdecimal() else None
    if since is None or since > newest[0]:
        return [newest[1]], str(newest[0])
    found = sorted(_ends(instance, ascending=True, limit=_MOST_RUNS, after=since))[:_MOST_RUNS]
    return [run_id for _, run_id in found], str(found[-1][0]) if found else cursor


def _ends(
    instance: dg.DagsterInstance, *, ascending: bool, limit: int, after: int | None = None
) -> Iterator[tuple[int, str]]:
    """Number and run of the ends of runs in the event log, so many of each kind."""
    for kind in (DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE):
        records = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after),
            limit=limit,
            ascending=ascending,
        )
        for record in records.records:
            yield record.storage_id, record.event_log_entry.run_id


def _failed_check(evaluation: dg.AssetCheckEvaluation) -> FailedCheck:
    figures = {
        name.rpartition("/")[2]: float(value.value)
        for name, value in evaluation.metadata.items()
        if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
        and value.value is not None
    }
    return FailedCheck(
        name=f"{evaluation.check_name} of {'.'.join(evaluation.asset_key.path)}",
        is_error=evaluation.severity == dg.AssetCheckSeverity.ERROR,
        about=_ABOUT.get(evaluation.asset_check_key, ""),
        figures=figures,
    )


def _errors(error: SerializableErrorInfo | None) -> Iterator[tuple[str, str]]:
    """Class and text of an error and of its causes, outermost first."""
    while error is not None:
        kind = error.cls_name or "Error"
        text = error.message.strip()
        # As Python prints it: the class, perhaps with its module, and the text.
        head, _, said = text.partition(": ")
        yield kind, said if head.rpartition(".")[2] == kind else text
        error = error.cause or error.context


def _deliver(warn: Callable[[str], None]) -> int:
    failures = deliver_alerts()
    for failure in failures:
        warn(str(failure))
    return len(failures)
