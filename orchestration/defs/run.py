"""What a run holds from its first step to its last: the lock, the stamp, its inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import duckdb

from orchestration.contracts import Contracts, read_contracts
from orchestration.defs.conventions import WAREHOUSE_POOL
from orchestration.durable import remove_drafts
from orchestration.erasing.requests import finish, resume
from orchestration.erasing.rotating import finish_rotation
from orchestration.erasing.sweeping import accept_in_demo
from orchestration.errors import LandingError, WarehouseError
from orchestration.event_log import connections_kept
from orchestration.inputs import fingerprint, is_demo, school_of
from orchestration.landing import Inventory, holds_exports, take_inventory
from orchestration.liveness import alive, bury, dead_runs
from orchestration.loading import connect, stamp_run
from orchestration.lock import Holder, rebuild_lock
from orchestration.progress import tell
from orchestration.publishing import Fingerprint, School
from orchestration.reducing import reduced
from orchestration.secret import pseudonym_key, refuse_demo
from orchestration.settings import Settings, read_settings
from orchestration.tombstones import Tombstones, read_tombstones


@dataclass(frozen=True)
class RebuildRun:
    """One run. Its inputs are those of its beginning, whatever arrives meanwhile.

    Attributes:
        settings: read once.
        run_id: Dagster's.
        load_number: of the run's stamp in the warehouse.
        contracts: what `data/sources/` says.
        inventory: the landing folder.
        fingerprint: of everything that the marts are made from.
        secret: the pseudonym key.
        school: whose exports they are: the demo's or one's own.
        tombstones: who asked to be forgotten.
    """

    settings: Settings
    run_id: str
    load_number: int
    contracts: Contracts
    inventory: Inventory
    fingerprint: Fingerprint
    secret: bytes = field(repr=False)
    school: School
    tombstones: Tombstones = field(repr=False)

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse for the time of a block; it is closed whatever happens in it.

        Raises:
            WarehouseError: in the place of an error of the driver that nobody saw coming, since
                Dagster records the texts of errors, and the driver's quotes values.
        """
        try:
            with connect(self.settings) as connection:
                yield connection
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise WarehouseError(
                f"DuckDB gave up: {reduced(error)}. The published file is as it was. Run again; if "
                "it comes back, please report it with the step that failed."
            ) from None


@dg.resource(description="Holds the rebuild lock for the whole run, and what the run began with.")
def rebuild_run(context: dg.InitResourceContext) -> Iterator[RebuildRun]:
    """Enter the rebuild lock, free what dead runs left, and stamp the warehouse.

    With the in-process executor a resource lives from before the first step until after the last.
    """
    run_id = context.run_id
    instance = context.instance
    if run_id is None or instance is None:
        raise dg.DagsterInvariantViolationError("A rebuild is always part of a run.")
    settings = read_settings()

    def tell_who_holds_it(holder: Holder) -> None:
        if context.log is not None:
            context.log.info("Waiting for the rebuild lock: held by %s.", holder)

    with (
        alive(settings, run_id),
        rebuild_lock(settings, run_id, on_wait=tell_who_holds_it),
        connections_kept(instance),
    ):
        clear_up_after_dead_runs(instance, settings, run_id)
        if not holds_exports(settings.landing):
            refuse_demo(settings)
            raise LandingError(
                f"{settings.landing} holds no exports. Put exports there, or use `make run`, which "
                "writes demo exports into an empty landing folder."
            )
        accept_in_demo(settings, school_of(settings))
        school: School = "demo" if is_demo(settings) else "own"
        secret = pseudonym_key(settings, is_demo=school == "demo", on_made=_tell_of_new_key)
        for stone in resume(settings):
            tell(f"Going on with the erasure {stone.id}, which was begun and not completed.")
        inventory = take_inventory(settings.landing)
        inputs = fingerprint(settings, inventory)
        contracts = read_contracts(settings.sources)
        tombstones = read_tombstones(settings, school)
        with connect(settings) as connection:
            load_number = stamp_run(connection, run_id)
        yield RebuildRun(
            settings, run_id, load_number, contracts, inventory, inputs, secret, school, tombstones
        )
        for report in finish(settings):
            tell(report)
            if context.log is not None:  # nobody listens to a run that the UI or a sensor started
                context.log.info(report)
        finish_rotation(settings)


def _tell_of_new_key(file: Path) -> None:
    tell(f"Made a pseudonym key for the demo: {file}. Own exports need NORTHSTAR_SECRET.")


def clear_up_after_dead_runs(instance: dg.DagsterInstance, settings: Settings, run_id: str) -> None:
    """Tell Dagster which runs were killed, free the pool slots that they hold, and tidy up.

    The caller holds the rebuild lock: whoever else has a slot of the pool is not alive.
    """
    for dead in dead_runs(settings):
        run = instance.get_run_by_id(dead)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, message="Its process was killed.")
        bury(settings, dead)
    for folder in (settings.state, settings.published):
        remove_drafts(folder)
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        pool = storage.get_concurrency_info(WAREHOUSE_POOL)
        holders = {slot.run_id for slot in pool.claimed_slots}
        waiting = {step.run_id for step in pool.pending_steps}
        for holder in (holders | waiting) - {run_id}:
            storage.free_concurrency_slots_for_run(holder)


defs = dg.Definitions(
    resources={"rebuild_run": rebuild_run},
    # One process for a run: it starts twice as fast, and it is what makes the resource, and with it
    # the lock, last for the whole run.
    executor=dg.in_process_executor,
)
