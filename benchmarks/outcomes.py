"""Times the decisions about career outcomes: `make bench ONLY=outcomes`.

Against the simplest thing that looks at every report of every learner in order of date:

    create table t as select learner, list(d order by d) from reports group by learner

Beside it run, on the same rows of the same file, the SQL of `int_outcomes__decisions` as dbt
compiles it, and then that of `outcomes.fct_outcome_reports`, which writes the decision beside every
report.
All take turns, so that a noisy machine is noisy for all; the ratio of a turn is what counts. The
lists profit most from a small file: at 10 million reports (`--reports 10000000`) the ratio is two
thirds of what it is at 300,000.
Everything happens in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from dbt.cli.main import dbtRunner

from benchmarks.measuring import Cost, measured
from benchmarks.report import Figure, at_most, figure_of_turns
from orchestration.settings import DBT_PROJECT_DIR

_DECISIONS, _MART = "int_outcomes__decisions", "fct_outcome_reports"
# A learner has three times about which they report; most reports are of the days after one.
_REPORTS = """
    create table intermediate.int_outcomes__reports as
    with drawn as (
        select
            number,
            hash(number, 'who') % {learners} as learner,
            hash(number, 'kind') % 100 as kind,
            hash(number, 'source') % 100 as source,
            hash(number, 'credit') % 100 as credit,
            hash(number, 'day') % 100 as day
        from range({reports}) as numbers (number)
    ),
    happened as (
        select
            *,
            date '2020-01-01'
            + cast(hash(learner, hash(number, 'which') % 3, 'on') % 2000 as integer)
            + cast(case when day < 60 then day % 20 else day * 3 end as integer) as outcome_date
        from drawn
    )
    select
        cast(md5('report' || number) as uuid) as report_id,
        cast(md5('learner' || learner) as uuid) as learner_key,
        case when source < 20 then 'contract' when source < 50 then 'product'
            when source < 70 then 'coach' else 'survey' end as source,
        'surveys/alumni_survey_' || number % 7 || '.csv' as source_file,
        number as line_number,
        outcome_date + cast(credit as integer) as reported_on,
        case when kind < 30 then 'new_job' when kind < 45 then 'internship'
            when kind < 55 then 'apprenticeship' when kind < 62 then 'business'
            when kind < 70 then 'freelance' when kind < 80 then 'title_change'
            when kind < 92 then 'salary_increase' when kind < 99 then 'internal_mobility'
            else 'unknown' end as outcome_type,
        case when hash(number, 'dated') % 100 > 0 then outcome_date end as outcome_date,
        case when credit < 65 then 'yes' when credit < 80 then 'no' end as credited,
        case when credit % 3 = 0 then 'yes' when credit % 3 = 1 then 'no' end
            as would_not_have_happened
    from happened
"""
_LISTS = """
    create table intermediate.lists as
    select learner_key, list(outcome_date order by outcome_date) as dates
    from intermediate.int_outcomes__reports
    group by learner_key
"""


def compiled(warehouse: Path, models: Sequence[str]) -> dict[str, str]:
    """The SQL of models as dbt compiles it for this file, by their names."""
    os.environ["NORTHSTAR_WAREHOUSE"] = str(warehouse)
    target = warehouse.parent / "target"
    result = dbtRunner().invoke(
        [
            *("compile", "--select", *models, "--log-level=none", "--no-version-check"),
            *("--log-level-file=none", f"--log-path={target}", f"--target-path={target}"),
            *(f"--project-dir={DBT_PROJECT_DIR}", f"--profiles-dir={DBT_PROJECT_DIR}"),
        ]
    )
    if not result.success:
        raise SystemExit(f"dbt cannot compile {', '.join(models)}: {result.exception}")
    done: Any = result.result
    return {item.node.name: item.node.compiled_code for item in done.results}


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Print a line a turn; returns the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument("--learners", type=int, help="default: 3 for every 10 reports")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--memory", default="8GB", help="DuckDB's memory limit")
    options = parser.parse_args(arguments)
    learners = options.learners or max(options.reports * 3 // 10, 1)
    with tempfile.TemporaryDirectory(prefix="northstar-benchmark-") as name:
        warehouse = Path(name) / "warehouse.duckdb"
        models = compiled(warehouse, (_DECISIONS, _MART))
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(f"set memory_limit = '{options.memory}'")
            connection.execute("create schema if not exists intermediate")
            connection.execute(
                "create table intermediate.int_as_of as select date '2026-01-01' as as_of_date"
            )
            connection.execute(_REPORTS.format(reports=options.reports, learners=learners))
            found = connection.execute(
                "select count(distinct learner_key) from intermediate.int_outcomes__reports"
            ).fetchall()[0][0]
            ratios: list[float] = []
            for _ in range(options.turns):
                costs = _turn(connection, models)
                ratios.append(_told(costs))
    return [
        figure_of_turns(
            "outcomes",
            "decisions about reports, against a list of each learner's dates",
            f"{options.reports:,} reports of {found:,} learners",
            ratios,
            at_most(8),
        )
    ]


def _turn(connection: duckdb.DuckDBPyConnection, models: dict[str, str]) -> list[Cost]:
    """The cost of the lists, of the decisions, and of the mart."""
    statements = {
        "lists": _LISTS,
        _DECISIONS: f"create table intermediate.{_DECISIONS} as {models[_DECISIONS]}",
        _MART: f"create table intermediate.{_MART} as {models[_MART]}",
    }
    costs: list[Cost] = []
    for statement in statements.values():
        with measured(costs):
            connection.execute(statement)
    for table in statements:
        connection.execute(f"drop table intermediate.{table}")
    return costs


def _told(costs: Sequence[Cost]) -> float:
    """Print a turn; returns how many times as long as the lists the decisions took, all in all."""
    lists, decisions, mart = costs
    clock = (decisions.clock + mart.clock) / lists.clock
    processor = (decisions.processor + mart.processor) / lists.processor
    print(
        f"lists {lists.clock:.2f} s, decisions {decisions.clock:.2f} s, written beside the reports "
        f"{mart.clock:.2f} s, ratio {clock:.2f} (decisions alone "
        f"{decisions.clock / lists.clock:.2f}); of processor time {processor:.2f}",
        flush=True,
    )
    return clock
