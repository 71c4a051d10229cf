"""Starts a rebuild when files arrive or change."""

import dagster as dg

from orchestration.defs.automation.arrivals import Decision, Memory, Outcome, decide
from orchestration.defs.automation.jobs import REBUILD
from orchestration.inputs import batch_digest, is_published
from orchestration.landing import take_inventory
from orchestration.liveness import has_died
from orchestration.settings import Settings, read_settings

_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_RUN_KEY_TAG = "dagster/run_key"


@dg.sensor(
    job_name=REBUILD,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts one rebuild for all files that arrived, once the landing folder is quiet. "
    "Looks at names, sizes and times, and at settings that change figures; never opens the "
    "warehouse.",
)
def landing_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Ask for a run, or say what is waited for."""
    settings = read_settings()
    memory = Memory.from_cursor(context.cursor)
    inventory = take_inventory(settings.landing)
    run = _find_run(context.instance, memory)
    decision = decide(
        memory,
        batch_digest(settings, inventory) if inventory.files else None,
        is_published=is_published(settings, inventory),
        outcome=_outcome(settings, run),
        run=f"run {run.run_id}" if run else "its run",
    )
    return _result(decision, len(inventory.files))


def _result(decision: Decision, files: int) -> dg.SensorResult:
    cursor = decision.memory.to_cursor()
    if not decision.asks_for_a_run:
        return dg.SensorResult(skip_reason=decision.skip_reason, cursor=cursor)
    request = dg.RunRequest(
        run_key=decision.memory.run_key,
        tags={
            "northstar/files": str(files),
            "northstar/attempt": str(decision.memory.attempt),
        },
    )
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def _find_run(instance: dg.DagsterInstance, memory: Memory) -> dg.DagsterRun | None:
    if memory.run_key is None:
        return None
    found = instance.get_runs(
        dg.RunsFilter(job_name=REBUILD, tags={_RUN_KEY_TAG: memory.run_key}), limit=1
    )
    return found[0] if found else None


def _outcome(settings: Settings, run: dg.DagsterRun | None) -> Outcome:
    if run is None:
        return Outcome.UNKNOWN
    if run.status == dg.DagsterRunStatus.SUCCESS:
        return Outcome.SUCCEEDED
    # Of a killed process Dagster still says that it runs.
    if run.status in _FAILED or has_died(settings, run.run_id):
        return Outcome.FAILED
    return Outcome.RUNNING
