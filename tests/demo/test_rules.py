"""The rules that the truth is drawn up by, against the worked examples of definitions.md."""

from __future__ import annotations

from datetime import date
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.demo.clock import (
    HOUR,
    Period,
    add_months,
    calendar_day,
    day_number,
    local_day,
    local_ms,
    stamp,
    utc,
)
from orchestration.demo.outcomes import Answer, Report, Source
from orchestration.demo.people import Alumnus
from orchestration.demo.plans import PlanEvent, PlanStep, spells
from orchestration.demo.surveys import ScoreGiven
from orchestration.demo.truth import invalid_reason, judge, nps_truth

AS_OF = date(2026, 7, 1)
SOMEBODY = Alumnus("Ada Example", "ada@example.org", "en")


def report(
    kind: str | None,
    on: str | None,
    source: Source = "product",
    credited: Answer | None = "yes",
    told: str = "2026-06-01",
    would_not: Answer | None = None,
) -> Report:
    return Report(
        SOMEBODY,
        source,
        kind,
        date.fromisoformat(on) if on else None,
        local_ms(day_number(date.fromisoformat(told)), 12 * 3600),
        credited,
        would_not,
    )


def counted(*reports: Report) -> list[str]:
    decided = judge(reports, AS_OF)
    return sorted(f"{one.on}" for one in decided if one.decision == "counted")


def decisions(*reports: Report) -> list[str]:
    return sorted(one.decision for one in judge(reports, AS_OF))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (
            ["2023-01-15", "2023-09-01", "2024-02-01", "2024-12-20", "2025-02-01"],
            ["2023-01-15", "2024-02-01", "2025-02-01"],
        ),
        (["2023-12-20", "2024-01-05"], ["2023-12-20"]),
        (["2024-02-29", "2025-02-27"], ["2024-02-29"]),
        (["2024-02-29", "2025-02-28"], ["2024-02-29", "2025-02-28"]),
        (["2023-06-01", "2024-03-01"], ["2023-06-01"]),
    ],
)
def test_an_outcome_is_not_counted_twice_within_12_months(
    days: list[str], expected: list[str]
) -> None:
    kinds = ["new_job", "business", "title_change", "new_job", "business"]
    assert counted(*(report(kind, day) for kind, day in zip(kinds, days, strict=False))) == expected


def test_what_is_not_credited_blocks_nothing() -> None:
    no = report("new_job", "2023-01-10", credited="no")
    assert counted(no, report("business", "2023-06-01")) == ["2023-06-01"]


def test_reports_of_one_outcome_take_the_strongest_evidence_and_its_date() -> None:
    decided = judge(
        [
            report("new_job", "2025-05-12", "survey"),
            report("new_job", "2025-05-12", "product"),
            report("new_job", "2025-06-03", "coach"),
        ],
        AS_OF,
    )
    assert [(one.strongest.source, len(one.reports)) for one in decided] == [("product", 3)]


def test_a_contract_gives_the_date_and_the_survey_the_credit() -> None:
    contract = report("apprenticeship", "2025-09-01", "contract", credited=None)
    survey = report("apprenticeship", "2025-09-10", "survey")
    assert counted(contract, survey) == ["2025-09-01"]
    assert decisions(contract) == ["not_credited"]


def test_the_last_answer_decides_and_the_contradiction_is_flagged() -> None:
    yes = report("new_job", "2025-05-01", told="2025-05-20")
    no = report("new_job", "2025-05-02", "survey", "no", told="2025-12-01")
    (outcome,) = judge([yes, no], AS_OF)
    assert (outcome.decision, outcome.has_conflict) == ("not_credited", True)
    same_day = report("new_job", "2025-05-02", "survey", "no", told="2025-05-20")
    assert decisions(yes, same_day) == ["not_credited"]
    before = report("new_job", "2025-05-02", "survey", "no", told="2025-05-19")
    assert decisions(yes, before) == ["counted"]


def test_two_types_of_one_day_are_one_outcome() -> None:
    pair = [report("title_change", "2025-03-01"), report("salary_increase", "2025-03-01")]
    assert counted(*pair) == ["2025-03-01"]


@pytest.mark.parametrize(
    ("second", "outcomes"), [("2025-03-31", 1), ("2025-04-01", 2)], ids=["30 days", "31 days"]
)
def test_reports_at_most_30_days_apart_are_one_outcome(second: str, outcomes: int) -> None:
    found = judge([report("new_job", "2025-03-01"), report("new_job", second)], AS_OF)
    assert len(found) == outcomes


@pytest.mark.parametrize(
    ("would_not", "decision"), [("yes", "counted"), ("no", "not_credited"), (None, "not_credited")]
)
def test_an_internal_move_needs_the_training(would_not: Answer | None, decision: str) -> None:
    assert decisions(report("internal_mobility", "2025-03-01", would_not=would_not)) == [decision]


