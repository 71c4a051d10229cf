"""What makes Dagster tell people: runs that failed, checks, stale exports.

Both sensors write to the log of alerts first, where `alerting` takes over: an alert is delivered
until it is taken, and told once, also when both sensors and the command line see the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus, RunRecord
from dagster_shared.error import SerializableErrorInfo

from orchestration.alerting import FailedCheck, RunEnd
from orchestration.defs.ingestion.checks import raw_checks
from orchestration.settings import read_settings
from orchestration.watching import deliver_alerts, tell_of_run, tell_of_what_is_wrong

_MOST_RUNS = 50
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
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
    ended = list(_ended_since(context.instance, context.cursor))
    told = [
        alert
        for record in ended
        for alert in tell_of_run(end_of(context.instance, record.dagster_run.run_id))
    ]
    told += tell_of_what_is_wrong(read_settings())
    undelivered = _deliver(context.log.warning)
    cursor = context.cursor
    if ended:
        cursor = str(max(record.update_timestamp.timestamp() for record in ended))
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


def _ended_since(instance: dg.DagsterInstance, cursor: str | None) -> Iterator[RunRecord]:
    """Runs that ended since, oldest first; at the first tick the newest one."""
    if cursor is None:
        yield from instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=1)
        return
    # Two runs may have ended in one instant. What is seen again is not told again.
    since = datetime.fromtimestamp(float(cursor) - 0.001, UTC)
    yield from instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=since),
        limit=_MOST_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )


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
