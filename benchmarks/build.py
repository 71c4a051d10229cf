"""Times the whole build against the same SQL run by hand: `make bench ONLY=build`.

Cold: raw events are there, nothing else is. The job (load, which finds nothing new, checks, dbt
with all tests, publishing) is held against the SQL that dbt compiles, run in order in one DuckDB
session: every model, every test, and a copy of every published table into a DuckDB file and into
Parquet. Not in the plain run, and so on the job's account: starting, logging, lineage, plots, the
ledger, checksums of what was published, the chain of published figures, waiting for the disk.

Both are run in turn on the same warehouse, from which everything but `raw` is dropped before. The
history is generated once, and stays in `benchmarks/work/build` (50 million events: 7 GB).
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.history import School, settings_of, write_history
from benchmarks.rebuilding import rebuilt
from benchmarks.report import Figure, at_most, figure_of_turns
from orchestration.loading import connect
from orchestration.publishing import published_file
from orchestration.settings import DBT_PROJECT_DIR, Settings
from orchestration.transforming import dbt_variables
from orchestration.transforming.invoking import invoke
from orchestration.transforming.manifest import is_published

WORK = Path(__file__).parent / "work" / "build"
_KINDS = {"model", "test", "seed"}


@dataclass(frozen=True)
class Statement:
    """What dbt would run for one node: `relation` is none for a test."""

    sql: str
    relation: str | None
    is_published: bool


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Generate the history unless it is there, and time both in turn."""
    parser = argparse.ArgumentParser(
        prog="make bench ONLY=build",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--day", type=int, default=100_000, help="events of a day (%(default)s)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--memory", default="6GB", help="DuckDB's memory limit (%(default)s)")
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args(arguments)
    school = School(options.events, options.day)
    folder = options.work / f"{school.events}-{school.day}"
    settings = settings_of(folder / "data").model_copy(update={"memory_limit": options.memory})
    if not (folder / "generated").exists():
        print(f"Generating {school.events:,} events", flush=True)
        write_history(settings, school)
        # The other sources are loaded before anything is timed.
        rebuilt(settings, options.memory)
        (folder / "generated").touch()
    ratios: list[float] = []
    processor: list[float] = []
    seconds: list[tuple[float, float]] = []
    for _ in range(options.turns):
        forget_marts(settings)
        statements = list(compiled(settings))
        start, start_processor = time.perf_counter(), time.process_time()
        run_by_hand(settings, statements, folder / "by_hand")
        plain = time.perf_counter() - start
        plain_processor = time.process_time() - start_processor
        forget_marts(settings)
        job = rebuilt(settings, options.memory)
        ratios.append(job.seconds / plain)
        processor.append(job.processor / plain_processor)
        seconds.append((job.seconds, plain))
        print(
            f"by hand {plain:.1f} s, the job {job.seconds:.1f} s, ratio {ratios[-1]:.2f}; of "
            f"processor time {processor[-1]:.2f}",
            flush=True,
        )
    best = min(seconds)
    return [
        figure_of_turns(
            "build",
            "from raw events to published marts through the job, against the same SQL by hand",
            f"{school.events:,} events",
            ratios,
            at_most(1.3),
            note=f"best {best[0]:.0f} and {best[1]:.0f} s; of processor time "
            f"{min(processor):.2f} to {max(processor):.2f}; {options.memory} for DuckDB",
        )
    ]


def forget_marts(settings: Settings) -> None:
    """Leave nothing in the warehouse but `raw`, and nothing published."""
    with connect(settings) as connection:
        schemas = connection.execute(
            "select schema_name from duckdb_schemas() "
            "where database_name = current_database() and not internal and schema_name != 'raw'"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f'drop schema "{schema}" cascade')
        connection.execute("delete from raw.builds")
        connection.execute("checkpoint")
    shutil.rmtree(settings.published, ignore_errors=True)


def compiled(settings: Settings) -> Iterator[Statement]:
    """The SQL of seeds, models and tests, as dbt compiles it for a cold build, in its order."""
    result = invoke(
        settings,
        ["compile", "--full-refresh"],
        variables=dbt_variables(settings),
        project_dir=DBT_PROJECT_DIR,
    )
    if not result.success:
        raise SystemExit(f"dbt cannot compile the project: {result.exception}")
    answer: Any = result.result
    nodes = {item.node.unique_id: item.node for item in answer.results}
    for seed in DBT_PROJECT_DIR.glob("seeds/*.csv"):
        yield Statement(f"from read_csv('{seed}')", f"staging.{seed.stem}", is_published=False)
    for node in _in_order(nodes):
        if node.resource_type == "test":
            yield Statement(node.compiled_code, None, is_published=False)
        elif node.resource_type == "model" and node.config.materialized != "ephemeral":
            yield Statement(
                ("view " if node.config.materialized == "view" else "table ") + node.compiled_code,
                f'"{node.schema}"."{node.alias}"',
                is_published=is_published({"config": {"meta": node.config.meta}}),
            )


def _in_order(nodes: dict[str, Any]) -> list[Any]:
    """Every node after what it is made from, and each test as soon as it can run."""
    done: list[Any] = []
    seen: set[str] = set()

    def visit(unique_id: str) -> None:
        if unique_id in seen or unique_id not in nodes:
            return
        seen.add(unique_id)
        for parent in getattr(nodes[unique_id].depends_on, "nodes", ()):
            visit(parent)
        done.append(nodes[unique_id])

    for unique_id in sorted(nodes, key=lambda name: not name.startswith("test.")):
        visit(unique_id)
    return done


def run_by_hand(settings: Settings, statements: Sequence[Statement], folder: Path) -> None:
    """Run the statements in one session, and copy what is published."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"set memory_limit = '{settings.memory_limit}'")
        # As in the project's profiles.yml.
        connection.execute("set asof_loop_join_threshold = 0")
        connection.execute(f"attach '{folder / published_file(settings).name}' as published")
        for statement in statements:
            if statement.relation is None:
                connection.execute(f"select count(*) from ({statement.sql})").fetchall()
                continue
            schema = statement.relation.split(".")[0]
            kind, _, query = statement.sql.partition(" ")
            if kind not in ("view", "table"):
                kind, query = "table", statement.sql
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(f"create {kind} {statement.relation} as {query}")
        for number, statement in enumerate(statements):
            if statement.is_published and statement.relation:
                schema = statement.relation.split(".")[0]
                connection.execute(f"create schema if not exists published.{schema}")
                copy = f"published.{statement.relation}"
                connection.execute(f"create table {copy} as from {statement.relation}")
                connection.execute(
                    f"copy {copy} to '{folder / str(number)}.parquet' "
                    "(format parquet, compression zstd)"
                )
    shutil.rmtree(folder)
