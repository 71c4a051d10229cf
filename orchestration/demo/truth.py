"""What is true of the simulated people: the figures that the marts must arrive at, exactly.

Nothing here reads an exported file or asks the pipeline. The figures come from what the simulation
knows (who is behind an id, what was sent twice), and from the rules of definitions.md applied to
that, in the plainest way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median
from typing import Final

from pydantic import BaseModel, ConfigDict

from orchestration.demo.clock import DAY, Period, add_months, calendar_day, day_number, local_day
from orchestration.demo.courses import COURSES, LISTED
from orchestration.demo.events import LEARNING, Row
from orchestration.demo.mishaps import Mishaps
from orchestration.demo.outcomes import FAMILY_OF, Person, Report
from orchestration.demo.people import Learner, Population
from orchestration.demo.plans import FREE, spells
from orchestration.demo.surveys import NO_ANSWER, Invitation, ScoreGiven, Work
from orchestration.demo.zendesk import AGENTS, SupportDesk

COLLAPSE_DAYS: Final = 30
_STRENGTH: Final = ("contract", "product", "coach", "survey")
_FAMILY_ORDER: Final = ("job", "business", "advancement")


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PeopleTruth(_Figures):
    """Who is behind the ids.

    Attributes:
        learners: people known by a user id, without bots and test accounts.
        bots: user ids that the tracking plan leaves out as bots.
        test_accounts: user ids that it leaves out as the staff's own.
        email_only: people who report outcomes under an e-mail address that belongs to no account.
    """

    learners: int
    bots: int
    test_accounts: int
    email_only: int


class FileTruth(_Figures):
    """What lies in the landing folder of one source; each change of a ticket event is a row.

    Attributes:
        files: files as stored, those inside of zips counted one by one.
        rows_in: rows in them, repeats included.
        distinct: rows that differ; of events those that are left after retries, too.
    """

    files: int
    rows_in: int
    distinct: int


class EventTruth(_Figures):
    """Rows of event files: `rows_in = distinct + duplicates + quarantined + not_in_plan`.

    Attributes:
        distinct: events, those of bots and test accounts included.
        same_uuid: rows that a second export of the same hour repeats.
        client_retry: rows that a client sent again under another uuid.
        duplicates: both together.
        quarantined: broken lines.
        not_in_plan: rows of event types that the tracking plan does not name.
        excluded: of the distinct ones, those of bots and test accounts.
        of_learners: of the distinct ones, those of learners, signed in or anonymous.
        of_visitors: of the distinct ones, those of people who never sign in.
        late: of the distinct ones, those that were uploaded a day or more after they happened.
    """

    rows_in: int
    distinct: int
    same_uuid: int
    client_retry: int
    duplicates: int
    quarantined: int
    not_in_plan: int
    excluded: int
    of_learners: int
    of_visitors: int
    late: int


class ReportTruth(_Figures):
    """Outcome reports by what became of them; decisions add up to `total`."""

    total: int
    by_source: dict[str, int]
    by_decision: dict[str, int]
    by_invalid_reason: dict[str, int]


class OutcomeTruth(_Figures):
    """Career outcomes after collapsing reports; `counted` by each dimension adds up to it.

    Attributes:
        real: outcomes, counted or not.
        credit_conflicts: outcomes whose explicit answers about credit contradict each other.
        last_12_months: counted ones dated within the 12 months before the as-of date.
        by_month: counted ones by month of the outcome date, `YYYY-MM`.
    """

    real: int
    counted: int
    credit_conflicts: int
    last_12_months: int
    by_month: dict[str, int]
    by_evidence: dict[str, int]
    by_family: dict[str, int]
    by_segment: dict[str, int]


class NpsTruth(_Figures):
    """Answers about recommendation on the basis `all_responses`.

    Attributes:
        rejected: submitted answers that are no whole number from 0 to 10.
        unanswered: people who were asked and did not answer: nothing, a null mark, put away or left
            half answered.
        comments: submitted answers with a comment.
    """

    promoters: int
    passives: int
    detractors: int
    respondents: int
    rejected: int
    unanswered: int
    comments: int


class AskedTruth(_Figures):
    """People of one segment and wave of the yearly survey.

    Attributes:
        population: learners seen by the wave's date, and everybody invited; null for people nobody
            can name.
        outcomes: those who reported a counted outcome of the 12 months before in the wave.
    """

    population: int | None
    invited: int
    delivered: int
    answered: int
    outcomes: int | None


class WaveTruth(_Figures):
    """A wave of the yearly survey.

    Attributes:
        by_segment: by the plan on the wave's date; `unknown` for people nobody can name.
        found_by_survey, found_by_product, found_by_both: counted outcomes of the invited, dated in
            the 12 months before.
    """

    by_segment: dict[str, AskedTruth]
    found_by_survey: int
    found_by_product: int
    found_by_both: int


class PlacementTruth(_Figures):
    """Graduates of a calendar year with 6 full months elapsed, each of their first graduation.

    Attributes:
        placed: with an outcome of the family job, credited or not, within 6 months.
        respondents: whose first answer since then says that they look for work.
        placed_respondents: those of them who are placed.
    """

    graduates: int
    placed: int
    respondents: int
    placed_respondents: int


class IncomeTruth(_Figures):
    """Incomes before and now, in pairs, of full-time work where all hours are told."""

    people: int
    people_with_percentage: int
    full_time_equivalents: int
    median_difference: float
    median_percentage: float | None
    increased: int
    implausible: dict[str, int]


class SignupTruth(_Figures):
    """Learners who signed up within the period; older accounts have no signup in the exports."""

    total: int
    by_language: dict[str, int]
    by_month: dict[str, int]
    last_30_days_by_language: dict[str, int]


class SubscriptionTruth(_Figures):
    """Subscription spells; a change of paid plan continues one, so it has two plans.

    Attributes:
        running_by_first_plan: spells without an end, by the plan they began with.
        running_by_plan: the same spells, by the plan at the end of the period.
    """

    spells: int
    running_by_first_plan: dict[str, int]
    running_by_plan: dict[str, int]


class SupportTruth(_Figures):
    """What Zendesk holds at the end of the period.

    Attributes:
        ticket_events: updates of tickets; each holds one or more changes.
        ratings: of all tickets, by the last score of those that were offered a rating.
        calls: by completion status.
        promises: clocks of service levels by target and result ("first_reply met"), without those
            of deleted tickets.
    """

    tickets: int
    deleted: int
    not_deleted: int
    users: int
    agents: int
    ticket_events: int
    ratings: dict[str, int]
    calls: dict[str, int]
    promises: dict[str, int]


class CourseTruth(_Figures):
    """Learners by how far they came in a course."""

    enrolled: int
    started: int
    completed: int
    certified: int


class RetentionTruth(_Figures):
    """Week-4 retention of learning: first time, calendar weeks from Monday, mode `on`.

    Attributes:
        learners: learners of the weekly cohorts that are complete.
        retained: those of them who learned in the fourth week after the one they began in.
    """

    learners: int
    retained: int


class AbsenteeismTruth(_Figures):
    """Sessions with a mentor.

    Attributes:
        planned: sessions that were planned and not cancelled.
        missed: those of them that the learner did not come to.
        cancelled: sessions that were called off.
    """

    planned: int
    missed: int
    cancelled: int


class Truth(_Figures):
    """Everything that the marts can be held against."""

    seed: int
    learners: int
    months: int
    first_day: date
    last_day: date
    as_of: date
    reporting_timezone: str
    people: PeopleTruth
    files: dict[str, FileTruth]
    events: EventTruth
    learner_days: int
    reports: ReportTruth
    outcomes: OutcomeTruth
    nps: dict[str, NpsTruth]
    waves: dict[str, WaveTruth]
    placement: dict[str, PlacementTruth]
    income: dict[str, IncomeTruth]
    counted_by_group: dict[str, dict[str, dict[str, int]]]
    signups: SignupTruth
    subscriptions: SubscriptionTruth
    support: SupportTruth
    courses: dict[str, CourseTruth]
    courses_listed: int
    week_4_retention: RetentionTruth
    absenteeism: AbsenteeismTruth


# -- career outcomes: definitions.md, section 1 ----------------------------------------------------


@dataclass(eq=False)
class RealOutcome:
    """Reports that describe one real outcome, and what is decided about it."""

    person: Person
    family: str
    reports: list[Report]
    decision: str = ""
    strongest: Report = field(init=False)
    has_conflict: bool = field(init=False)

    def __post_init__(self) -> None:
        self.strongest = min(
            self.reports, key=lambda report: (_STRENGTH.index(report.source), _date_of(report))
        )
        answers = {report.credited for report in self.reports}
        self.has_conflict = {"yes", "no"} <= answers

    @property
    def on(self) -> date:
        """The date that the strongest source gives."""
        return _date_of(self.strongest)

    @property
    def is_credited(self) -> bool:
        """Whether the learner's last word is yes, and a type is left that may count."""
        explicit = [report for report in self.reports if report.credited is not None]
        if not explicit:
            return False
        last_day = max(report.reported_day for report in explicit)
        last_words = {report.credited for report in explicit if report.reported_day == last_day}
        return last_words == {"yes"} and bool(self._types())

    def _types(self) -> set[str | None]:
        types = {report.outcome_type for report in self.reports}
        without = {report.would_not_have_happened for report in self.reports}
        return types if "yes" in without else types - {"internal_mobility"}


