"""Support figures against an independent answer, and against pages read again in any order."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test, multivariate_logrank_test
from scipy.stats import chi2

from tests.dbt_project.desk import EXPORTED, Desk, Row
from tests.dbt_project.harness import School, reporting_day

MARTS = (
    "support.fct_tickets",
    "support.agg_support_daily",
    "support.agg_sla",
    "support.paid_first",
)
MODELS = "+path:models/marts/support"


def _school(folder: Path, desk: Desk, tables: dict[str, list[Row]]) -> School:
    school = School(folder)
    school.exported_at(str(EXPORTED))
    school.means(visited="visit", joined="signup", started="plan_started", ended="plan_ended")
    school.load_events(desk.events)
    for table, rows in tables.items():
        school.insert(table, rows)
    return school


def _as_dictionaries(school: School, table: str, columns: Sequence[str]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in school.table(table, ", ".join(columns))]


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [str(value) for value in list(row.values())[:2]])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[School, Desk]:
    desk = Desk(seed=20240331, tickets=400)
    school = _school(tmp_path_factory.mktemp("support"), desk, desk.rows)
    school.build_models(MODELS)
    return school, desk


def test_every_figure_is_that_of_a_walk_over_every_ten_minutes(built: tuple[School, Desk]) -> None:
    school, desk = built

    checked = school.build(
        "path:models/marts/support",
        "path:tests/support",
        resource_types=("test",),
        indirect_selection="eager",
    )

    assert "agg_support_daily_backlog_is_what_stands_at_the_days_end" in {
        node.name for node in checked.nodes
    }
    tickets = [ticket.expected() for ticket in desk.tickets]
    assert _sorted(_as_dictionaries(school, "support.fct_tickets", list(tickets[0]))) == _sorted(
        tickets
    )
    days = list(desk.expected_days())
    found = _as_dictionaries(school, "support.agg_support_daily", list(days[0]))
    assert _sorted(found) == _sorted(days)
    # The desk is not so tame that the walk would prove nothing.
    assert sum(row["reopens"] for row in tickets) > 50
    assert sum(row["backlog"] for row in days if row["plan"] == "SPARK") > 50
    assert {row["has_complete_history"] for row in tickets} == {True, False}


def test_promises_are_those_that_a_clock_followed_event_by_event_keeps(
    built: tuple[School, Desk],
) -> None:
    school, desk = built
    expected = list(desk.expected_promises())
    found = _as_dictionaries(school, "intermediate.int_support__sla_targets", list(expected[0]))

    def by_clock(row: Row) -> tuple[Any, ...]:
        return row["ticket_id"], row["metric"], row["instance"]

    assert sorted(found, key=by_clock) == sorted(expected, key=by_clock)
    assert Counter(row["result"] for row in expected).keys() == {"met", "breached", "running"}
    assert min(Counter(row["result"] for row in expected).values()) > 20
    kinds = ("policy_id", "priority", "target", "metric", "result")
    counted = Counter(tuple(row[kind] for kind in kinds) for row in expected)
    summed = {
        (*row[:4], result): number
        for row in school.query(
            "select policy_id, priority, target, metric, sum(met), sum(breached), sum(running) "
            "from support.agg_sla group by all"
        )
        for result, number in zip(("met", "breached", "running"), row[4:], strict=True)
        if number
    }
    assert summed == counted


# -- paying customers first ------------------------------------------------------------------------

Wait = tuple[str, str, float, bool]


def _waits(desk: Desk) -> list[Wait]:
    """Month, group, seconds and whether answered, of each ticket that counts."""
    groups = {"free": "free", "none": "no_account"}
    return [
        (str(reporting_day(ticket.created))[:7], groups.get(ticket.plan, "premium"), *waited)
        for ticket in desk.tickets
        if ticket.today != "deleted" and (waited := ticket.waited()) is not None
    ]


def _median(waits: Sequence[Wait]) -> float | None:
    if not waits:
        return None
    curve = KaplanMeierFitter().fit([wait[2] for wait in waits], [wait[3] for wait in waits])
    median = float(curve.median_survival_time_)
    return None if np.isinf(median) else median


def _excess(waits: Sequence[Wait]) -> tuple[float, float]:
    """Observed less expected replies of premium, and their variance, one reply after another."""
    excess = variance = 0.0
    for moment in sorted({wait[2] for wait in waits if wait[3]}):
        at_risk = [wait for wait in waits if wait[2] >= moment]
        events = [wait for wait in at_risk if wait[2] == moment and wait[3]]
        share = sum(wait[1] == "premium" for wait in at_risk) / len(at_risk)
        excess += sum(wait[1] == "premium" for wait in events) - len(events) * share
        if len(at_risk) > 1:
            left = (len(at_risk) - len(events)) / (len(at_risk) - 1)
            variance += len(events) * share * (1 - share) * left
    return excess, variance


def test_medians_and_log_rank_tests_are_those_of_lifelines(built: tuple[School, Desk]) -> None:
    school, desk = built
    waits = _waits(desk)
    columns = (
        "month", "premium_tickets", "free_tickets", "no_account_tickets",
        "premium_median_seconds", "free_median_seconds", "no_account_median_seconds",
        "others_median_seconds", "degrees_of_freedom", "chi_square", "p_value",
        "premium_chi_square", "premium_p_value", "promise",
    )  # fmt: skip
    rows = {
        None if row["month"] is None else f"{row['month']:%Y-%m}": row
        for row in _as_dictionaries(school, "support.paid_first", columns)
    }

    assert set(rows) == {None, "2024-03", "2024-04"}
    for month, row in rows.items():
        of_month = [wait for wait in waits if month in (None, wait[0])]
        for group in ("premium", "free", "no_account"):
            of_group = [wait for wait in of_month if wait[1] == group]
            assert row[f"{group}_tickets"] == len(of_group)
            assert row[f"{group}_median_seconds"] == _median(of_group)
        premium = [wait for wait in of_month if wait[1] == "premium"]
        others = [wait for wait in of_month if wait[1] != "premium"]
        assert row["others_median_seconds"] == _median(others)
        if month is None:
            continue
        test = multivariate_logrank_test(
            [wait[2] for wait in of_month],
            [wait[1] for wait in of_month],
            [wait[3] for wait in of_month],
        )
        assert row["degrees_of_freedom"] == 2
        assert row["chi_square"] == pytest.approx(test.test_statistic, abs=1e-6)
        assert row["p_value"] == pytest.approx(test.p_value, abs=1e-8)
        pair = logrank_test(
            [wait[2] for wait in premium],
            [wait[2] for wait in others],
            [wait[3] for wait in premium],
            [wait[3] for wait in others],
        )
        assert row["premium_chi_square"] == pytest.approx(pair.test_statistic, abs=1e-6)
        assert row["premium_p_value"] == pytest.approx(pair.p_value, abs=2e-7)
    # All months together: compared within each month, and added up.
    parts = [_excess([wait for wait in waits if wait[0] == month]) for month in rows if month]
    excess, variance = (sum(part) for part in zip(*parts, strict=True))
    assert rows[None]["premium_chi_square"] == pytest.approx(excess**2 / variance, abs=1e-6)
    assert rows[None]["premium_p_value"] == pytest.approx(
        math.erfc(math.sqrt(excess**2 / variance / 2)), abs=2e-7
    )
    assert rows[None]["promise"] == "not_shown"


def test_p_values_are_those_of_the_chi_square_distribution(built: tuple[School, Desk]) -> None:
    school, _ = built
    values = [0.0, 1e-9, 0.01, 0.5, 1.0, 3.841458820694124, 5.991464547107979, 12.0, 60.0, 400.0]
    found = school.run_all(
        [
            "{% set p = chi_square_p_value('chi', freedom) %}".replace("freedom", str(freedom))
            + f"select {{{{ p }}}} from (select unnest({values}::double[]) as chi) order by chi"
            for freedom in (1, 2)
        ]
    )
    for freedom, rows in zip((1, 2), found, strict=True):
        assert [row[0] for row in rows] == pytest.approx(
            [float(chi2.sf(value, freedom)) for value in values], rel=2e-7
        )


def _replayed(rows: list[Row], chance: random.Random) -> list[Row]:
    """Pages of 40 rows that overlap by some, each read one to three times, in any order; what was
    read before is marked as a repeat, or is not known as one yet."""
    pages = [rows[start : start + 40] for start in range(0, len(rows), 33)]
    pages *= 2
    pages += chance.choices(pages, k=len(pages) // 2)
    chance.shuffle(pages)
    seen: set[Any] = set()
    read = []
    for number, page in enumerate(pages):
        for row in chance.sample(page, len(page)):
            is_repeat = row["row_hash"] in seen and chance.random() < 0.7
            seen.add(row["row_hash"])
            reason = "same_row" if is_repeat else None
            read.append({**row, "file_id": number, "duplicate_reason": reason})
    return read


def test_pages_read_any_number_of_times_in_any_order_give_the_same_marts(
    built: tuple[School, Desk], tmp_path: Path
) -> None:
    school, desk = built
    chance = random.Random(1)
    replayed = _school(
        tmp_path, desk, {table: _replayed(rows, chance) for table, rows in desk.rows.items()}
    )

    replayed.build_models(MODELS)

    for mart in MARTS:
        rows = school.table(mart)
        assert rows
        assert replayed.table(mart) == rows, mart


PAGES = 6


Staged = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Paged:
    """A warehouse with pages to read, and what is staged of it."""

    connection: duckdb.DuckDBPyConnection
    staged: Staged = field(repr=False)


@contextmanager
def _pages(school: School, desk: Desk) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, with `page_<table>` beside each raw table: its rows by page. Each page repeats
    some rows of the page before."""
    with duckdb.connect(str(school.settings.warehouse)) as connection:
        for table in desk.rows:
            connection.execute(
                f"""
                create temp table page_{table} as
                with numbered as (
                    select *, row_number() over (order by row_hash) as row_id from raw.{table}
                )
                select *, row_id % {PAGES} as page from numbered
                union all
                select *, (row_id + 1) % {PAGES} from numbered where row_id % 3 = 0
                """
            )
        yield connection


