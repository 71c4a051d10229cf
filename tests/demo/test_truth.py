"""The truth against the files: everything is found again by reading them as an outsider would."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts import read_contracts
from orchestration.settings import REPOSITORY
from tests.demo.exports import (
    LEARNERS,
    PARIS,
    Demo,
    Events,
    Owners,
    emails,
    instant,
    is_robot,
    newest,
    paris_day,
    plan_changes,
    read_amplitude,
    read_csv,
    read_pages,
    sort_out,
)

FAMILIES = {
    "new_job": "job",
    "internship": "job",
    "apprenticeship": "job",
    "business": "business",
    "freelance": "business",
    "title_change": "advancement",
    "salary_increase": "advancement",
    "internal_mobility": "advancement",
}
STRENGTH = ["contract", "product", "coach", "survey"]
FAMILY_ORDER = ["job", "business", "advancement"]


@pytest.fixture(scope="module")
def events(demo: Demo) -> Events:
    plan = read_contracts(REPOSITORY / "data" / "sources").tracking_plan_for("100042")
    assert plan is not None
    files = read_amplitude(demo.landing).events
    return sort_out([line for lines in files.values() for line in lines], set(plan.events))


@pytest.fixture(scope="module")
def people(events: Events) -> list[dict[str, Any]]:
    """The events of people, without bots and test accounts."""
    return [row for row in events.kept if not is_robot(row)]


@pytest.fixture(scope="module")
def owned(demo: Demo, people: list[dict[str, Any]]) -> list[tuple[str | None, dict[str, Any]]]:
    """Each event of a person with the user it belongs to, null where nobody ever signs in."""
    owners = Owners()
    signed_in_on: dict[str, set[str]] = defaultdict(set)
    for row in people:
        device, amplitude = f"device:{row['device_id']}", f"amplitude:{row['amplitude_id']}"
        if row["user_id"] is None:
            owners.tie(device, amplitude)
        else:
            signed_in_on[device].add(row["user_id"])
            owners.tie(amplitude, f"user:{row['user_id']}")
    for device, users in signed_in_on.items():
        if len(users) == 1:
            owners.tie(device, f"user:{users.pop()}")
    for lines in read_amplitude(demo.landing).merges.values():
        for line in lines:
            merge = json.loads(line)
            owners.tie(
                f"amplitude:{merge['amplitude_id']}", f"amplitude:{merge['merged_amplitude_id']}"
            )
    found = []
    for row in people:
        user = row["user_id"]
        if user is None:
            users = owners.users_of(f"amplitude:{row['amplitude_id']}")
            assert len(users) <= 1, "nobody can say whose visit this was"
            user = next(iter(users), None)
        found.append((user, row))
    return found


# -- rows and people -------------------------------------------------------------------------------


def test_rows_of_event_files_are_accounted_for(demo: Demo, events: Events) -> None:
    truth = demo.truth.events
    files = read_amplitude(demo.landing)
    assert truth.rows_in == sum(map(len, files.events.values()))
    assert truth.distinct == len(events.kept)
    assert truth.quarantined == events.broken
    assert truth.not_in_plan == events.not_in_plan
    assert truth.same_uuid == events.same_uuid
    assert truth.client_retry == events.client_retry
    assert truth.duplicates == truth.same_uuid + truth.client_retry
    assert truth.rows_in == (
        truth.distinct + truth.duplicates + truth.quarantined + truth.not_in_plan
    )
    assert demo.truth.files["amplitude_events"].files == len(files.events)
    assert demo.truth.files["amplitude_merges"].files == len(files.merges)
    assert demo.truth.files["amplitude_merges"].rows_in == sum(map(len, files.merges.values()))


def test_events_belong_to_learners_visitors_or_robots(
    demo: Demo, events: Events, owned: list[tuple[str | None, dict[str, Any]]]
) -> None:
    truth = demo.truth.events
    assert truth.excluded == len(events.kept) - len(owned)
    assert truth.of_learners == sum(user is not None for user, _ in owned)
    assert truth.of_visitors == sum(user is None for user, _ in owned)
    assert truth.excluded + truth.of_learners + truth.of_visitors == truth.distinct
    assert truth.late == sum(
        instant(row["server_upload_time"]) - instant(row["event_time"]) >= timedelta(days=1)
        for row in events.kept
    )


def test_learners_are_the_people_behind_the_user_ids(
    demo: Demo, events: Events, owned: list[tuple[str | None, dict[str, Any]]]
) -> None:
    assert demo.truth.people.learners == demo.truth.learners == LEARNERS
    assert len({user for user, _ in owned if user is not None}) == LEARNERS
    robots = {row["user_id"]: row["user_properties"] for row in events.kept if is_robot(row)}
    assert demo.truth.people.bots == sum(user["is_bot"] for user in robots.values())
    assert demo.truth.people.test_accounts == sum(not user["is_bot"] for user in robots.values())


def test_learner_days_include_the_visits_before_signing_in(
    demo: Demo, owned: list[tuple[str | None, dict[str, Any]]]
) -> None:
    days = {(user, paris_day(row)) for user, row in owned if user is not None}
    assert demo.truth.learner_days == len(days)
    signed_in = {(row["user_id"], paris_day(row)) for _, row in owned if row["user_id"] is not None}
    assert len(signed_in) < len(days)


def test_signups_are_counted_in_the_language_of_the_signup(
    demo: Demo, people: list[dict[str, Any]]
) -> None:
    signups = [row for row in people if row["event_type"] == "signed_up"]
    truth = demo.truth.signups
    assert truth.total == len(signups)

    def languages(rows: Iterable[dict[str, Any]]) -> Counter[str]:
        return Counter(row["user_properties"]["spoken_language"] for row in rows)

    assert truth.by_language == languages(signups)
    assert truth.by_month == Counter(f"{paris_day(row):%Y-%m}" for row in signups)
    recent = demo.truth.as_of - timedelta(days=30)
    assert truth.last_30_days_by_language == languages(
        row for row in signups if paris_day(row) >= recent
    )


def test_courses_are_counted_by_learner(demo: Demo, people: list[dict[str, Any]]) -> None:
    reached: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in people:
        if row["event_type"].startswith("course_"):
            step = row["event_type"].removeprefix("course_")
            reached[row["event_properties"]["course_id"], step].add(row["user_id"])
    for course, truth in demo.truth.courses.items():
        for step, learners in truth.model_dump().items():
            assert learners == len(reached[course, step])
        assert truth.certified <= truth.completed <= truth.started <= truth.enrolled
    assert {course for course, _ in reached} <= set(demo.truth.courses)


def test_week_4_retention_of_learning(demo: Demo, people: list[dict[str, Any]]) -> None:
    weeks: dict[str, set[date]] = defaultdict(set)
    for row in people:
        if row["event_type"] in ("lesson_completed", "quiz_submitted"):
            day = paris_day(row)
            weeks[row["user_id"]].add(day - timedelta(days=day.weekday()))
    complete = {
        user: min(found)
        for user, found in weeks.items()
        if min(found) + timedelta(weeks=5) <= demo.truth.as_of
    }
    assert demo.truth.week_4_retention.learners == len(complete)
    assert demo.truth.week_4_retention.retained == sum(
        first + timedelta(weeks=4) in weeks[user] for user, first in complete.items()
    )


def test_absenteeism_of_planned_sessions(demo: Demo, people: list[dict[str, Any]]) -> None:
    fates: dict[str, set[str]] = defaultdict(set)
    for row in people:
        if row["event_type"].startswith("session_"):
            fates[row["event_properties"]["mentoring_id"]].add(row["event_type"])
    held = [fate for fate in fates.values() if "session_cancelled" not in fate]
    told = demo.truth.absenteeism
    assert all("session_planned" in fate for fate in fates.values())
    assert told.planned == len(held) > 0
    assert told.missed == sum("session_missed" in fate for fate in held) > 0
    assert told.cancelled == len(fates) - len(held) > 0


# -- subscriptions ---------------------------------------------------------------------------------


def test_spells_go_on_through_changes_and_short_gaps(
    demo: Demo, people: list[dict[str, Any]]
) -> None:
    spells, first, last = 0, Counter[str](), Counter[str]()
    for changes in plan_changes(people).values():
        ended: date | None = None
        own: list[list[str]] = []
        for day, event, plan in changes:
            if event == "plan_ended":
                ended = day
            elif event == "plan_started" and (ended is None or (day - ended).days > 7):
                own.append([plan])
                ended = None
            else:
                own[-1].append(plan)
                ended = None
        spells += len(own)
        if ended is None:
            first[own[-1][0]] += 1
            last[own[-1][-1]] += 1
    truth = demo.truth.subscriptions
    assert truth.spells == spells
    assert truth.running_by_first_plan == first
    assert truth.running_by_plan == last


# -- NPS -------------------------------------------------------------------------------------------


def test_nps_is_that_of_the_exported_answers(demo: Demo) -> None:
    answers: dict[str, list[str]] = {}
    for survey, header in (
        ("alumni_survey", "How likely are you to recommend the school? (0-10)"),
        ("nps_quarterly", "How likely are you to recommend us?"),
    ):
        answers[survey] = [
            row[header]
            for path in (demo.landing / "surveys").glob(f"{survey}_*.csv")
            for row in read_csv(path)
        ]
    responses = {one["id"]: one for one in read_pages(demo.landing, "satismeter", "responses")}
    answers["in_app_nps"] = [
        "" if one["dismissed"] or one["pending"] else str(one["rating"])
        for one in responses.values()
    ]
    assert set(demo.truth.nps) == set(answers)
    for survey, texts in answers.items():
        truth = demo.truth.nps[survey]
        scores = [int(text) for text in texts if text.isdecimal() and int(text) <= 10]
        assert truth.respondents == len(scores)
        assert truth.promoters == sum(score >= 9 for score in scores)
        assert truth.detractors == sum(score <= 6 for score in scores)
        assert truth.promoters + truth.passives + truth.detractors == truth.respondents
        assert truth.unanswered == sum(text in ("", "NA") for text in texts)
        assert truth.rejected == len(texts) - truth.respondents - truth.unanswered
    assert demo.truth.nps["in_app_nps"].comments == sum(
        one["feedback"] is not None for one in responses.values()
    )
    assert demo.truth.nps["nps_quarterly"].rejected > 0
    assert demo.truth.nps["in_app_nps"].unanswered > 0


def test_waves_are_counted_as_their_rows_say(demo: Demo) -> None:
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    nameless: Counter[str] = Counter()
    for path in (demo.landing / "surveys").glob("alumni_survey_*.csv"):
        for row in read_csv(path):
            wave, who = row["Invited on"], (row["Learner number"], row["E-mail"])
            nameless[wave] += not any(who)
            asked[wave]["rows"] += 1
            asked[wave]["delivered"] += row["Status"] != "bounced"
            asked[wave]["answered"] += bool(row["Answered at (UTC)"])
            assert (row["Status"] == "answered") == bool(row["Answered at (UTC)"])
    assert set(demo.truth.waves) == set(asked)
    for wave, found in asked.items():
        segments = demo.truth.waves[wave].by_segment
        assert segments["unknown"].invited == nameless[wave] == 1
        # Up to three people answer a second time, with something that cannot count.
        for name, column in (("invited", "rows"), ("delivered", ""), ("answered", "")):
            told = sum(getattr(segment, name) for segment in segments.values())
            assert told <= found[column or name] <= told + 3


# -- support ---------------------------------------------------------------------------------------


def test_support_is_what_the_newest_versions_say(demo: Demo) -> None:
    truth = demo.truth.support
    tickets = newest(read_pages(demo.landing, "zendesk/tickets", "tickets"))
    assert truth.tickets == len(tickets)
    assert truth.deleted == sum(ticket["status"] == "deleted" for ticket in tickets.values())
    assert truth.deleted > 0
    assert truth.not_deleted == truth.tickets - truth.deleted
    users = newest(read_pages(demo.landing, "zendesk/users", "users"))
    assert truth.users == len(users)
    assert truth.agents == sum(user["role"] != "end-user" for user in users.values())
    ratings = newest(read_pages(demo.landing, "zendesk/satisfaction_ratings", ""))
    assert truth.ratings == Counter(rating["score"] for rating in ratings.values())
    calls = newest(read_pages(demo.landing, "zendesk/calls", "calls"))
    assert truth.calls == Counter(call["completion_status"] for call in calls.values())
    events = read_pages(demo.landing, "zendesk/ticket_events", "ticket_events")
    assert truth.ticket_events == len({event["id"] for event in events})


def test_rows_of_zendesk_are_counted_with_and_without_repeats(demo: Demo) -> None:
    for resource in (
        "tickets",
        "users",
        "satisfaction_ratings",
        "calls",
        "legs",
        "organizations",
        "ticket_metric_events",
        "schedules",
        "holidays",
        "sla_policies",
    ):
        rows = read_pages(demo.landing, f"zendesk/{resource}", resource)
        truth = demo.truth.files[f"zendesk_{resource}"]
        assert truth.rows_in == len(rows)
        assert truth.distinct == len({json.dumps(row) for row in rows})
        assert truth.files == len(list((demo.landing / "zendesk" / resource).iterdir()))
    events = read_pages(demo.landing, "zendesk/ticket_events", "ticket_events")
    changes = [child["id"] for event in events for child in event["child_events"]]
    truth = demo.truth.files["zendesk_ticket_events"]
    assert truth.rows_in == len(changes) > truth.distinct == len(set(changes))


def test_promises_are_what_the_metric_events_of_kept_tickets_say(demo: Demo) -> None:
    deleted = {
        ticket["id"]
        for ticket in newest(read_pages(demo.landing, "zendesk/tickets", "tickets")).values()
        if ticket["status"] == "deleted"
    }
    events = read_pages(demo.landing, "zendesk/ticket_metric_events", "ticket_metric_events")
    kinds: dict[tuple[Any, ...], list[str]] = {}
    for event in sorted(
        {event["id"]: event for event in events}.values(), key=lambda one: one["id"]
    ):
        clock = (event["ticket_id"], event["metric"], event["instance_id"])
        kinds.setdefault(clock, []).append(event["type"])
    found: Counter[str] = Counter()
    for (ticket, metric, instance), types in kinds.items():
        target = "resolution"
        if metric == "reply_time":
            target = "first_reply" if instance == 1 else "next_reply"
        if ticket not in deleted:
            result = "met" if types[-1] == "fulfill" else "running"
            found[f"{target} {'breached' if 'breach' in types else result}"] += 1
    assert found == demo.truth.support.promises
    assert {name.split()[1] for name in found} == {"met", "breached", "running"}


def test_the_last_status_is_the_one_that_the_history_ends_with(demo: Demo) -> None:
    tickets = newest(read_pages(demo.landing, "zendesk/tickets", "tickets"))
    history: dict[int, str] = {}
    events = read_pages(demo.landing, "zendesk/ticket_events", "ticket_events")
    distinct = {event["id"]: event for event in events}
    for event in sorted(distinct.values(), key=lambda event: event["created_at"]):
        for child in event["child_events"]:
            if "status" in child:
                if child["event_type"] == "Change":
                    assert child["previous_value"] == history[event["ticket_id"]]
                history[event["ticket_id"]] = child["status"]
    assert {number: ticket["status"] for number, ticket in tickets.items()} == {
        number: status.replace("on-hold", "hold") for number, status in history.items()
    }


def test_rows_of_surveys_are_counted(demo: Demo) -> None:
    for folder, survey, delimiter, encoding in (
        ("surveys", "alumni_survey", ",", "utf-8"),
        ("surveys", "nps_quarterly", ",", "utf-8"),
        ("coaches", "coach_entries", ",", "utf-8"),
        ("contracts", "contracts", ";", "latin-1"),
    ):
        files = [
            read_csv(path, delimiter, encoding)
            for path in (demo.landing / folder).glob(f"{survey}_*.csv")
        ]
        truth = demo.truth.files[f"surveys/{survey}"]
        assert truth.files == len(files)
        assert truth.rows_in == truth.distinct == sum(map(len, files))
    truth = demo.truth.files["satismeter"]
    responses = read_pages(demo.landing, "satismeter", "responses")
    assert truth.rows_in == len(responses)
    assert truth.distinct == len({one["id"] for one in responses})


# -- career outcomes -------------------------------------------------------------------------------


@dataclass
class Told:
    """A report as it stands in a file."""

    person: str | None
    source: str
    kind: str | None
    on: date | None
    told_on: date
    credited: str | None
    would_not: str | None


def as_date(text: str, pattern: str) -> date | None:
    try:
        return datetime.strptime(text, pattern).date()
    except ValueError:
        return None


def all_reports(demo: Demo, people: list[dict[str, Any]]) -> list[Told]:
    by_email = emails(demo, people)

    def who(user_id: str, email: str) -> str | None:
        email = email.strip().lower()
        return user_id.strip() or by_email.get(email) or (f"email:{email}" if email else None)

    words = {
        mapping.survey: {role: column.values or {} for role, column in mapping.columns.items()}
        for mapping in read_contracts(REPOSITORY / "data" / "sources").survey_mappings
    }
    found = []
    for row in people:
        if row["event_type"] == "outcome_reported":
            told = row["event_properties"]
            would_not = {True: "yes", False: "no", None: None}
            found.append(
                Told(
                    row["user_id"],
                    "product",
                    told["outcome_type"],
                    as_date(told.get("outcome_date", ""), "%Y-%m-%d"),
                    paris_day(row),
                    told.get("credited"),
                    would_not[told.get("would_not_have_happened")],
                )
            )
    for path in (demo.landing / "surveys").glob("alumni_survey_*.csv"):
        for line in read_csv(path):
            if line["Has your professional situation changed since last year?"] == "Yes":
                told_at = instant(line["Answered at (UTC)"]).astimezone(PARIS)
                meaning = words["alumni_survey"]
                without = line["Would it have happened without the school?"]
                found.append(
                    Told(
                        who(line["Learner number"], line["E-mail"]),
                        "survey",
                        meaning["outcome_type"].get(line["What changed?"]),
                        as_date(line["Since when?"], "%d/%m/%Y"),
                        told_at.date(),
                        meaning["credited"].get(line["Did the school help?"]),
                        meaning["would_not_have_happened"].get(without),
                    )
                )
    for path in (demo.landing / "coaches").glob("*.csv"):
        for line in read_csv(path):
            if line["Kind"] == "outcome":
                told_on = as_date(line["Entered at"], "%d/%m/%Y %H:%M")
                assert told_on is not None
                meaning = words["coach_entries"]
                found.append(
                    Told(
                        who(line["Learner number"], line["Learner e-mail"]),
                        "coach",
                        meaning["outcome_type"].get(line["Outcome"]),
                        as_date(line["Outcome date"], "%Y-%m-%d"),
                        told_on,
                        meaning["credited"][line["Learner credits the school"]],
                        line["Would not have happened without the training"] or None,
                    )
                )
    for path in (demo.landing / "contracts").glob("*.csv"):
        for line in read_csv(path, ";", "latin-1"):
            told_on = as_date(line["Signé le"], "%d/%m/%Y")
            assert told_on is not None
            found.append(
                Told(
                    who(line["N° d'apprenant"], line["E-mail de l'apprenant"]),
                    "contract",
                    words["contracts"]["outcome_type"].get(line["Type de contrat"]),
                    as_date(line["Début"], "%d/%m/%Y"),
                    told_on,
                    None,
                    None,
                )
            )
    return found


def why_invalid(told: Told, as_of: date) -> str | None:
    reasons = [
        reason
        for reason, applies in (
            ("unknown_type", told.kind not in FAMILIES),
            ("no_outcome_date", told.on is None),
            ("no_learner", told.person is None),
            ("not_yet", told.on is not None and told.on > as_of),
        )
        if applies
    ]
    assert len(reasons) <= 1, "which reason comes first is nobody's business here"
    return reasons[0] if reasons else None


@dataclass
class Group:
    person: str
    family: str
    told: list[Told]

    @property
    def strongest(self) -> Told:
        return sorted(self.told, key=lambda one: (STRENGTH.index(one.source), one.on))[0]

    @property
    def on(self) -> date:
        assert self.strongest.on is not None
        return self.strongest.on

    @property
    def is_credited(self) -> bool:
        answers = [(one.told_on, one.credited) for one in self.told if one.credited]
        if not answers:
            return False
        last = max(day for day, _ in answers)
        if any(answer == "no" for day, answer in answers if day == last):
            return False
        kinds = {one.kind for one in self.told}
        if all(one.would_not != "yes" for one in self.told):
            kinds.discard("internal_mobility")
        return bool(kinds)


def groups_of(told: list[Told]) -> list[Group]:
    found: list[Group] = []
    ordered = sorted(told, key=lambda one: (one.person, FAMILIES[one.kind or ""], one.on))
    for one in ordered:
        family = FAMILIES[one.kind or ""]
        last = found[-1] if found else None
        if (
            last is not None
            and (last.person, last.family) == (one.person, family)
            and one.on is not None
            and last.told[0].on is not None
            and (one.on - last.told[0].on).days <= 30
        ):
            last.told.append(one)
        else:
            assert one.person is not None
            found.append(Group(one.person, family, [one]))
    return found


def twelve_months_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return date(day.year + 1, 2, 28)


def most_that_can_count(days: list[date]) -> int:
    """The largest number of days no two of which are closer than 12 months, by trying all."""
    days = sorted(days)
    for size in range(len(days), 0, -1):
        for chosen in combinations(days, size):
            if all(later >= twelve_months_after(earlier) for earlier, later in pairwise(chosen)):
                return size
    return 0


@pytest.fixture(scope="module")
def reports(demo: Demo, people: list[dict[str, Any]]) -> list[Told]:
    return all_reports(demo, people)


@pytest.fixture(scope="module")
def groups(demo: Demo, reports: list[Told]) -> list[Group]:
    return groups_of([one for one in reports if why_invalid(one, demo.truth.as_of) is None])


def counted_of(groups: list[Group]) -> list[Group]:
    by_person: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        if group.is_credited:
            by_person[group.person].append(group)
    counted = []
    for own in by_person.values():
        own.sort(
            key=lambda one: (
                one.on,
                STRENGTH.index(one.strongest.source),
                FAMILY_ORDER.index(one.family),
            )
        )
        chosen: list[Group] = []
        for group in own:
            if not chosen or group.on >= twelve_months_after(chosen[-1].on):
                chosen.append(group)
        assert len(chosen) == most_that_can_count([group.on for group in own])
        counted += chosen
    return counted


def test_reports_and_their_decisions(demo: Demo, reports: list[Told], groups: list[Group]) -> None:
    truth = demo.truth.reports
    reasons = Counter(why_invalid(one, demo.truth.as_of) for one in reports)
    invalid = len(reports) - reasons.pop(None)
    counted = counted_of(groups)
    credited = sum(group.is_credited for group in groups)
    assert truth.total == len(reports)
    assert truth.by_source == Counter(one.source for one in reports)
    assert truth.by_invalid_reason == reasons
    assert set(reasons) == {"unknown_type", "no_outcome_date", "no_learner", "not_yet"}
    assert truth.by_decision == {
        "counted": len(counted),
        "duplicate_report": len(reports) - invalid - len(groups),
        "invalid": invalid,
        "not_credited": len(groups) - credited,
        "within_12_months": credited - len(counted),
    }
    assert sum(truth.by_decision.values()) == truth.total


def test_counted_outcomes(demo: Demo, people: list[dict[str, Any]], groups: list[Group]) -> None:
    truth = demo.truth.outcomes
    counted = counted_of(groups)
    changes = plan_changes(people)

    def segment(group: Group) -> str:
        plan = "free"
        for day, event, name in changes.get(group.person, []):
            if day <= group.on:
                plan = "free" if event == "plan_ended" else name
        return plan

    assert truth.real == len(groups)
    assert truth.counted == len(counted)
    assert truth.by_month == Counter(f"{group.on:%Y-%m}" for group in counted)
    assert truth.by_family == Counter(group.family for group in counted)
    assert truth.by_evidence == Counter(group.strongest.source for group in counted)
    assert truth.by_segment == Counter(segment(group) for group in counted)
    assert truth.last_12_months == sum(
        date(2025, 7, 1) <= group.on < date(2026, 7, 1) for group in counted
    )
    assert truth.credit_conflicts == sum(
        {"yes", "no"} <= {one.credited for one in group.told} for group in groups
    )
    assert truth.credit_conflicts > 0


def test_no_outcome_lies_where_the_plan_could_be_read_differently(
    people: list[dict[str, Any]], groups: list[Group]
) -> None:
    changes = plan_changes(people)
    for group in groups:
        for one in group.told:
            for day, _, _ in changes.get(group.person, []):
                assert one.on is not None
                assert abs((one.on - day).days) > 1


def test_some_reports_reach_a_learner_by_e_mail_alone(
    demo: Demo, people: list[dict[str, Any]], reports: list[Told]
) -> None:
    by_email = emails(demo, people)
    known = [
        line
        for path in (demo.landing / "coaches").glob("*.csv")
        for line in read_csv(path)
        if not line["Learner number"] and line["Learner e-mail"].strip().lower() in by_email
    ]
    assert known
    by_address = {one.person for one in reports if one.person and one.person.startswith("email:")}
    assert demo.truth.people.email_only == len(by_address) > 0


def test_every_address_of_a_learner_leads_to_one_user(
    people: list[dict[str, Any]], demo: Demo
) -> None:
    addresses = emails(demo, people)
    assert len(set(addresses.values())) == len(addresses)


def test_landing_holds_nothing_that_the_truth_does_not_count(demo: Demo) -> None:
    stored = sum(truth.files for truth in demo.truth.files.values())
    amplitude = read_amplitude(demo.landing)
    others = [
        path
        for path in demo.landing.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and Path("amplitude") not in path.relative_to(demo.landing).parents
    ]
    assert stored == len(amplitude.events) + len(amplitude.merges) + len(others)
