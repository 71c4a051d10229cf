"""A warehouse with published outcome reports that tests can change between two publications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

import duckdb

from orchestration.publishing import Fingerprint, Publication, School, publish, read_figures
from orchestration.settings import Settings

FIGURES = read_figures(
    {
        "outcomes.agg_career_outcomes": [
            {"figure": "outcomes", "value": "sum(outcomes)"},
            {"figure": "outcomes", "value": "sum(outcomes)", "by": ["segment"]},
        ],
        "nps.agg_nps": [
            {"figure": "respondents", "value": "sum(respondents)", "by": ["basis", "survey"]},
            {
                "figure": "nps",
                "value": "100.0 * (sum(promoters) - sum(detractors)) / sum(respondents)",
                "people": "sum(respondents)",
                "by": ["basis", "survey"],
            },
        ],
    }
)
RELATIONS = (
    "outcomes.agg_career_outcomes",
    "outcomes.fct_outcome_reports",
    "nps.agg_nps",
    "nps.fct_nps_responses",
    "ops.loaded_files",
)
_SCHEMA = """
create schema raw; create schema intermediate; create schema outcomes; create schema ops;
create schema nps;
create table raw.run_stamp (run_id varchar, load_number bigint);
create table intermediate.int_as_of (as_of_date date);
create table outcomes.fct_outcome_reports (
    report_id uuid, learner_key uuid, source varchar, source_file varchar, outcome_date date,
    outcome_type varchar, credited varchar, would_not_have_happened varchar, decision varchar,
    invalid_reason varchar, outcome_id uuid, segment varchar
);
create table ops.loaded_files (
    path varchar, contract_hash varchar, rows_erased bigint, source varchar
);
create table nps.fct_nps_responses (
    response_id uuid, learner_key uuid, month date, survey varchar, score integer,
    is_latest_per_learner_month boolean
);
create view outcomes.agg_career_outcomes as
    select date_trunc('month', outcome_date)::date as month, segment, count(*) as outcomes
    from outcomes.fct_outcome_reports where decision = 'counted' group by all;
create view nps.agg_nps as
    with based as (
        select 'all_responses' as basis, * from nps.fct_nps_responses
        union all
        select 'latest_per_learner', * from nps.fct_nps_responses where is_latest_per_learner_month
    )
    select basis, month, survey, count(*) as respondents,
        count(*) filter (score >= 9) as promoters, count(*) filter (score <= 6) as detractors
    from based group by all;
"""


@dataclass(frozen=True)
class Report:
    """One row of `fct_outcome_reports`; `outcome` is the number of the report that carries it."""

    number: int
    learner: int
    day: date
    decision: str = "counted"
    outcome: int | None = None
    segment: str = "free"
    credited: str | None = "yes"
    file: str = "survey.csv"
    invalid_reason: str | None = None


@dataclass
class Desk:
    """Publishes reports, as often as asked to.

    Attributes:
        reports: by number.
        files: path to contract hash and erased rows.
        responses: NPS answers: number, learner, month, score, whether it is the learner's latest.
    """

    settings: Settings
    connection: duckdb.DuckDBPyConnection
    reports: dict[int, Report] = field(default_factory=dict)
    files: dict[str, tuple[str, int]] = field(default_factory=lambda: {"survey.csv": ("c", 0)})
    responses: list[tuple[int, int, date, int, bool]] = field(default_factory=list)
    as_of: date = date(2026, 1, 1)

    def add(self, *reports: Report) -> None:
        self.reports |= {report.number: report for report in reports}

    def change(self, number: int, **values: object) -> None:
        self.reports[number] = replace(self.reports[number], **values)  # type: ignore[arg-type]

    def count(self, first: int, how_many: int, day: date, segment: str = "free") -> None:
        """Let so many learners of their own have a counted outcome each."""
        self.add(*(Report(n, n, day, segment=segment) for n in range(first, first + how_many)))

    def publish(
        self,
        school: School = "own",
        run_id: str = "run-1",
        relations: Sequence[str] = RELATIONS,
        **inputs: str,
    ) -> Publication:
        self.fill(run_id)
        fingerprint = {"landing": "l", "contracts": "c", "dbt": "d", "settings": "s"} | inputs
        return publish(
            self.connection,
            self.settings,
            run_id=run_id,
            relations=relations,
            fingerprint=Fingerprint(**fingerprint),
            figures=[figure for figure in FIGURES if figure.relation in relations],
            school=school,
        )

    def fill(self, run_id: str = "run-1") -> None:
        rows = [
            [
                UUID(int=one.number),
                UUID(int=10_000 + one.learner),
                "survey",
                one.file,
                one.day,
                "new_job",
                one.credited,
                None,
                one.decision,
                one.invalid_reason,
                None if one.decision == "invalid" else UUID(int=one.outcome or one.number),
                one.segment,
            ]
            for one in self.reports.values()
        ]
        answers = [
            [UUID(int=number), UUID(int=learner), month, "yearly", score, latest]
            for number, learner, month, score, latest in self.responses
        ]
        self._replace("raw.run_stamp", [[run_id, 1]])
        self._replace("intermediate.int_as_of", [[self.as_of]])
        self._replace("outcomes.fct_outcome_reports", rows)
        self._replace("nps.fct_nps_responses", answers)
        files = [[path, *told, "surveys"] for path, told in self.files.items()]
        self._replace("ops.loaded_files", files)

    def read(self, sql: str) -> list[tuple[object, ...]]:
        path = self.settings.published / "northstar.duckdb"
        with duckdb.connect(str(path), read_only=True) as reader:
            return reader.execute(sql).fetchall()

    def _replace(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        self.connection.execute(f"delete from {table}")
        if rows:
            marks = ", ".join("?" for _ in rows[0])
            self.connection.executemany(f"insert into {table} values ({marks})", rows)


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """A desk with a warehouse of its own."""
    settings.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(_SCHEMA)
        yield Desk(settings, connection)