@pytest.fixture(scope="module")
def paged(built: tuple[School, Desk]) -> Iterator[Paged]:
    with _pages(*built) as connection:
        yield Paged(connection, _staged(connection))


def _staged(connection: duckdb.DuckDBPyConnection) -> Staged:
    """All rows of all of Zendesk's staging models."""
    views = connection.execute(
        "select view_name from duckdb_views() where view_name like 'stg_zendesk__%' order by all"
    ).fetchall()
    return {
        view: connection.execute(f"from staging.{view} order by all").fetchall()
        for (view,) in views
    }


# Nothing but staging reads the raw tables: what is the same there is the same in every mart.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    order=st.permutations(range(PAGES)),
    again=st.lists(st.tuples(st.integers(0, PAGES - 1), st.booleans()), max_size=8),
    first=st.integers(0, 8),
)
def test_any_order_of_pages_stages_the_same_rows(
    paged: Paged,
    built: tuple[School, Desk],
    order: Sequence[int],
    again: list[tuple[int, bool]],
    first: int,
) -> None:
    _, desk = built
    connection, expected = paged.connection, paged.staged
    assert len(expected) == 12
    # Repeats come before, between and after the first reading; some are not marked as such.
    reads = [*again[:first], *((page, True) for page in order), *again[first:]]
    connection.begin()
    try:
        connection.execute(
            "create or replace temp table reads (number int, page int, is_marked boolean)"
        )
        connection.executemany(
            "insert into reads values ($1, $2, $3)",
            [(number, page, is_marked) for number, (page, is_marked) in enumerate(reads)],
        )
        for table in desk.rows:
            connection.execute(f"delete from raw.{table}")
            connection.execute(
                f"""
                insert into raw.{table} by name
                select paged.* exclude (page, row_id) replace (
                    reads.number as file_id,
                    case when reads.is_marked and row_number() over (
                        partition by paged.row_id order by reads.number
                    ) > 1 then 'same_row' end as duplicate_reason
                )
                from page_{table} as paged join reads using (page)
                order by reads.number, hash(paged.row_id, reads.number)
                """
            )
        assert _staged(connection) == expected
    finally:
        connection.rollback()
