"""Career outcomes as they happen, and the reports of them that reach the school.

One outcome is reported by any number of sources, each with its own date and its own answer to
whether the school helped. Some reports are invalid, some contradict each other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

from orchestration.demo.chance import Lots
from orchestration.demo.clock import (
    HOUR,
    Period,
    add_months,
    calendar_day,
    day_number,
    local_day,
    local_ms,
)
from orchestration.demo.people import Alumnus, Learner, Population

Source = Literal["contract", "product", "coach", "survey"]
Answer = Literal["yes", "no"]

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "job": ("new_job", "internship", "apprenticeship"),
    "business": ("business", "freelance"),
    "advancement": ("title_change", "salary_increase", "internal_mobility"),
}
FAMILY_OF: Final = {kind: family for family, kinds in FAMILIES.items() for kind in kinds}

# Who is behind a report: a learner, or the e-mail address of somebody without an account.
Person = Learner | Alumnus


@dataclass(frozen=True)
class Report:
    """One statement about an outcome, from one source.

    Attributes:
        person: null where neither a user id nor an e-mail address is given.
        outcome_type: as reported; an unknown one makes the report invalid.
        outcome_date: null where none is given, or what is given is no date.
        date_text: what is written in its place then.
        reported_at: milliseconds since 1970.
        credited: whether the school helped, in the learner's own word; null is unknown.
        would_not_have_happened: only asked about internal moves.
        gives_user_id, gives_email: which ids the report holds.
    """

    person: Person | None
    source: Source
    outcome_type: str | None
    outcome_date: date | None
    reported_at: int
    credited: Answer | None = None
    would_not_have_happened: Answer | None = None
    date_text: str | None = None
    gives_user_id: bool = False
    gives_email: bool = False

    @property
    def reported_day(self) -> int:
        """Day of the report in the reporting zone, counted since 1970-01-01."""
        return local_day(self.reported_at)


@dataclass(frozen=True)
class Outcome:
    """What really happened."""

    person: Person
    kind: str
    on: int
    credited: Answer | None
    would_not_have_happened: Answer | None


_FAMILY = Lots.of({"job": 50, "business": 15, "advancement": 35})
_CREDIT: Lots[Answer | None] = Lots.of({"yes": 70, "no": 14, None: 16})
_UNCLEAR_DATES: Final = ("last spring", "beginning of the year", "soon")


def outcomes_of(rng: random.Random, population: Population, period: Period) -> list[Outcome]:
    """Draw what really happens to everybody within the period, and shortly before it."""
    found: list[Outcome] = []
    for learner in population.learners:
        plans = {step.plan for step in learner.plans}
        chance = 0.5 if "degree" in plans else 0.35 if "SPARK" in plans else 0.08
        if rng.random() < chance:
            earliest = max(learner.joined_day + 20, period.days.start - 200)
            found += _career(rng, learner, earliest, period)
    for alumnus in population.alumni[len(_GALLERY) :]:
        if rng.random() < 0.8:
            found += _career(rng, alumnus, period.days.start - 200, period)
    return found


def _career(rng: random.Random, person: Person, earliest: int, period: Period) -> list[Outcome]:
    """One outcome, or a few: less than, exactly, or more than 12 months apart."""
    latest = period.days[-1] - 3
    if earliest >= latest:
        return []
    day: int = rng.randrange(earliest, latest)
    career = [_outcome(rng, person, day)]
    while rng.random() < 0.5:
        anniversary = day_number(add_months(calendar_day(day), 12))
        luck = rng.random()
        if luck < 0.55:
            day += rng.randrange(95, 340)
        elif luck < 0.65:
            day = anniversary - 1
        elif luck < 0.8:
            day = anniversary
        else:
            day = anniversary + rng.randrange(1, 90)
        if day >= latest:
            break
        career.append(_outcome(rng, person, day))
    return career


def _outcome(rng: random.Random, person: Person, day: int) -> Outcome:
    kind = rng.choice(FAMILIES[_FAMILY.draw(rng)])
    would_not: Answer | None = None
    if kind == "internal_mobility":
        would_not = rng.choice(("yes", "yes", "yes", "no", None))
    return Outcome(person, kind, day, _CREDIT.draw(rng), would_not)


class Reporting:
    """Turns outcomes into reports.

    The yearly survey asks for one outcome at most; what it would hold is offered as `told_survey`
    and becomes a report when the person answers a wave (see `surveys.py`).
    """

    def __init__(self, rng: random.Random, period: Period) -> None:
        self.reports: list[Report] = []
        self._rng = rng
        self._period = period

    def report(self, outcomes: Sequence[Outcome]) -> None:
        """Let the product, coaches and employers report the outcomes."""
        rng = self._rng
        for outcome in outcomes:
            person = outcome.person
            if isinstance(person, Learner) and rng.random() < 0.45:
                self._declare(outcome, person)
            if rng.random() < (0.3 if isinstance(person, Learner) else 0.45):
                self._coach(outcome)
            if outcome.kind in FAMILIES["job"] and rng.random() < 0.4:
                self._contract(outcome)

    def survey_answer(self, outcome: Outcome, answered_at: int) -> Report:
        """What the person tells the yearly survey: often not the day that others report."""
        rng = self._rng
        # More than 30 days off and it is taken for another outcome.
        days_off = rng.randrange(33, 45) if rng.random() < 0.06 else rng.randrange(-12, 19)
        return self._told(outcome, "survey", days_off, answered_at)

    def _declare(self, outcome: Outcome, learner: Learner) -> None:
        rng = self._rng
        day = max(outcome.on, learner.joined_day + 1, self._period.days.start)
        at = local_ms(day + rng.randrange(0, 45), rng.randrange(8 * 3600, 21 * 3600))
        if at < self._period.ends_at - HOUR:
            self._add(self._told(outcome, "product", rng.randrange(0, 4), at))
            if outcome.kind == "title_change" and rng.random() < 0.4:
                # More money came with the title: two types of one outcome.
                raised = replace(outcome, kind="salary_increase")
                self._add(self._told(raised, "product", 0, at + HOUR // 2))

    def _coach(self, outcome: Outcome) -> None:
        rng = self._rng
        day = max(outcome.on + rng.randrange(2, 60), self._period.days.start)
        at = local_ms(day, rng.randrange(9 * 3600, 18 * 3600))
        if at < self._period.ends_at - HOUR:
            self._add(self._told(outcome, "coach", rng.randrange(-6, 22), at))

    def _contract(self, outcome: Outcome) -> None:
        """Signed before it starts, and silent about credit."""
        signed = max(outcome.on - self._rng.randrange(3, 60), self._period.days.start)
        if signed < self._period.days[-1]:
            self._add(
                self._identified(
                    Report(
                        outcome.person,
                        "contract",
                        "apprenticeship" if outcome.kind == "apprenticeship" else outcome.kind,
                        calendar_day(_clear_day(outcome.person, outcome.on)),
                        local_ms(signed),
                    )
                )
            )

    def _told(self, outcome: Outcome, source: Source, days_off: int, at: int) -> Report:
        """A person's own account: the date may be off, the answers may be missing or change."""
        rng = self._rng
        day = min(outcome.on + days_off, local_day(at), self._period.days[-1])
        credited = outcome.credited
        luck = rng.random()
        if luck < 0.12:
            credited = None
        elif luck < 0.17 and credited is not None:
            credited = "no" if credited == "yes" else "yes"
        would_not = outcome.would_not_have_happened
        if outcome.kind != "internal_mobility" or rng.random() < 0.2:
            would_not = None
        return self._identified(
            Report(
                outcome.person,
                source,
                outcome.kind,
                calendar_day(_clear_day(outcome.person, day)),
                at,
                credited,
                would_not,
            )
        )

    def _identified(self, report: Report) -> Report:
        """Decide which ids it holds: the e-mail address alone only where that leads to somebody."""
        rng, person = self._rng, report.person
        if not isinstance(person, Learner):
            return replace(report, gives_email=True)
        if report.source == "product":
            return replace(report, gives_user_id=True)
        by_email = person.is_found_by_email and rng.random() < 0.4
        return replace(
            report,
            gives_user_id=not by_email,
            gives_email=by_email or report.source == "survey" or rng.random() < 0.5,
        )

    def _add(self, report: Report) -> None:
        self.reports.append(report)

    # -- what makes it hard --------------------------------------------------------------------

    def add_invalid(self, learners: Sequence[Learner]) -> None:
        """Reports that cannot count, of every kind and from every source but the survey."""
        rng, period = self._rng, self._period
        number = max(2, len(learners) // 400)

        def draft(source: Source) -> Report:
            day = rng.randrange(period.days.start + len(period.days) // 2, period.days[-1])
            at = local_ms(day, rng.randrange(9 * 3600, 18 * 3600))
            told = calendar_day(day - rng.randrange(0, 10))
            kind = "apprenticeship" if source == "contract" else "new_job"
            credited: Answer | None = None if source == "contract" else "yes"
            return Report(None, source, kind, told, at, credited)

        def of_somebody(source: Source) -> Report:
            joined = [one for one in learners if one.joined_day < period.days.start + 10]
            person = rng.choice(joined or list(learners))
            return self._identified(replace(draft(source), person=person))

        for _ in range(number):
            self._add(replace(of_somebody("product"), outcome_type="promotion"))
            self._add(replace(of_somebody("coach"), outcome_type="volunteering"))
            self._add(replace(of_somebody("product"), outcome_date=None))
            unclear = rng.choice(_UNCLEAR_DATES)
            self._add(replace(of_somebody("coach"), outcome_date=None, date_text=unclear))
            self._add(replace(of_somebody("contract"), outcome_date=None))
            self._add(draft("coach"))
            self._add(draft("contract"))
            for source in ("product", "contract", "contract"):
                start = calendar_day(period.days.stop + rng.randrange(10, 120))
                self._add(replace(of_somebody(source), outcome_date=start))

    def add_gallery(self, alumni: Sequence[Alumnus]) -> None:
        """The hard cases of the rules, one alumnus each, so that even a small demo has them all."""
        for alumnus, cases in zip(alumni, _GALLERY, strict=False):
            for source, kind, days_ago, months, reported_ago, credited, would_not in cases:
                day = add_months(self._period.last - timedelta(days=days_ago), months)
                at = local_ms(self._period.days[-1] - reported_ago, 11 * 3600)
                self._add(
                    Report(
                        alumnus,
                        source,
                        kind,
                        day,
                        local_ms(local_day(at)) if source == "contract" else at,
                        credited,
                        would_not,
                        gives_email=True,
                    )
                )


def _clear_day(person: Person | None, day: int) -> int:
    """The day itself, or the last one before it on which the plan is beyond doubt."""
    while isinstance(person, Learner) and not person.has_clear_plan(day):
        day -= 1
    return day


_Case = tuple[Source, str, int, int, int, Answer | None, Answer | None]
# source, type, days before the last day, plus months, reported so many days before the last day,
# credited, would not have happened without the training
_GALLERY: Final[tuple[tuple[_Case, ...], ...]] = (
    # five outcomes in two years, of which three count
    (
        ("coach", "new_job", 760, 0, 20, "yes", None),
        ("coach", "title_change", 531, 0, 20, "yes", None),
        ("coach", "new_job", 378, 0, 20, "yes", None),
        ("coach", "business", 55, 0, 20, "yes", None),
        ("coach", "title_change", 11, 0, 5, "yes", None),
    ),
    # the anniversary itself counts, the day before it does not
    (
        ("coach", "freelance", 400, 0, 20, "yes", None),
        ("coach", "new_job", 400, 12, 20, "yes", None),
    ),
    (
        ("coach", "freelance", 400, 0, 20, "yes", None),
        ("coach", "new_job", 401, 12, 20, "yes", None),
    ),
    # 30 days apart is one outcome, 31 are two
    (
        ("coach", "new_job", 120, 0, 26, "yes", None),
        ("contract", "new_job", 90, 0, 26, None, None),
    ),
    (
        ("coach", "internship", 120, 0, 26, "yes", None),
        ("contract", "internship", 89, 0, 26, None, None),
    ),
    # the last answer decides, and of the same day the no
    (
        ("coach", "new_job", 100, 0, 26, "yes", None),
        ("coach", "new_job", 98, 0, 10, "no", None),
    ),
    (
        ("coach", "new_job", 100, 0, 26, "no", None),
        ("coach", "new_job", 98, 0, 10, "yes", None),
    ),
    (
        ("coach", "business", 100, 0, 15, "yes", None),
        ("coach", "business", 100, 0, 15, "no", None),
    ),
    # one outcome with two types
    (
        ("coach", "title_change", 70, 0, 20, "yes", None),
        ("coach", "salary_increase", 70, 0, 20, "yes", None),
    ),
    # an internal move needs two answers, but its other types stay without the second
    (("coach", "internal_mobility", 70, 0, 20, "yes", None),),
    (("coach", "internal_mobility", 70, 0, 20, "yes", "yes"),),
    (
        ("coach", "internal_mobility", 70, 0, 20, "yes", "no"),
        ("coach", "title_change", 70, 0, 20, "yes", None),
    ),
    # a contract says nothing about credit
    (("contract", "apprenticeship", 60, 0, 26, None, None),),
    (
        ("contract", "apprenticeship", 60, 0, 26, None, None),
        ("coach", "apprenticeship", 51, 0, 20, "yes", None),
    ),
    # what is not credited blocks nothing
    (
        ("coach", "new_job", 200, 0, 26, "no", None),
        ("coach", "freelance", 80, 0, 20, "yes", None),
    ),
    # two outcomes of one day: the stronger evidence counts
    (
        ("coach", "business", 64, 0, 26, "yes", None),
        ("contract", "internship", 64, 0, 26, None, None),
        ("coach", "internship", 60, 0, 26, "yes", None),
    ),
)
GALLERY_SIZE: Final = len(_GALLERY)
