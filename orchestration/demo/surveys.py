"""Survey exports: the yearly alumni survey, the quarterly NPS, coaches' entries and contracts.

Each is the kind of CSV that its tool or team really sends, with its own delimiter, encoding, dates
and words; `data/sources/surveys/` holds the mappings.
"""

from __future__ import annotations

import csv
import io
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from orchestration.demo.archive import write_bytes
from orchestration.demo.chance import Lots, pick
from orchestration.demo.clock import DAY, HOUR, Period, day_number, local, local_day, local_ms, utc
from orchestration.demo.outcomes import Outcome, Person, Report, Reporting
from orchestration.demo.people import Learner, Population

ALUMNI: Final = "alumni_survey"
QUARTERLY_NPS: Final = "nps_quarterly"
COACHES: Final = "coach_entries"
CONTRACTS: Final = "contracts"

_WAVE_MONTH, _WAVE_DAY = 3, 10
_QUARTER_MONTHS = (2, 5, 8, 11)
# Of those who do not answer, the share whom no mail reaches.
_BOUNCES: Final = 0.06

# What people can answer, in the survey's words, and what the mapping makes of it.
SURVEY_WORDS: Final = {
    "new_job": "I found a new job",
    "internship": "I found an internship",
    "apprenticeship": "I started an apprenticeship",
    "business": "I started a business",
    "freelance": "I became a freelancer",
    "title_change": "My job title changed",
    "salary_increase": "My salary increased",
    "internal_mobility": "I moved within my company",
}
COACH_WORDS: Final = {
    "new_job": "New job",
    "internship": "Internship",
    "apprenticeship": "Apprenticeship",
    "business": "Own business",
    "freelance": "Freelance",
    "title_change": "New title",
    "salary_increase": "Raise",
    "internal_mobility": "Internal move",
}
CONTRACT_WORDS: Final = {
    "apprenticeship": "Contrat d'apprentissage",
    "new_job": "CDI",
    "internship": "Convention de stage",
}
_YES_NO: Final = {"yes": "Yes", "no": "No", None: "I don't know"}
# "Would it have happened without the school?" is the other way round.
_WITHOUT: Final = {"yes": "No", "no": "Yes", None: ""}
_COACH_CREDIT: Final = {"yes": "yes", "no": "no", None: "not asked"}
_SCORES: Final = {
    "free": Lots.of({10: 20, 9: 19, 8: 21, 7: 14, 6: 8, 5: 7, 4: 3, 3: 3, 2: 2, 1: 1, 0: 2}),
    "SPARK": Lots.of({10: 27, 9: 22, 8: 20, 7: 11, 6: 7, 5: 5, 4: 3, 3: 2, 2: 1, 1: 1, 0: 1}),
    "degree": Lots.of({10: 33, 9: 24, 8: 18, 7: 9, 6: 5, 5: 4, 4: 2, 3: 2, 2: 1, 1: 1, 0: 1}),
}
# What stands for no answer at all.
NO_ANSWER: Final = ("", "NA")
# What no score is: out of range, not a whole number, not a number.
_NO_SCORES: Final = ("11", "9.5", "-1", "ten", "NA", "10/10")
_PRAISE: Final = (
    "Clear lessons, and my mentor answered within a day.",
    "Très bon rythme, merci !",
    'I liked the projects; the forum is "alive", too.',
    "Me ayudó a cambiar de trabajo.",
    "Good value.\nMore exercises would be nice, though.",
)
_BLAME: Final = (
    "The videos stop on my phone, and support took a week.",
    "Trop cher pour ce que c'est.",
    "Too fast; write to me at demo.reader@example.org or call +33 1 99 00 12 34.",
    "No pude terminar el curso, demasiado teoría.",
)


@dataclass(frozen=True)
class ScoreGiven:
    """What became of asking somebody for a recommendation.

    Attributes:
        survey: the survey's name in the marts.
        text: what was answered, empty without an answer.
        is_submitted: false for a question that was put away, or left half answered.
        has_comment: something was written besides.
    """

    survey: str
    text: str
    is_submitted: bool = True
    has_comment: bool = False


