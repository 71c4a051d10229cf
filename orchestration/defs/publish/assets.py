"""The published file: what BI tools read."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.conventions import NIGHTLY, OWNERS, PUBLISHED_FILE, WAREHOUSE_POOL
from orchestration.defs.ingestion import checks as loading
from orchestration.defs.publish.gate import refuse_unless_audited
from orchestration.defs.run import RebuildRun
from orchestration.defs.transform import assets as transform
from orchestration.defs.transform.project import manifest, published_marts
from orchestration.progress import Progress, tell
from orchestration.publishing import publish, published_file, read_figures, verify
from orchestration.transforming import published_relations, restricted_relations, snapshots

CHAIN = dg.AssetCheckSpec(
    "published_past_is_unchanged",
    asset=PUBLISHED_FILE,
    description="The chain of published figures in data/state is as it was written, and goes as "
    "far as the publications say. Nothing is published upon a changed past.",
)


_REMEDY = "Put the folder of the chain back from the backup of data/state; see `make verify`."


@dg.asset(
    key=PUBLISHED_FILE,
    deps=published_marts(),
    pool=WAREHOUSE_POOL,
    group_name="published",
    owners=OWNERS,
    kinds={"duckdb", "parquet"},
    freshness_policy=NIGHTLY,
    check_specs=[CHAIN],
    description="The DuckDB file that BI tools read, with its Parquet copies: all marts of one run "
    "whose every test and check passed. What only its owner may read lies in `restricted.duckdb` "
    "beside it.",
)
def published_northstar(
    context: dg.AssetExecutionContext, rebuild_run: dg.ResourceParam[RebuildRun]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Publish, if everything that the file is made from was checked in this run and passed."""
    yield _check_chain(rebuild_run)
    expected = loading.raw_checks.check_keys | transform.dbt_models.check_keys
    refuse_unless_audited(context.instance, rebuild_run.run_id, expected)
    relations = published_relations(manifest())
    tell(Progress("Publishing", 0, len(relations), ""))
    with rebuild_run.warehouse() as connection:
        publication = publish(
            connection,
            rebuild_run.settings,
            run_id=rebuild_run.run_id,
            relations=relations,
            fingerprint=rebuild_run.fingerprint,
            restricted=restricted_relations(manifest()),
            figures=read_figures(snapshots(manifest())),
            school=rebuild_run.school,
            progress=lambda table: tell(Progress("Publishing", len(relations), None, table)),
        )
    rows = {table.relation: table.rows for table in publication.tables}
    head = publication.chain
    yield dg.MaterializeResult(
        metadata={
            "chain_entries": 0 if head is None else head.number,
            "chain_head": "none" if head is None else head.hash,
            "publication": publication.id,
            "as_of": str(publication.as_of),
            "path": dg.MetadataValue.path(str(published_file(rebuild_run.settings))),
            "content": publication.content,
            "dagster/row_count": sum(rows.values()),
            "rows": dg.MetadataValue.table(
                [
                    dg.TableRecord({"table": name, "rows": count})
                    for name, count in sorted(rows.items())
                ]
            ),
        }
    )


def _check_chain(rebuild_run: RebuildRun) -> dg.AssetCheckResult:
    """What publishing is about to continue; it refuses by itself when this fails."""
    chain, wrong = verify(rebuild_run.settings, rebuild_run.school)
    return dg.AssetCheckResult(
        passed=not wrong,
        check_name=CHAIN.name,
        description=" ".join([*wrong, _REMEDY]) if wrong else None,
        metadata={
            "entries_that_hold": len(chain.entries),
            "head": "none" if chain.head is None else chain.head.hash,
        },
    )
