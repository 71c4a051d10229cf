"""Career outcomes against an independent answer, and what late reports change."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.harness import School, key
from tests.dbt_project.outcome_rules import (
    FAMILY_OF,
    Outcome,
    Report,
    anniversary,
    invalid_reason,
    most_that_fit,
    outcomes_of,
)

AS_OF = date(2026, 3, 1)
EXPORTED_AT = "2026-02-28 12:00:00"
SOURCES = ("contract", "product", "coach", "survey")
FILES = {
    "contracts.csv": 101,
    "events.json.gz": 102,
    "coaches.csv": 103,
    "surveys.csv": 104,
}
MARTS = ("+fct_outcome_reports", "+fct_career_outcomes")
REPORT_COLUMNS = (
    "report_id, learner_key, source, source_file, line_number, reported_on, outcome_date, "
    "outcome_type, credited, decision, invalid_reason, outcome_id, blocked_by_outcome_id"
)
OUTCOME_COLUMNS = (
    "outcome_id, learner_key, outcome_date, outcome_types, family, segment, evidence, decision, "
    "is_counted, credited, credit_conflict, reports, blocked_by_outcome_id"
)


def _file(source: str) -> str:
    return {"product": "events.json.gz", "coach": "coaches.csv"}.get(source, f"{source}s.csv")


@dataclass
class Person:
    """A learner with a few ids, a paid plan for a while, and reports about outcomes."""

    number: int
    chance: random.Random
    reports: list[Report] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    plan: tuple[str, date, date] | None = None

    def __post_init__(self) -> None:
        # 0: a user who is sometimes named by e-mail only; 1: an e-mail only; 2: a survey's own id;
        # 3: nobody.
        self.kind = self.chance.choices((0, 1, 2, 3), (70, 20, 8, 2))[0]
        if self.kind == 0 and self.chance.random() < 0.5:
            begins = date(2022, 1, 1) + timedelta(days=self.chance.randrange(900))
            ends = begins + timedelta(days=self.chance.randrange(1, 700))
            self.plan = (self.chance.choice(("SPARK", "degree")), begins, ends)
            self.events += [
                self._event("started", begins, plan=self.plan[0]),
                self._event("ended", ends, plan=None),
            ]
        days = list(self._days())
        for number in range(self.chance.choice((1, 1, 2, 3, 5, 8, 12))):
            self._report(number, days)

    @property
    def learner(self) -> UUID | None:
        return None if self.kind == 3 else self._key(self.kind)

    def segment(self, day: date) -> str:
        if self.plan is not None and self.plan[1] <= day < self.plan[2]:
            return self.plan[0]
        return "free"

    def _key(self, kind: int) -> UUID:
        return UUID(int=((kind + 1) << 96) + self.number)

    def _days(self) -> Iterator[date]:
        """Days that are hard to tell apart: about 30 days, and about a year, from one another."""
        first = self.chance.choice(
            (date(2024, 2, 29), date(2023, 2, 28), date(2022, 8, 31), date(2023, 11, 15))
        )
        for years in range(3):
            day = first
            for _ in range(years):
                day = anniversary(day)
            for off in (-31, -30, -29, -1, 0, 1, 15, 29, 30, 31, 60, 61):
                yield day + timedelta(days=off)
        yield first + timedelta(days=self.chance.randrange(1200))
        yield AS_OF
        yield AS_OF + timedelta(days=1)

    def _report(self, number: int, days: Sequence[date]) -> None:
        chance = self.chance
        source = chance.choice(SOURCES if self.kind == 0 else ("contract", "coach", "survey"))
        reported_on = date(2025, 1, 1) + timedelta(days=chance.randrange(5))
        report = Report(
            # Numbers in another order than the reports, so that ties are decided by neither.
            UUID(int=chance.getrandbits(60) << 60 | self.number << 8 | number),
            self.learner,
            source,
            reported_on,
            "astronaut" if chance.random() < 0.03 else chance.choice(tuple(FAMILY_OF)),
            None if chance.random() < 0.03 else chance.choice(days),
            chance.choice(("yes", "yes", "yes", "no", None)),
            chance.choice(("yes", "no", None)),
        )
        self.reports.append(report)
        told = {
            "outcome_type": report.outcome_type,
            "outcome_date": report.outcome_date,
            "credited": report.credited,
            "would_not_have_happened": report.would_not,
            "line_number": number,
        }
        if source == "product":
            self.events.append(
                self._event(
                    "told",
                    reported_on,
                    event_id=report.report_id,
                    file_id=FILES[_file(source)],
                    **told,
                )
            )
            return
        by_email = self.kind == 0 and chance.random() < 0.5
        self.rows.append(
            {
                "response_id": report.report_id,
                "row_hash": report.report_id,
                "survey": f"{source}s",
                "source": source,
                "file_id": FILES[_file(source)],
                "submitted_at": datetime.combine(reported_on, time(12)),
                "user_key": self._key(0) if self.kind == 0 and not by_email else None,
                "email_key": self._key(1) if by_email or self.kind == 1 else None,
                "respondent_key": self._key(2) if self.kind == 2 else None,
                "is_outcome_report": True,
                **told,
            }
        )

    def _event(self, event_type: str, day: date, **given: Any) -> dict[str, Any]:
        return {
            "event_type": event_type,
            "event_at": datetime.combine(day, time(12)),
            "user_key": self._key(0),
            **given,
        }

    @property
    def contact(self) -> dict[str, Any]:
        return {
            "user_key": self._key(0),
            "email_key": self._key(1),
            "updated_at": datetime(2022, 1, 1),
        }


def _people(seed: int, number: int) -> list[Person]:
    return [Person((seed << 32) + one, random.Random(f"{seed} {one}")) for one in range(number)]


def _open_school(folder: Path) -> School:
    school = School(folder)
    school.exported_at(EXPORTED_AT)
    school.insert(
        "loaded_files",
        [{"file_id": number, "path": path, "status": "loaded"} for path, number in FILES.items()],
    )
    school.means(told="outcome_reported", started="plan_started", ended="plan_ended")
    return school


def _load(school: School, people: Sequence[Person]) -> None:
    school.insert("survey_responses", [row for person in people for row in person.rows])
    school.insert("zendesk_users", [person.contact for person in people if person.kind == 0])
    school.load_events(event for person in people for event in person.events)


@dataclass(frozen=True)
class Decided:
    """Many people, and the marts that were built from their reports."""

    people: list[Person]
    school: School
    outcomes: list[Outcome]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Decided:
    people = [person for seed in (1, 2, 3) for person in _people(seed, 1000)]
    school = _open_school(tmp_path_factory.mktemp("outcomes"))
    _load(school, people)
    school.build_models(*MARTS)
    reports = [report for person in people for report in person.reports]
    return Decided(people, school, outcomes_of(reports, AS_OF))


def test_every_report_gets_the_decision_of_a_plain_loop(decided: Decided) -> None:
    expected: dict[UUID, tuple[Any, ...]] = {}
    for outcome in decided.outcomes:
        for report in outcome.reports:
            mine = report is outcome.carrier
            expected[report.report_id] = (
                report.learner,
                outcome.decision if mine else "duplicate_report",
                None,
                outcome.carrier.report_id,
                outcome.blocked_by if mine else None,
            )
    for person in decided.people:
        for report in person.reports:
            if (reason := invalid_reason(report, AS_OF)) is not None:
                expected[report.report_id] = (report.learner, "invalid", reason, None, None)

    found = decided.school.query(
        "select report_id, learner_key, decision, invalid_reason, outcome_id, "
        "blocked_by_outcome_id from outcomes.fct_outcome_reports"
    )

    assert {row[0]: row[1:] for row in found} == expected
    assert len(found) == len(expected)
    # The rules are all put to work, not by a handful of cases.
    assert all(number > 200 for number in Counter(row[2] for row in found).values())
    assert all(number > 20 for number in Counter(row[3] for row in found).values())


def test_every_real_outcome_has_what_a_plain_loop_finds(decided: Decided) -> None:
    person_of = {person.learner: person for person in decided.people}
    expected = {
        one.carrier.report_id: (
            one.carrier.learner,
            one.on,
            one.types,
            one.family,
            person_of[one.carrier.learner].segment(one.on),
            one.carrier.source,
            one.decision,
            one.decision == "counted",
            one.credited,
            one.has_conflict,
            len(one.reports),
            one.blocked_by,
        )
        for one in decided.outcomes
    }

    found = decided.school.query(f"select {OUTCOME_COLUMNS} from outcomes.fct_career_outcomes")

    assert {row[0]: row[1:] for row in found} == expected
    assert len(found) == len(expected)


def test_as_many_outcomes_are_counted_as_fit_12_months_apart(decided: Decided) -> None:
    credited = decided.school.query(
        "select learner_key, outcome_date, is_counted from outcomes.fct_career_outcomes "
        "where decision != 'not_credited'"
    )
    days: dict[UUID, list[date]] = defaultdict(list)
    counted: Counter[UUID] = Counter()
    for learner, day, is_counted in credited:
        days[learner].append(day)
        counted[learner] += is_counted
    for learner, own in days.items():
        assert counted[learner] == most_that_fit(own), own
    assert max(counted.values()) >= 4


def test_reports_keep_their_file_and_line(decided: Decided) -> None:
    found = decided.school.query(
        "select report_id, source_file, line_number, reported_on, credited, "
        "would_not_have_happened from outcomes.fct_outcome_reports"
    )
    numbered = {
        report.report_id: (number, report)
        for person in decided.people
        for number, report in enumerate(person.reports)
    }
    for report_id, source_file, line_number, reported_on, credited, would_not in found:
        number, report = numbered[report_id]
        assert (source_file, line_number) == (_file(report.source), number)
        assert (reported_on, credited, would_not) == (
            report.reported_on,
            report.credited,
            report.would_not,
        )


def test_the_order_in_which_reports_arrive_changes_nothing(tmp_path: Path) -> None:
    people = _people(4, 300)
    at_once = _open_school(tmp_path / "at_once")
    _load(at_once, people)
    at_once.build_models(*MARTS)

    chance = random.Random(5)
    for person in people:
        chance.shuffle(person.rows)
        chance.shuffle(person.events)
    chance.shuffle(people)
    bit_by_bit = _open_school(tmp_path / "bit_by_bit")
    for some in (people[:100], people[100:]):
        _load(bit_by_bit, some)
        bit_by_bit.build_models(*MARTS)
        bit_by_bit.forget_touched_days()

    for table, columns in (
        ("outcomes.fct_outcome_reports", REPORT_COLUMNS),
        ("outcomes.fct_career_outcomes", OUTCOME_COLUMNS),
    ):
        assert bit_by_bit.table(table, columns) == at_once.table(table, columns)


def _survey_row(response: str, outcome_date: str, **given: Any) -> dict[str, Any]:
    return {
        "response_id": key(response),
        "survey": "alumni",
        "source": "survey",
        "file_id": FILES["surveys.csv"],
        "submitted_at": f"{outcome_date} 12:00:00",
        "is_outcome_report": True,
        "outcome_type": "new_job",
        "outcome_date": outcome_date,
        "credited": "yes",
        **given,
    }


def _decisions(school: School) -> dict[str, str]:
    return dict(
        school.query(
            "select right(report_id::varchar, 2), decision from outcomes.fct_outcome_reports"
        )
    )


def test_what_arrives_late_or_goes_decides_about_the_whole_learner_anew(tmp_path: Path) -> None:
    """A late report, a contract that begins later, two people who turn out to be one, and one of
    three reports that is erased: the strongest, the deciding answer, and the first of its group.
    """
    school = _open_school(tmp_path)
    a1, a2, a3, a4, a5, a6 = (key(f"a{number}") for number in range(1, 7))
    begins_later = {
        "source": "contract",
        "survey": "contracts",
        "file_id": FILES["contracts.csv"],
        "credited": None,
    }
    school.insert(
        "survey_responses",
        [
            _survey_row("11", "2024-03-01", user_key=a1),
            _survey_row("21", "2026-03-09", user_key=a2, **begins_later),
            _survey_row("22", "2026-02-20", user_key=a2),
            _survey_row("31", "2025-01-10", user_key=a3),
            _survey_row("32", "2025-09-10", email_key=key("e3")),
            _survey_row("41", "2025-02-01", user_key=a4, **begins_later),
            _survey_row("42", "2025-02-10", user_key=a4, source="coach"),
            _survey_row("43", "2025-02-05", user_key=a4),
            _survey_row("51", "2025-02-01", user_key=a5, credited="no"),
            _survey_row("52", "2025-02-02", user_key=a5, credited=None),
            _survey_row("53", "2025-02-03", user_key=a5),
            _survey_row("61", "2025-02-01", user_key=a6),
            _survey_row("62", "2025-02-21", user_key=a6),
            _survey_row("63", "2025-03-13", user_key=a6),
        ],
    )
    school.build_models(*MARTS)
    assert _decisions(school) == {
        **{"41": "counted", "42": "duplicate_report", "43": "duplicate_report"},
        **{"51": "counted", "52": "duplicate_report", "53": "duplicate_report"},
        **{"61": "counted", "62": "duplicate_report", "63": "within_12_months"},
        "11": "counted",
        "21": "invalid",
        "22": "counted",
        "31": "counted",
        "32": "counted",
    }

    school.insert("survey_responses", [_survey_row("12", "2023-06-01", user_key=a1)])
    school.insert(
        "zendesk_users",
        [{"user_key": a3, "email_key": key("e3"), "updated_at": "2026-02-01 00:00:00"}],
    )
    school.execute(
        "delete from raw.survey_responses where right(response_id::varchar, 2) in "
        "('41', '53', '61')"
    )
    school.build_models(*MARTS, as_of="2026-03-10")

    assert _decisions(school) == {
        **{"42": "counted", "43": "duplicate_report"},
        **{"51": "not_credited", "52": "duplicate_report"},
        **{"62": "counted", "63": "duplicate_report"},
        "11": "within_12_months",
        "12": "counted",
        "21": "counted",
        "22": "duplicate_report",
        "31": "counted",
        "32": "within_12_months",
    }
    assert school.query(
        "select right(outcome_id::varchar, 2), outcome_date, evidence, credited "
        "from outcomes.fct_career_outcomes where learner_key = '" + str(a2) + "'"
    ) == [("21", date(2026, 3, 9), "contract", "yes")]
    assert school.query(
        "select right(outcome_id::varchar, 2), outcome_date, evidence, reports, credit_conflict "
        "from outcomes.fct_career_outcomes where right(outcome_id::varchar, 2) in "
        "('42', '51', '62') order by all"
    ) == [
        ("42", date(2025, 2, 10), "coach", 2, False),
        ("51", date(2025, 2, 1), "survey", 2, False),
        ("62", date(2025, 2, 21), "survey", 2, False),
    ]
    assert school.query(
        "select right(outcome_id::varchar, 2), right(blocked_by_outcome_id::varchar, 2) "
        "from outcomes.fct_career_outcomes where decision = 'within_12_months' order by all"
    ) == [("11", "12"), ("32", "31")]