def test_of_two_outcomes_of_one_day_the_stronger_evidence_counts() -> None:
    weak = report("new_job", "2025-03-01", "survey")
    strong = report("business", "2025-03-01", "coach")
    (outcome,) = [one for one in judge([weak, strong], AS_OF) if one.decision == "counted"]
    assert outcome.family == "business"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (report("promotion", "2025-03-01"), "unknown_type"),
        (report(None, "2025-03-01"), "unknown_type"),
        (report("new_job", None), "no_outcome_date"),
        (report("new_job", "2026-07-02"), "not_yet"),
        (report("new_job", "2026-07-01"), None),
    ],
)
def test_reports_that_cannot_be_judged(told: Report, reason: str | None) -> None:
    assert invalid_reason(told, AS_OF) == reason


@given(st.lists(st.dates(date(2020, 1, 1), date(2026, 6, 30)), min_size=1, max_size=7))
def test_the_rule_counts_as_many_as_can_be_counted(days: list[date]) -> None:
    """Greedy, against trying every subset. Of three families only groups of one family collapse."""
    reports = [report("new_job", day.isoformat()) for day in days]
    outcomes = judge(reports, AS_OF)
    dates = [one.on for one in outcomes]
    most = max(
        size
        for size in range(len(dates) + 1)
        for chosen in combinations(sorted(dates), size)
        if all(later >= add_months(earlier, 12) for earlier, later in pairwise(chosen))
    )
    assert sum(one.decision == "counted" for one in outcomes) == most
    shuffled = judge(list(reversed(reports)), AS_OF)
    assert sorted(one.on for one in shuffled) == sorted(dates)


def test_nps_bands_and_what_no_answer_is() -> None:
    texts = ["10", "9", "8", "7", "6", "0", "11", "-1", "9.5", "ten", "", "NA"]
    scores = [ScoreGiven("s", text) for text in texts]
    truth = nps_truth([*scores, ScoreGiven("s", "10", is_submitted=False)])["s"]
    assert (truth.promoters, truth.passives, truth.detractors) == (2, 2, 2)
    assert (truth.respondents, truth.rejected, truth.unanswered) == (6, 4, 3)


def step(event: PlanEvent, day: str, plan: str, previous: str = "free") -> PlanStep:
    return PlanStep(local_ms(day_number(date.fromisoformat(day)), 36_000), event, plan, previous)


def test_a_renewal_within_the_grace_period_continues_the_spell() -> None:
    journey = [
        step("plan_started", "2025-01-01", "SPARK"),
        step("plan_ended", "2025-02-01", "free", "SPARK"),
        step("plan_started", "2025-02-06", "SPARK"),
    ]
    (spell,) = spells(journey)
    assert (spell.started_on, spell.ended_on) == (day_number(date(2025, 1, 1)), None)


def test_a_pause_longer_than_the_grace_period_ends_the_spell() -> None:
    journey = [
        step("plan_started", "2025-01-01", "SPARK"),
        step("plan_ended", "2025-02-01", "free", "SPARK"),
        step("plan_started", "2025-02-15", "degree"),
    ]
    first, second = spells(journey)
    assert first.ended_on == day_number(date(2025, 2, 1))
    assert (second.first_plan, second.ended_on) == ("degree", None)


def test_a_change_of_paid_plan_continues_the_spell() -> None:
    journey = [
        step("plan_started", "2025-01-01", "SPARK"),
        step("plan_changed", "2025-03-01", "degree", "SPARK"),
    ]
    (spell,) = spells(journey)
    assert (spell.first_plan, spell.last_plan, spell.ended_on) == ("SPARK", "degree", None)


# -- the clock -------------------------------------------------------------------------------------


@given(
    st.integers(day_number(date(2015, 1, 1)), day_number(date(2035, 1, 1))),
    st.integers(0, 86_399),
)
def test_a_local_time_falls_on_its_day(day: int, second: int) -> None:
    assert local_day(local_ms(day, second)) == day


@pytest.mark.parametrize(
    ("day", "offset"), [("2026-03-28", 1), ("2026-03-29", 2), ("2025-10-25", 2), ("2025-10-26", 1)]
)
def test_noon_in_paris_follows_summer_time(day: str, offset: int) -> None:
    number = day_number(date.fromisoformat(day))
    assert local_ms(number, 12 * 3600) == number * 24 * HOUR + (12 - offset) * HOUR


def test_times_are_written_as_amplitude_does() -> None:
    at = int(utc(0).replace(year=2025, month=1, day=31, hour=13, minute=5).timestamp() * 1000)
    assert stamp(at + 9_250) == "2025-01-31 13:05:09.250000"


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-07-01", -18, "2025-01-01"),
        ("2025-01-31", 1, "2025-02-28"),
        ("2025-12-15", 1, "2026-01-15"),
    ],
)
def test_months_are_calendar_months(day: str, months: int, expected: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(expected)


def test_the_period_is_full_months_up_to_its_last_day() -> None:
    period = Period.of_months(18, date(2026, 6, 30))
    assert (period.first, period.as_of) == (date(2025, 1, 1), date(2026, 7, 1))
    assert calendar_day(period.days[-1]) == date(2026, 6, 30)
    assert local_day(period.ends_at) == period.days[-1]