def invalid_reason(report: Report, as_of: date) -> str | None:
    """Why a report cannot be judged, if so."""
    if report.outcome_type not in FAMILY_OF:
        return "unknown_type"
    if report.outcome_date is None:
        return "no_outcome_date"
    if report.person is None:
        return "no_learner"
    return "not_yet" if report.outcome_date > as_of else None


def judge(reports: Iterable[Report], as_of: date) -> list[RealOutcome]:
    """Collapse the valid reports to real outcomes, and decide about each."""
    by_person: dict[Person, list[Report]] = defaultdict(list)
    for report in reports:
        if invalid_reason(report, as_of) is None and report.person is not None:
            by_person[report.person].append(report)
    found = []
    for person, own in by_person.items():
        outcomes = _collapse(person, own)
        _apply_12_month_rule(outcomes)
        found += outcomes
    return found


def _collapse(person: Person, reports: Sequence[Report]) -> list[RealOutcome]:
    groups: list[list[Report]] = []
    for family in _FAMILY_ORDER:
        group: list[Report] = []
        for report in sorted(reports, key=_date_of):
            if FAMILY_OF[report.outcome_type or ""] != family:
                continue
            if not group or _date_of(report) > _date_of(group[0]) + timedelta(days=COLLAPSE_DAYS):
                group = []
                groups.append(group)
            group.append(report)
    return [RealOutcome(person, FAMILY_OF[group[0].outcome_type or ""], group) for group in groups]


