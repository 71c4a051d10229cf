"""Runs the job `rebuild` in this process, with Dagster's storage, and tells how far it is."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from orchestration.display import Display
from orchestration.errors import NorthstarError, PublishingError, behind
from orchestration.home import prepare_home
from orchestration.liveness import alive, leave_for_dead
from orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance, EventLogEntry, JobDefinition

_OBJECTS_BETWEEN_COLLECTIONS = 50_000

_STEPS = {
    "load_landing": "Loaded the exports",
    "check_what_was_loaded": "Checked what was loaded",
    "dbt_models": "Built and tested the marts",
    "published__northstar": "Published",
}


def start(settings: Settings) -> None:
    """Import Dagster and all that a run needs, and read the dbt project: it takes seconds.

    Whoever has something else to do meanwhile may call it before `rebuild`.

    Raises:
        TransformError: dbt cannot read its project.
    """
    # Before anything of Dagster is imported.
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    warnings.simplefilter("ignore")
    with _few_collections():
        import_module("orchestration.defs.transform.assets")


def rebuild(
    settings: Settings, run_id: str, display: Display, tags: Mapping[str, str] | None = None
) -> None:
    """Load, build, audit, publish.

    Args:
        settings: of the run.
        run_id: the run to be; its caller may hold the rebuild lock under this id.
        display: shows progress, warnings and failures.
        tags: of the run, besides Dagster's own.

    Raises:
        NorthstarError: what failed, in one sentence.
        KeyboardInterrupt: the run was stopped; its steps have ended.
    """
    display.status("Starting Dagster")
    start(settings)

    import dagster as dg
    from dagster._core.errors import DagsterExecutionInterruptedError

    from orchestration.defs.automation.alerts import end_of
    from orchestration.event_log import connections_kept
    from orchestration.watching import tell_safely

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with (
        _few_collections(),
        _echoes_held_back(),
        dg.DagsterInstance.get() as instance,
        connections_kept(instance),
    ):
        job = _job()
        instance.add_event_listener(run_id, _Narrator(display).hear)
        try:
            with alive(settings, run_id):
                job.execute_in_process(
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                    instance=instance,
                    run_id=run_id,
                    tags={".dagster/repository": "__repository__@northstar", **(tags or {})},
                )
        except DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
        except Exception as error:
            _see_to_its_end(instance, settings, run_id)
            cause = _in_one_sentence(error)
            # Whoever called knows the cause, too, but not which checks failed.
            end = end_of(instance, run_id)
            errors = [*end.errors, (type(cause).__name__, str(cause))]
            tell_safely(replace(end, succeeded=False, errors=errors))
            if cause is error:
                raise
            raise cause from error
        tell_safely(end_of(instance, run_id))


@cache
def _job() -> JobDefinition:
    """The job: what Dagster makes of the code does not change while the code does not."""
    from orchestration.definitions import defs

    return defs().resolve_job_def("rebuild")


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let Python look for cycles less often.

    It looks after each 700 objects that stay, through more and more of them, while importing and
    parsing make millions that stay for good: a sixth of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _echoes_held_back() -> Iterator[None]:
    """Hold back traces of errors that nobody can catch; they are printed if the block succeeds.

    Where Dagster cannot write an event, as on a full disk, its generators break off one behind the
    other, and Python prints a trace of each beside the one sentence that tells what is wrong.
    """
    before = sys.unraisablehook
    echoes: list[str] = []

    def keep(unraisable: sys.UnraisableHookArgs) -> None:
        echoes.extend(
            traceback.format_exception(
                unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback
            )
        )

    sys.unraisablehook = keep
    try:
        yield
    finally:
        sys.unraisablehook = before
    sys.stderr.writelines(echoes)


def clear_up(settings: Settings, run_id: str) -> None:
    """Tell Dagster of runs that were killed, such as one that had published already.

    Args:
        settings: of the caller, who holds the rebuild lock.
        run_id: under which it holds it.
    """
    start(settings)

    import dagster as dg

    from orchestration.defs.run import clear_up_after_dead_runs

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with dg.DagsterInstance.get() as instance:
        clear_up_after_dead_runs(instance, settings, run_id)


def _see_to_its_end(instance: DagsterInstance, settings: Settings, run_id: str) -> None:
    """Leave a run that failed to the next one where Dagster could not note that it has ended.

    On a full disk it cannot: the run would count as running for ever.
    """
    try:
        run = instance.get_run_by_id(run_id)
        is_told = run is None or run.is_finished
    except Exception:
        is_told = False
    if not is_told:
        with suppress(OSError):
            leave_for_dead(settings, run_id)


class _Narrator:
    """Tells Dagster's events of a run in few words."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def hear(self, entry: EventLogEntry) -> None:
        if not entry.is_dagster_event:
            return
        event = entry.get_dagster_event()
        if event.event_type_value == "STEP_SUCCESS" and event.step_key in _STEPS:
            seconds = event.step_success_data.duration_ms / 1000
            self._display.done(f"{_STEPS[event.step_key]} in {seconds:.1f} s")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if check.passed:
                return
            name = f"{check.check_name} of {'.'.join(check.asset_key.path)}"
            said = f"{name}: {check.description or _rows(check.metadata)}"
            if check.severity.value == "WARN":
                self._display.warning(said)
            else:
                self._display.failure(said)


def _rows(metadata: Mapping[str, object]) -> str:
    rows = getattr(metadata.get("dagster_dbt/failed_row_count"), "value", None)
    return "failed" if rows is None else f"{rows} rows"


def _in_one_sentence(error: Exception) -> Exception:
    """The error with a remedy that lies behind one of Dagster's, or the error itself."""
    for cause in behind(error):
        if isinstance(cause, NorthstarError):
            return cause
        if type(cause).__name__ == "DagsterAssetCheckFailedError":
            return PublishingError(
                "Nothing was published, readers keep the old file: the checks above failed. "
                "Correct what they name and run again."
            )
    return error