@dataclass(frozen=True)
class Work:
    """What a respondent of the yearly survey tells about work, as the file has it.

    Attributes:
        answered_on: day number in the reporting zone.
        looks_for_work: Yes, No, or empty.
        incomes: yearly, in euros, before and now; empty where not told.
        hours: a week, before and now.
    """

    person: Person
    answered_on: int
    looks_for_work: str
    incomes: tuple[str, str] = ("", "")
    hours: tuple[str, str] = ("", "")

    def fields(self) -> list[str]:
        """The columns of the file."""
        return [self.looks_for_work, *self.incomes, *self.hours]


@dataclass(frozen=True)
class Invitation:
    """Somebody who was asked by a wave of the yearly survey.

    Attributes:
        wave_day: the wave's date, counted since 1970-01-01.
        person: null where the row says not who it was.
        report: of an outcome, if the answer holds one.
    """

    wave_day: int
    person: Person | None
    is_delivered: bool
    is_answered: bool
    report: Report | None = None


class Surveys:
    """Writes the files below `surveys/`, `coaches/` and `contracts/`.

    After `write`, `files` and `rows` hold what was written per survey, `scores` everybody who was
    asked for a recommendation, and `invitations` everybody who was asked by the yearly survey; its
    reports are added to the reporting.

    Args:
        mail: decides which invitations never arrive.
    """

    def __init__(
        self,
        rng: random.Random,
        mail: random.Random,
        pay: random.Random,
        period: Period,
        population: Population,
    ) -> None:
        self.rows: dict[str, int] = defaultdict(int)
        self.files: dict[str, int] = defaultdict(int)
        self.scores: list[ScoreGiven] = []
        self.invitations: list[Invitation] = []
        self.work: list[Work] = []
        self._rng = rng
        self._mail = mail
        self._pay = pay
        self._period = period
        self._population = population

    def write(self, landing: Path, outcomes: Sequence[Outcome], reporting: Reporting) -> None:
        """Write all files; `reporting` holds the reports of coaches and contracts already."""
        for year in range(self._period.first.year, self._period.last.year + 1):
            opens = day_number(date(year, _WAVE_MONTH, _WAVE_DAY))
            if self._period.days.start <= opens and opens + 25 < self._period.days.stop:
                self._alumni_wave(landing, year, opens, outcomes, reporting)
            for month in _QUARTER_MONTHS:
                opens = day_number(date(year, month, _WAVE_DAY))
                if self._period.days.start <= opens and opens + 15 < self._period.days.stop:
                    self._nps_quarter(landing, opens)
        self._coach_entries(landing, reporting.reports)
        self._contracts(landing, reporting.reports)

    # -- the yearly survey ---------------------------------------------------------------------

    def _alumni_wave(
        self,
        landing: Path,
        year: int,
        opens: int,
        outcomes: Sequence[Outcome],
        reporting: Reporting,
    ) -> None:
        rng = self._rng
        recent: dict[Person, Outcome] = {}
        for outcome in outcomes:
            if opens - 400 <= outcome.on < opens:
                known = recent.get(outcome.person)
                if known is None or known.on < outcome.on:
                    recent[outcome.person] = outcome
        invited: list[Person] = [
            learner
            for learner in self._population.learners
            if learner.joined_day + 60 < opens and rng.random() < 0.6
        ]
        invited += [alumnus for alumnus in self._population.alumni if alumnus in recent]
        records: list[list[str]] = []
        for person in invited:
            answered_at = local_ms(opens + rng.randrange(0, 21), rng.randrange(8 * 3600, 21 * 3600))
            record = _AlumniRecord(f"R{year}-{len(records) + 1:05}", opens, person)
            happened = recent.get(person)
            # Those with something to tell answer more often: what respondents say is not what
            # everybody would.
            if rng.random() < (0.55 if happened else 0.33):
                record.answered_at = answered_at
                record.score = self._score(person, answered_at)
                record.comment = self._comment(record.score)
                record.work = self._about_work(
                    person, answered_at, has_changed=happened is not None
                )
                self.work.append(record.work)
                if happened and rng.random() < 0.9:
                    report = reporting.survey_answer(happened, answered_at)
                    reporting.reports.append(report)
                    record.report = report
            else:
                record.is_delivered = self._mail.random() >= _BOUNCES
            self.scores.append(ScoreGiven(ALUMNI, record.score, has_comment=bool(record.comment)))
            self.invitations.append(record.invitation())
            records.append(record.fields())
        at = local_ms(opens + 5, 12 * 3600)
        for report in self._invalid_answers(at):
            reporting.reports.append(report)
            record = _AlumniRecord(f"R{year}-{len(records) + 1:05}", opens, report.person)
            record.answered_at, record.report = at, report
            self.scores.append(ScoreGiven(ALUMNI, ""))
            self.invitations.append(record.invitation())
            records.append(record.fields())
        self._save(landing / "surveys" / f"{ALUMNI}_{year}.csv", ALUMNI, _ALUMNI_HEADER, records)

    def _about_work(self, person: Person, answered_at: int, *, has_changed: bool) -> Work:
        """Incomes rise for those with something to tell, fall for some, and a few cannot be."""
        rng = self._pay
        looks = rng.choice(("Yes", "Yes", "No", ""))
        answered_on = local_day(answered_at)
        if rng.random() < 0.45:
            return Work(person, answered_on, looks)
        before = 0 if rng.random() < 0.12 else 500 * round(rng.lognormvariate(3.9, 0.35))
        growth = rng.choice((0.92, 1.0, 1.03, 1.05, 1.12, 1.3) if has_changed else (0.9, 1.0, 1.02))
        now = round(before * growth) if before else rng.choice((0, 18_000, 22_500))
        incomes = (str(before), str(now))
        luck = rng.random()
        if luck < 0.02:
            incomes = (incomes[0], rng.choice(("999999999999999999", "enough", "-1")))
        elif luck < 0.06:
            incomes = (incomes[0], "")
        hours = ("", "")
        if rng.random() < 0.5:
            hours = (
                rng.choice(("17.5", "28", "35")) if before else "",
                rng.choice(("28", "35", "35", "40", "one")) if now else "",
            )
        return Work(person, answered_on, looks, incomes, hours)

    def _invalid_answers(self, at: int) -> list[Report]:
        """Answers that are reports and yet cannot count: a kind, a date, a person is missing."""
        rng = self._rng
        somebody = [one for one in self._population.learners if one.is_found_by_email]
        people = pick(rng, somebody or self._population.learners, 3)
        told = utc(at - 40 * DAY).date()
        valid = Report(None, "survey", "new_job", told, at, "yes", gives_email=True)
        answers = [replace(valid, gives_email=False)]
        wrong = (
            replace(valid, outcome_type="Something else"),
            replace(valid, outcome_type=None),
            replace(valid, outcome_date=None, date_text="été 2025"),
        )
        return answers + [
            replace(answer, person=person, gives_user_id=True)
            for person, answer in zip(people, wrong, strict=False)
        ]

    # -- the quarterly NPS ---------------------------------------------------------------------

    def _nps_quarter(self, landing: Path, opens: int) -> None:
        rng = self._rng
        records = []
        here = [one for one in self._population.learners if one.joined_day + 14 < opens]
        asked = pick(rng, here, max(20, len(here) // 9))
        for number, learner in enumerate(asked, start=1):
            at = local_ms(opens + rng.randrange(0, 12), rng.randrange(8 * 3600, 21 * 3600))
            plan = learner.plan_at(at)
            score, comment = "", ""
            if number <= len(_NO_SCORES):
                score = _NO_SCORES[number - 1]
            elif rng.random() < 0.42:
                score = self._score(learner, at)
                comment = self._comment(score)
            else:
                at = local_ms(opens, 9 * 3600)
            self.scores.append(ScoreGiven(QUARTERLY_NPS, score, has_comment=bool(comment)))
            records.append(
                [
                    f"{opens}-{number}",
                    _as_typed(rng, learner.email),
                    plan.capitalize(),
                    rng.choice(("python-basics", "sql-analystes", "web-frontend-fr", "")),
                    learner.language,
                    rng.choice(("Email", "In-App")),
                    score,
                    comment,
                    f"{utc(at):%d.%m.%Y %H:%M}",
                ]
            )
        month = utc(local_ms(opens)).strftime("%Y-%m")
        path = landing / "surveys" / f"{QUARTERLY_NPS}_{month}.csv"
        self._save(path, QUARTERLY_NPS, _NPS_HEADER, records)

    def _score(self, person: Person, at: int) -> str:
        plan = person.plan_at(at) if isinstance(person, Learner) else "free"
        return str(_SCORES[plan].draw(self._rng))

    def _comment(self, score: str) -> str:
        if self._rng.random() < 0.6:
            return ""
        return self._rng.choice(_PRAISE if int(score) >= 7 else _BLAME)

    # -- coaches and contracts -----------------------------------------------------------------

    def _coach_entries(self, landing: Path, reports: Sequence[Report]) -> None:
        """One file a year; most entries are about other things than outcomes."""
        rng = self._rng
        entries: list[tuple[int, list[str]]] = []
        for report in reports:
            if report.source == "coach":
                user_id, email = _ids(rng, report)
                kind = report.outcome_type or ""
                day = report.outcome_date
                entries.append(
                    (
                        report.reported_at,
                        [
                            "outcome",
                            user_id,
                            email,
                            COACH_WORDS.get(kind, kind.capitalize()),
                            f"{day:%Y-%m-%d}" if day else report.date_text or "",
                            _COACH_CREDIT[report.credited],
                            report.would_not_have_happened or "",
                        ],
                    )
                )
        paying = [learner for learner in self._population.learners if learner.plans]
        for learner in pick(rng, paying, max(5, len(paying) // 3)):
            met_on = learner.plans[0].day + rng.randrange(1, 20)
            at = local_ms(met_on, rng.randrange(9 * 3600, 18 * 3600))
            if at < self._period.ends_at - HOUR:
                entries.append((at, ["check-in", learner.user_id, learner.email, "", "", "", ""]))
        entries.sort()
        by_year: dict[int, list[list[str]]] = defaultdict(list)
        for number, (at, entry) in enumerate(entries, start=1):
            coach = f"Coach {number % 7 + 1}"
            when = f"{local(at):%d/%m/%Y %H:%M}"
            by_year[local(at).year].append([f"E{number:06}", when, coach, *entry])
        for year, records in by_year.items():
            path = landing / "coaches" / f"{COACHES}_{year}.csv"
            self._save(path, COACHES, _COACH_HEADER, records)

    def _contracts(self, landing: Path, reports: Sequence[Report]) -> None:
        """One file a year from a French back office: semicolons, Latin-1, days first."""
        rng = self._rng
        signed = sorted(
            (report for report in reports if report.source == "contract"),
            key=lambda report: report.reported_at,
        )
        by_year: dict[int, list[list[str]]] = defaultdict(list)
        for number, report in enumerate(signed, start=1):
            user_id, email = _ids(rng, report)
            day = report.outcome_date
            when = local(report.reported_at)
            by_year[when.year].append(
                [
                    f"C-{when.year}-{number:05}",
                    CONTRACT_WORDS[report.outcome_type or ""],
                    f"Société Exemple {rng.randrange(1, 60)}",
                    f"{user_id} " if user_id and rng.random() < 0.1 else user_id,
                    email,
                    f"{when:%d/%m/%Y}",
                    f"{day:%d/%m/%Y}" if day else "",
                ]
            )
        for year, records in by_year.items():
            path = landing / "contracts" / f"{CONTRACTS}_{year}.csv"
            self._save(
                path, CONTRACTS, _CONTRACT_HEADER, records, delimiter=";", encoding="latin-1"
            )

    def _save(
        self,
        path: Path,
        survey: str,
        header: Sequence[str],
        records: Sequence[Sequence[str]],
        *,
        delimiter: str = ",",
        encoding: str = "utf-8",
    ) -> None:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(records)
        write_bytes(path, text.getvalue().encode(encoding))
        self.rows[survey] += len(records)
        self.files[survey] += 1


_ALUMNI_HEADER: Final = (
    "Response ID",
    "Invited on",
    "Status",
    "Answered at (UTC)",
    "E-mail",
    "Learner number",
    "Language",
    "Has your professional situation changed since last year?",
    "What changed?",
    "Since when?",
    "Did the school help?",
    "Would it have happened without the school?",
    "How likely are you to recommend the school? (0-10)",
    "Comment",
    "Have you looked for work since you graduated, or found some?",
    "Your income a year, before (EUR)",
    "Your income a year, now (EUR)",
    "Hours a week, before",
    "Hours a week, now",
)
_NPS_HEADER: Final = (
    "#",
    "E-mail",
    "Plan",
    "Course",
    "Language",
    "Channel",
    "How likely are you to recommend us?",
    "Why?",
    "Last update (UTC)",
)
_COACH_HEADER: Final = (
    "Entry",
    "Entered at",
    "Coach",
    "Kind",
    "Learner number",
    "Learner e-mail",
    "Outcome",
    "Outcome date",
    "Learner credits the school",
    "Would not have happened without the training",
)
_CONTRACT_HEADER: Final = (
    "N° de contrat",
    "Type de contrat",
    "Employeur",
    "N° d'apprenant",
    "E-mail de l'apprenant",
    "Signé le",
    "Début",
)


@dataclass
class _AlumniRecord:
    """A row of the alumni survey: everybody who was invited, answered or not."""

    response_id: str
    invited_on: int
    person: Person | None
    answered_at: int | None = None
    score: str = ""
    comment: str = ""
    report: Report | None = None
    is_delivered: bool = True
    work: Work | None = None

    def invitation(self) -> Invitation:
        """What the row says about its wave."""
        is_answered = self.answered_at is not None
        return Invitation(self.invited_on, self.person, self.is_delivered, is_answered, self.report)

    def fields(self) -> list[str]:
        """The row, in the order of the header."""
        report, person = self.report, self.person
        has_number = isinstance(person, Learner) and (
            report.gives_user_id if report else not person.is_found_by_email
        )
        invited_at = local_ms(self.invited_on, 9 * 3600)
        answered_at = "" if self.answered_at is None else utc(self.answered_at)
        unanswered = "delivered" if self.is_delivered else "bounced"
        changed = "" if self.answered_at is None else "Yes" if report else "No"
        kind = report.outcome_type if report else None
        day = report.outcome_date if report else None
        return [
            self.response_id,
            f"{local(invited_at):%Y-%m-%d}",
            unanswered if self.answered_at is None else "answered",
            f"{answered_at:%Y-%m-%d %H:%M:%S}" if answered_at else "",
            person.email if person and (report is None or report.gives_email) else "",
            person.user_id if has_number and isinstance(person, Learner) else "",
            person.language if person else "",
            changed,
            SURVEY_WORDS.get(kind, kind) if kind else "",
            f"{day:%d/%m/%Y}" if day else (report.date_text or "" if report else ""),
            _YES_NO[report.credited] if report else "",
            _WITHOUT[report.would_not_have_happened] if report else "",
            self.score,
            self.comment,
            *(self.work.fields() if self.work else [""] * 5),
        ]


def _ids(rng: random.Random, report: Report) -> tuple[str, str]:
    """The user id and the e-mail address that a row holds, as somebody typed them."""
    person = report.person
    user_id = person.user_id if isinstance(person, Learner) and report.gives_user_id else ""
    email = _as_typed(rng, person.email) if person is not None and report.gives_email else ""
    return user_id, email


def _as_typed(rng: random.Random, email: str) -> str:
    luck = rng.random()
    if luck < 0.1:
        return email.title()
    return f" {email} " if luck < 0.16 else email