def _apply_12_month_rule(outcomes: Sequence[RealOutcome]) -> None:
    last_counted: date | None = None
    for outcome in sorted(
        outcomes,
        key=lambda one: (
            one.on,
            _STRENGTH.index(one.strongest.source),
            _FAMILY_ORDER.index(one.family),
        ),
    ):
        if not outcome.is_credited:
            outcome.decision = "not_credited"
        elif last_counted is not None and outcome.on < add_months(last_counted, 12):
            outcome.decision = "within_12_months"
        else:
            outcome.decision = "counted"
            last_counted = outcome.on


def _date_of(report: Report) -> date:
    if report.outcome_date is None:
        raise ValueError("an invalid report has no outcome")
    return report.outcome_date


def report_truth(
    reports: Sequence[Report], outcomes: Sequence[RealOutcome], as_of: date
) -> ReportTruth:
    """Every report leaves with exactly one decision."""
    found = (invalid_reason(report, as_of) for report in reports)
    reasons = Counter(reason for reason in found if reason is not None)
    decisions = Counter(outcome.decision for outcome in outcomes)
    decisions["duplicate_report"] = sum(len(outcome.reports) - 1 for outcome in outcomes)
    decisions["invalid"] = reasons.total()
    return ReportTruth(
        total=len(reports),
        by_source=_sorted(Counter(report.source for report in reports)),
        by_decision=_sorted(decisions),
        by_invalid_reason=_sorted(reasons),
    )


def outcome_truth(outcomes: Sequence[RealOutcome], as_of: date) -> OutcomeTruth:
    """Counted outcomes, by everything that `outcomes.agg_career_outcomes` is published by."""
    counted = [outcome for outcome in outcomes if outcome.decision == "counted"]
    since = add_months(as_of, -12)
    return OutcomeTruth(
        real=len(outcomes),
        counted=len(counted),
        credit_conflicts=sum(outcome.has_conflict for outcome in outcomes),
        last_12_months=sum(since <= outcome.on < as_of for outcome in counted),
        by_month=_sorted(Counter(f"{outcome.on:%Y-%m}" for outcome in counted)),
        by_evidence=_sorted(Counter(outcome.strongest.source for outcome in counted)),
        by_family=_sorted(Counter(outcome.family for outcome in counted)),
        by_segment=_sorted(Counter(segment(outcome) for outcome in counted)),
    )


