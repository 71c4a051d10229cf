"""The dbt models, built in this process: starting dbt's command line costs seconds each time."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import dagster as dg
from dagster_dbt import dbt_assets
from dagster_dbt.asset_utils import get_subset_selection_for_context

from orchestration.defs.conventions import WAREHOUSE_POOL
from orchestration.defs.run import RebuildRun
from orchestration.defs.transform.events import DagsterEvent, EventConverter
from orchestration.defs.transform.plots import plot_queries
from orchestration.defs.transform.project import manifest, translator
from orchestration.loading import mark_days_built
from orchestration.loading.tables import read_columns
from orchestration.progress import Progress, tell
from orchestration.transforming import (
    BuildResult,
    FinishedNode,
    build,
    dbt_variables,
    forget_builds,
    last_built_digest,
    project_digest,
    record_build,
)


@dbt_assets(manifest=manifest(), dagster_dbt_translator=translator, pool=WAREHOUSE_POOL)
def dbt_models(
    context: dg.AssetExecutionContext, rebuild_run: dg.ResourceParam[RebuildRun]
) -> Iterator[DagsterEvent]:
    """Build and test, telling of each model and test as it finishes."""
    settings = rebuild_run.settings
    variables = dbt_variables(settings)
    digest = project_digest(variables)
    with rebuild_run.warehouse() as connection:
        is_other_project = last_built_digest(connection) != digest
        if is_other_project:
            # Killed in the middle, it leaves tables of both projects, whichever comes next.
            forget_builds(connection)
        columns = read_columns(connection)
    select, indirect_selection = get_subset_selection_for_context(
        context, manifest(), None, None, None, translator, None
    )
    is_subset = bool(select)
    converter = EventConverter(context, manifest(), translator, settings.dbt_target, columns)
    running = _Build(
        partial(
            build,
            settings,
            full_refresh=is_other_project and not is_subset,
            variables=variables,
            select=select,
            indirect_selection=indirect_selection,
            queries=plot_queries(),
        )
    )
    total = len(context.selected_asset_keys) + len(context.selected_asset_check_keys)
    for done, node in enumerate(running.nodes(), start=1):
        tell(Progress("Building", done, max(done, total), node.name))
        if node.is_bad or node.status == "warn":
            context.log.warning("%s: %s. %s", node.name, node.status, node.message or "")
        yield from converter.convert(node)
    converter.finish()
    running.result().raise_for_failures()
    if not is_subset:
        with rebuild_run.warehouse() as connection:
            mark_days_built(connection, rebuild_run.load_number)
            record_build(
                connection,
                run_id=rebuild_run.run_id,
                load_number=rebuild_run.load_number,
                digest=digest,
            )


class _Build:
    """A build in a thread of its own, so that its nodes can be told while it goes on."""

    def __init__(self, run: Callable[..., BuildResult]) -> None:
        self._run = run
        self._stop = threading.Event()
        self._finished: queue.SimpleQueue[FinishedNode | None] = queue.SimpleQueue()
        self._result: Future[BuildResult] | None = None

    def nodes(self) -> Iterator[FinishedNode]:
        """The nodes as they finish.

        Whoever stops listening stops the build and waits for it: nothing may write into the
        warehouse once the run has let go of the lock.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="dbt") as pool:
            self._result = pool.submit(self._build)
            try:
                while (node := self._finished.get()) is not None:
                    yield node
            finally:
                self._stop.set()

    def result(self) -> BuildResult:
        """What became of the build, or the error that ended it. Call it after the last node."""
        if self._result is None:
            raise RuntimeError("The build has not begun.")
        return self._result.result()

    def _build(self) -> BuildResult:
        try:
            return self._run(on_event=self._finished.put, stop=self._stop)
        finally:
            self._finished.put(None)
