"""Career outcomes worked out independently of the models: plain loops over one learner's reports.

The rules are those of definitions.md, section 1, in its order.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import combinations, pairwise
from uuid import UUID

FAMILIES = {
    "job": ("new_job", "internship", "apprenticeship"),
    "business": ("business", "freelance"),
    "advancement": ("title_change", "salary_increase", "internal_mobility"),
}
FAMILY_OF = {kind: family for family, kinds in FAMILIES.items() for kind in kinds}
STRONGEST_FIRST = ("contract", "product", "coach", "survey")


@dataclass(frozen=True)
class Report:
    """One statement; `credited` and `would_not` are yes, no or None."""

    report_id: UUID
    learner: UUID | None
    source: str
    reported_on: date
    outcome_type: str | None
    outcome_date: date | None
    credited: str | None = None
    would_not: str | None = None


@dataclass
class Outcome:
    """What reports of one learner and family describe."""

    reports: list[Report]
    carrier: Report = field(init=False)
    decision: str = ""
    blocked_by: UUID | None = None

    def __post_init__(self) -> None:
        self.carrier = min(
            self.reports,
            key=lambda report: (
                STRONGEST_FIRST.index(report.source),
                dated(report),
                report.report_id,
            ),
        )

    @property
    def on(self) -> date:
        return dated(self.carrier)

    @property
    def family(self) -> str:
        return family_of(self.carrier)

    @property
    def credited(self) -> str | None:
        return _last_word([(one.reported_on, one.credited) for one in self._own_words])

    @property
    def has_conflict(self) -> bool:
        return {"yes", "no"} <= {one.credited for one in self._own_words}

    @property
    def types(self) -> list[str]:
        types = {one.outcome_type or "" for one in self.reports}
        if _last_word([(one.reported_on, one.would_not) for one in self._own_words]) != "yes":
            types -= {"internal_mobility"}
        return sorted(types)

    @property
    def _own_words(self) -> list[Report]:
        return [one for one in self.reports if one.source != "contract"]


def family_of(report: Report) -> str:
    return FAMILY_OF[report.outcome_type or ""]


def dated(report: Report) -> date:
    assert report.outcome_date is not None
    return report.outcome_date


def _last_word(answers: Iterable[tuple[date, str | None]]) -> str | None:
    given = [(day, answer) for day, answer in answers if answer is not None]
    if not given:
        return None
    last_day = max(day for day, _ in given)
    return "no" if "no" in {answer for day, answer in given if day == last_day} else "yes"


def anniversary(day: date) -> date:
    """The same day a year later; 28 February where there is no 29th."""
    last = calendar.monthrange(day.year + 1, day.month)[1]
    return date(day.year + 1, day.month, min(day.day, last))


def invalid_reason(report: Report, as_of: date) -> str | None:
    if report.outcome_type not in FAMILY_OF:
        return "unknown_type"
    if report.outcome_date is None:
        return "no_outcome_date"
    if report.learner is None:
        return "no_learner"
    return "not_yet" if report.outcome_date > as_of else None


def outcomes_of(reports: Iterable[Report], as_of: date) -> list[Outcome]:
    """The real outcomes of any number of learners, decided."""
    by_learner: Mapping[UUID, list[Report]] = defaultdict(list)
    for report in reports:
        if invalid_reason(report, as_of) is None and report.learner is not None:
            by_learner[report.learner].append(report)
    found: list[Outcome] = []
    for own in by_learner.values():
        outcomes = [
            Outcome(group)
            for family in FAMILIES
            for group in _groups(
                [one for one in own if FAMILY_OF[one.outcome_type or ""] == family]
            )
        ]
        _decide(outcomes)
        found += outcomes
    return found


def _groups(reports: list[Report]) -> list[list[Report]]:
    groups: list[list[Report]] = []
    for report in sorted(reports, key=dated):
        if groups and dated(report) - dated(groups[-1][0]) <= timedelta(days=30):
            groups[-1].append(report)
        else:
            groups.append([report])
    return groups


def _decide(outcomes: Sequence[Outcome]) -> None:
    last: Outcome | None = None
    for outcome in sorted(
        outcomes,
        key=lambda one: (
            one.on,
            STRONGEST_FIRST.index(one.carrier.source),
            list(FAMILIES).index(one.family),
            one.carrier.report_id,
        ),
    ):
        if outcome.credited != "yes" or not outcome.types:
            outcome.decision = "not_credited"
        elif last is not None and outcome.on < anniversary(last.on):
            outcome.decision = "within_12_months"
            outcome.blocked_by = last.carrier.report_id
        else:
            outcome.decision = "counted"
            last = outcome


def most_that_fit(days: Sequence[date]) -> int:
    """The largest number of days no two of which are closer than 12 months, by trying all."""
    ordered = sorted(days)
    for size in range(len(ordered), 0, -1):
        for chosen in combinations(ordered, size):
            if all(later >= anniversary(earlier) for earlier, later in pairwise(chosen)):
                return size
    return 0