def segment(outcome: RealOutcome) -> str:
    """The plan on the outcome date; somebody without an account or a plan is free."""
    if isinstance(outcome.person, Learner):
        return outcome.person.plan_on(day_number(outcome.on))
    return FREE


# -- everything else -------------------------------------------------------------------------------


def people_truth(population: Population, outcomes: Sequence[Report]) -> PeopleTruth:
    """Who is behind the ids; `outcomes` are all reports."""
    by_email = {
        report.person
        for report in outcomes
        if report.person is not None and not isinstance(report.person, Learner)
    }
    return PeopleTruth(
        learners=len(population.learners),
        bots=sum(robot.is_bot for robot in population.robots),
        test_accounts=sum(not robot.is_bot for robot in population.robots),
        email_only=len(by_email),
    )


def event_truth(rows: Sequence[Row], mishaps: Mishaps) -> EventTruth:
    """Rows of event files, by what becomes of them."""
    same_uuid = sum(map(len, mishaps.repeats.values()))
    duplicates = same_uuid + len(mishaps.retries)
    excluded = sum(row.client.is_robot for row in rows)
    of_learners = sum(row.client.person is not None for row in rows)
    return EventTruth(
        rows_in=len(rows) + duplicates + len(mishaps.unplanned) + len(mishaps.broken),
        distinct=len(rows),
        same_uuid=same_uuid,
        client_retry=len(mishaps.retries),
        duplicates=duplicates,
        quarantined=len(mishaps.broken),
        not_in_plan=len(mishaps.unplanned),
        excluded=excluded,
        of_learners=of_learners,
        of_visitors=len(rows) - excluded - of_learners,
        late=sum(row.uploaded_at - row.at >= DAY for row in rows),
    )


def learner_days(rows: Iterable[Row]) -> int:
    """Different pairs of learner and day on which there is an event, anonymous ones included."""
    return len({(row.client.person, local_day(row.at)) for row in rows if row.client.person})


def nps_truth(scores: Iterable[ScoreGiven]) -> dict[str, NpsTruth]:
    """By survey: 0-6 detractor, 7-8 passive, 9-10 promoter; anything else is rejected."""
    by_survey: dict[str, Counter[str]] = defaultdict(Counter)
    for score in scores:
        counts = by_survey[score.survey]
        counts["comments"] += score.has_comment
        if not score.is_submitted or score.text in NO_ANSWER:
            counts["unanswered"] += 1
        elif score.text not in map(str, range(11)):
            counts["rejected"] += 1
        else:
            value = int(score.text)
            band = "promoters" if value >= 9 else "passives" if value >= 7 else "detractors"
            counts[band] += 1
            counts["respondents"] += 1
    return {
        survey: NpsTruth(**{name: counts[name] for name in NpsTruth.model_fields})
        for survey, counts in sorted(by_survey.items())
    }


def wave_truth(
    invitations: Iterable[Invitation], outcomes: Iterable[RealOutcome], rows: Iterable[Row]
) -> dict[str, WaveTruth]:
    """By the wave's date, `YYYY-MM-DD`."""
    first_days: dict[Person, int] = {}
    for row in rows:
        if row.client.person is not None:
            day = local_day(row.at)
            first_days[row.client.person] = min(day, first_days.get(row.client.person, day))
    by_wave: dict[int, list[Invitation]] = defaultdict(list)
    for invitation in invitations:
        by_wave[invitation.wave_day].append(invitation)
    counted = [outcome for outcome in outcomes if outcome.decision == "counted"]
    return {
        f"{calendar_day(day)}": _wave(day, asked, counted, first_days)
        for day, asked in sorted(by_wave.items())
    }


