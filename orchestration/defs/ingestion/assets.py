"""Loading: one step fills all raw tables."""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from orchestration.defs.conventions import WAREHOUSE_POOL
from orchestration.defs.ingestion.tables import RAW_TABLES, input_specs, raw_key, raw_specs
from orchestration.defs.run import RebuildRun
from orchestration.loading import load_landing
from orchestration.loading.tables import count_rows, read_columns
from orchestration.progress import Progress, tell


@dg.multi_asset(
    specs=raw_specs(),
    name="load_landing",
    pool=WAREHOUSE_POOL,
    description="Bring the raw tables to what the landing folder holds now.",
)
def load_landing_files(
    context: dg.AssetExecutionContext, rebuild_run: dg.ResourceParam[RebuildRun]
) -> Iterator[dg.MaterializeResult[None]]:
    """Load, and tell of every table how it looks now."""
    with rebuild_run.warehouse() as connection:
        report = load_landing(
            connection,
            rebuild_run.settings,
            contracts=rebuild_run.contracts,
            inventory=rebuild_run.inventory,
            run_id=rebuild_run.run_id,
            load_number=rebuild_run.load_number,
            secret=rebuild_run.secret,
            tombstones=rebuild_run.tombstones,
            progress=lambda done, total, what: tell(Progress("Loading", done, total, what)),
        )
        columns = read_columns(connection)
        rows = {name: count_rows(connection, "raw", name) for name in RAW_TABLES}
    figures = {name: value for name, value in asdict(report).items() if isinstance(value, int)}
    context.log.info("Loaded: %s", figures)
    for name in RAW_TABLES:
        yield dg.MaterializeResult(
            asset_key=raw_key(name),
            metadata={
                "dagster/row_count": rows[name],
                "dagster/column_schema": dg.TableSchema(
                    [dg.TableColumn(column, kind) for column, kind in columns["raw", name].items()]
                ),
                **(figures if name == "loaded_files" else {}),
            },
        )


exports = input_specs()