def _wave(
    day: int,
    asked: Sequence[Invitation],
    counted: Iterable[RealOutcome],
    first_days: Mapping[Person, int],
) -> WaveTruth:
    told = {invitation.report for invitation in asked if invitation.report is not None}
    delivered = {one.person for one in asked if one.is_delivered}
    answered = {one.person for one in asked if one.is_answered}
    invited = {one.person for one in asked if one.person is not None}
    end = calendar_day(day)
    found = [
        (
            outcome.person,
            any(report in told for report in outcome.reports),
            any(report.source == "product" for report in outcome.reports),
        )
        for outcome in counted
        if outcome.person in invited and add_months(end, -12) <= outcome.on < end
    ]
    reporting = {person for person, in_survey, _ in found if in_survey}
    members: dict[str, set[Person]] = defaultdict(set)
    for person in {one for one, first in first_days.items() if first <= day} | invited:
        members[person.plan_on(day) if isinstance(person, Learner) else FREE].add(person)
    by_segment = {
        segment: AskedTruth(
            population=len(own),
            invited=len(own & invited),
            delivered=len(own & delivered),
            answered=len(own & answered),
            outcomes=len(own & reporting),
        )
        for segment, own in sorted(members.items())
    }
    nameless = [one for one in asked if one.person is None]
    if nameless:
        by_segment["unknown"] = AskedTruth(
            population=None,
            invited=len(nameless),
            delivered=sum(one.is_delivered for one in nameless),
            answered=sum(one.is_answered for one in nameless),
            outcomes=None,
        )
    return WaveTruth(
        by_segment=by_segment,
        found_by_survey=sum(in_survey for _, in_survey, _ in found),
        found_by_product=sum(in_product for _, _, in_product in found),
        found_by_both=sum(in_survey and in_product for _, in_survey, in_product in found),
    )


def placement_truth(
    rows: Iterable[Row], decided: Iterable[RealOutcome], work: Iterable[Work], as_of: date
) -> dict[str, PlacementTruth]:
    """By year of graduation."""
    graduated: dict[Person, date] = {}
    for row in rows:
        if row.event_type == "graduated" and row.client.person is not None:
            day = calendar_day(local_day(row.at))
            graduated[row.client.person] = min(day, graduated.get(row.client.person, day))
    placed = {
        outcome.person
        for outcome in decided
        if outcome.family == "job"
        and outcome.person in graduated
        and graduated[outcome.person] <= outcome.on < add_months(graduated[outcome.person], 6)
    }
    answers: dict[Person, str] = {}
    for told in sorted(work, key=lambda one: one.answered_on):
        since = graduated.get(told.person)
        if told.looks_for_work and since is not None and day_number(since) <= told.answered_on:
            answers.setdefault(told.person, told.looks_for_work)
    cohorts: dict[str, list[Person]] = defaultdict(list)
    for person, day in graduated.items():
        if add_months(day, 6) <= as_of:
            cohorts[str(day.year)].append(person)
    found = {}
    for year, people in sorted(cohorts.items()):
        looking = [person for person in people if answers.get(person) == "Yes"]
        found[year] = PlacementTruth(
            graduates=len(people),
            placed=len(placed & set(people)),
            respondents=len(looking),
            placed_respondents=len(placed & set(looking)),
        )
    return found


INCOME_BOUNDS: Final = (0.0, 1_000_000.0)
HOURS_BOUNDS: Final = (1.0, 80.0)


def income_truth(work: Iterable[Work]) -> dict[str, IncomeTruth]:
    """By year of the answer; every person answers once a year."""
    by_year: dict[str, list[Work]] = defaultdict(list)
    for told in work:
        by_year[str(calendar_day(told.answered_on).year)].append(told)
    return {year: _incomes(answers) for year, answers in sorted(by_year.items())}


def _incomes(answers: Iterable[Work]) -> IncomeTruth:
    implausible: Counter[str] = Counter()
    pairs: list[tuple[float, float]] = []
    full_time = 0
    for told in answers:
        incomes = [_number(text, INCOME_BOUNDS) for text in told.incomes]
        hours = [_number(text, HOURS_BOUNDS) for text in told.hours]
        for name, texts, numbers in (
            ("income", told.incomes, incomes),
            ("hours", told.hours, hours),
        ):
            for side, text, number in zip(("before", "after"), texts, numbers, strict=True):
                implausible[f"{name}_{side}"] += bool(text) and number is None
        before, after = incomes
        if before is None or after is None:
            continue
        if any(hours) and all(
            hour or not income for hour, income in zip(hours, incomes, strict=True)
        ):
            full_time += 1
            before = before * 35 / hours[0] if before and hours[0] else before
            after = after * 35 / hours[1] if after and hours[1] else after
        pairs.append((before, after))
    changes = [(after - before) / before for before, after in pairs if before]
    return IncomeTruth(
        people=len(pairs),
        people_with_percentage=len(changes),
        full_time_equivalents=full_time,
        median_difference=median(after - before for before, after in pairs) if pairs else 0.0,
        median_percentage=median(changes) if changes else None,
        increased=sum(after * 100 >= before * 105 for before, after in pairs if before),
        implausible=_sorted(implausible),
    )


def _number(text: str, bounds: tuple[float, float]) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if bounds[0] <= number <= bounds[1] else None


def group_truth(decided: Iterable[RealOutcome]) -> dict[str, dict[str, dict[str, int]]]:
    """Counted outcomes by year and what their learners told, where they told it."""
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for outcome in decided:
        if outcome.decision == "counted":
            year = found[str(outcome.on.year)]
            about = outcome.person.about if isinstance(outcome.person, Learner) else {}
            year["total"]["total"] += 1
            for name in ("gender", "disability", "prior_education"):
                year[name][about.get(name, "unknown")] += 1
    return {
        year: {name: _sorted(counts) for name, counts in sorted(dimensions.items())}
        for year, dimensions in sorted(found.items())
    }


def signup_truth(learners: Iterable[Learner], as_of: date) -> SignupTruth:
    """Signups within the period, by the language spoken at signup."""
    new = [learner for learner in learners if learner.signed_up_at is not None]
    recent = day_number(as_of) - 30
    return SignupTruth(
        total=len(new),
        by_language=_sorted(Counter(learner.language for learner in new)),
        by_month=_sorted(Counter(f"{calendar_day(learner.joined_day):%Y-%m}" for learner in new)),
        last_30_days_by_language=_sorted(
            Counter(learner.language for learner in new if learner.joined_day >= recent)
        ),
    )


def subscription_truth(learners: Iterable[Learner]) -> SubscriptionTruth:
    """Subscription spells and which of them run at the end."""
    found = [spell for learner in learners for spell in spells(learner.plans)]
    running = [spell for spell in found if spell.ended_on is None]
    return SubscriptionTruth(
        spells=len(found),
        running_by_first_plan=_sorted(Counter(spell.first_plan for spell in running)),
        running_by_plan=_sorted(Counter(spell.last_plan for spell in running)),
    )


def support_truth(desk: SupportDesk) -> SupportTruth:
    """Tickets as they stand at the end, and what was said about them."""
    deleted = sum(ticket.last_value("status") == "deleted" for ticket in desk.tickets)
    scores = Counter(ticket.last_value("satisfaction_score") or "" for ticket in desk.tickets)
    del scores["unoffered"]
    return SupportTruth(
        tickets=len(desk.tickets),
        deleted=deleted,
        not_deleted=len(desk.tickets) - deleted,
        users=len(desk.users) + AGENTS,
        agents=AGENTS,
        ticket_events=sum(len(ticket.audits) for ticket in desk.tickets),
        ratings=_sorted(scores),
        calls=_sorted(Counter(call.status for call in desk.calls)),
        promises=_sorted(desk.promises),
    )


def course_truth(rows: Iterable[Row]) -> dict[str, CourseTruth]:
    """Learners per course and step; courses that nobody has chosen yet are there, with zeros."""
    reached: dict[tuple[str, str], set[Learner]] = defaultdict(set)
    for row in rows:
        if row.client.person is not None and row.course is not None:
            reached[row.course, row.event_type].add(row.client.person)
    return {
        course.course_id: CourseTruth(
            **{
                step: len(reached[course.course_id, f"course_{step}"])
                for step in CourseTruth.model_fields
            }
        )
        for course in COURSES
    }


def retention_truth(rows: Iterable[Row], period: Period) -> RetentionTruth:
    """Week-4 retention of learning over the cohorts whose fourth week has fully elapsed."""
    weeks: dict[Learner, set[int]] = defaultdict(set)
    for row in rows:
        if row.client.person is not None and row.event_type in LEARNING:
            weeks[row.client.person].add(_week(local_day(row.at)))
    this_week = _week(day_number(period.as_of))
    complete = [own for own in weeks.values() if min(own) + 4 < this_week]
    return RetentionTruth(
        learners=len(complete), retained=sum(min(own) + 4 in own for own in complete)
    )


def absenteeism_truth(rows: Iterable[Row]) -> AbsenteeismTruth:
    """Planned sessions; each is planned once, and then missed, cancelled or held."""
    counts = Counter(row.event_type for row in rows if row.client.person is not None)
    return AbsenteeismTruth(
        planned=counts["session_planned"] - counts["session_cancelled"],
        missed=counts["session_missed"],
        cancelled=counts["session_cancelled"],
    )


def _week(day: int) -> int:
    """Weeks from Monday; 1970-01-01 was a Thursday."""
    return (day + 3) // 7


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}


def listed_courses() -> int:
    """How many courses `courses.csv` lists."""
    return len(LISTED)
