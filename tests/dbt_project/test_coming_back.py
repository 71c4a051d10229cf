"""Retention, lifecycle and stickiness against one learner after the other, as clocks change."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.dbt_project.coming_back import (
    Clock,
    Event,
    Retention,
    counted_in_range,
    counted_per_period,
    lifecycle,
)
from tests.dbt_project.harness import School, key

# Clocks change by an hour within the weeks of events, in Havana at midnight; Chatham is 45 minutes
# off the hour.
ZONES = {
    "Europe/Paris": datetime(2024, 3, 17),
    "America/Havana": datetime(2023, 10, 22),
    "Pacific/Chatham": datetime(2024, 3, 24),
}
DAYS = 24
MODES = ("on", "on_or_after", "brackets")
CLOCKS = ("calendar", "rolling")
COHORTS = ("first_time", "recurring")
PERIODS = ("hour", "day", "week", "month")
BRACKETS = ((1, 1), (2, 3), (5, 8))
EVENTS = "events.of_school"
LEARNER_DAYS = "events.learner_days"


def random_events() -> list[Event]:
    """A few learners a zone, some of them busy within hours, some within weeks or months."""
    chance = random.Random(5)
    found = []
    for number in range(75):
        first = list(ZONES.values())[number % 3]
        busy = chance.choice([6.0, 24.0 * 4, 24.0 * DAYS, 24.0 * 100])
        start = chance.uniform(0, 24 * DAYS)
        for _ in range(chance.randrange(1, 12)):
            hours = start + chance.uniform(0, busy)
            at = first + timedelta(seconds=round(hours * 3600))
            # Full hours and midnights, where rules differ by a second.
            if chance.random() < 0.2:
                at = at.replace(minute=0, second=0)
            kind = chance.choice(["lesson", "lesson", "quiz", "visit"])
            found.append(Event(number, kind, at, chance.choice(["red", "blue"])))
    return found


EVENTS_OF_SCHOOL = random_events()
FIRST_SEEN = {
    learner: min(event.at for event in EVENTS_OF_SCHOOL if event.learner == learner)
    for learner in {event.learner for event in EVENTS_OF_SCHOOL}
}


def is_learning(event: Event) -> bool:
    return event.event_type != "visit"


def is_lesson(event: Event) -> bool:
    return event.event_type == "lesson"


def is_red(event: Event) -> bool:
    return event.colour == "red"


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    """The events, and their learner days in the reporting zone."""
    school = School(tmp_path_factory.mktemp("coming_back"))
    zone = ZoneInfo(school.settings.reporting_timezone)
    rows = [
        {
            "learner_key": event.learner,
            "event_type": event.event_type,
            "event_at": str(event.at),
            "event_id": number,
            "colour": event.colour,
            "is_learning": is_learning(event),
            "first_seen_at": str(FIRST_SEEN[event.learner]),
            "activity_date": str(event.at.replace(tzinfo=UTC).astimezone(zone).date()),
        }
        for number, event in enumerate(EVENTS_OF_SCHOOL)
    ]
    structure = {
        "learner_key": "bigint",
        "event_type": "varchar",
        "event_at": "timestamp",
        "event_id": "bigint",
        "colour": "varchar",
        "is_learning": "boolean",
        "first_seen_at": "timestamp",
        "activity_date": "date",
    }
    with school.connection() as connection:
        connection.execute("create schema events")
        connection.execute(
            f"create table {EVENTS} as select row.* from (select unnest(from_json($1, $2)) as row)",
            [json.dumps(rows), json.dumps([structure])],
        )
        connection.execute(
            f"create table {LEARNER_DAYS} as select learner_key, activity_date, event_type, "
            f"bool_or(is_learning) as is_learning, count(*) as events from {EVENTS} group by all"
        )
    return school


def call(macro: str, **arguments: Any) -> str:
    given = ", ".join(f"{name}={json_or_none(value)}" for name, value in arguments.items())
    return f"{{{{ {macro}({given}) }}}}"


def json_or_none(value: Any) -> str:
    return "none" if value is None else json.dumps(value)


def start_of_day(day: date, zone: str) -> datetime:
    """The first UTC instant at which clocks of the zone show the day."""
    at = datetime.combine(day, datetime.min.time()) - timedelta(days=1)
    while at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date() < day:
        at += timedelta(minutes=15)
    return at


def own_events(zone: str) -> list[Event]:
    """The events of the learners who live in a zone."""
    number = list(ZONES).index(zone)
    return [event for event in EVENTS_OF_SCHOOL if event.learner % 3 == number]


def relation_of(zone: str) -> str:
    number = list(ZONES).index(zone)
    return f"(select * from {EVENTS} where learner_key % 3 = {number}) as given"


def choices() -> list[tuple[dict[str, Any], Retention]]:
    """Every mode, clock, kind of cohort and period, a third of them in two zones."""
    chance = random.Random(6)
    found = []
    every = list(itertools.product(MODES, CLOCKS, COHORTS, PERIODS))
    zones = ["Europe/Paris"] * len(every) + ["America/Havana", "Pacific/Chatham"] * len(every)
    for zone, (mode, clock, cohorts, period) in zip(zones, every + every[::3], strict=False):
        first = ZONES[zone]
        day = (first + timedelta(days=DAYS - 3 + chance.randrange(3))).date()
        as_of = start_of_day(day, zone)
        given: dict[str, Any] = {"as_of": str(day)}
        if chance.random() < 0.3:
            as_of = datetime.combine(day, datetime.min.time()) + timedelta(hours=10, minutes=30)
            given["as_of"] = str(as_of)
        week_start = chance.choice(["monday", "sunday"])
        definition = Retention(
            own_events(zone),
            Clock(zone, period, week_start, as_of),
            is_learning,
            is_learning,
            mode=mode,
            rolling=clock == "rolling",
            first_time=cohorts == "first_time",
            brackets=BRACKETS if mode == "brackets" else (),
        )
        given |= {
            "relation": relation_of(zone),
            "start_event": "is_learning",
            "period": period,
            "mode": mode,
            "clock": clock,
            "cohorts": cohorts,
            "timezone": zone,
            "week_start": week_start,
        }
        if mode == "brackets":
            given["brackets"] = [list(each) for each in BRACKETS]
        if chance.random() < 0.5:
            given |= {"start_event": "event_type = 'lesson'", "return_event": "colour = 'red'"}
            definition = replace(definition, starts=is_lesson, returns=is_red)
        if period == "hour" or chance.random() < 0.3:
            given["intervals"] = 30 if period == "hour" else chance.randrange(6)
            definition = replace(definition, intervals=given["intervals"])
        if chance.random() < 0.3:
            start, end = (first + timedelta(days=each) for each in (4, 15))
            given |= {"from_day": f"{start:%Y-%m-%d}", "to_day": f"{end:%Y-%m-%d}"}
            definition = replace(definition, shown=within(zone, start.date(), end.date()))
        found.append((given, definition))
    return found


def within(zone: str, first: date, last: date) -> Callable[[Any], bool]:
    def shown(start: Any) -> bool:
        if isinstance(start, datetime):
            start = start.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
        return bool(first <= start <= last)

    return shown


def test_retention_is_that_of_one_learner_after_the_other(school: School) -> None:
    every = choices()
    built = school.run_all([call("retention", **given) for given, _ in every])
    for (given, definition), rows in zip(every, built, strict=True):
        assert sorted(rows) == definition.triangle(), given
    assert sum(len(rows) for rows in built) > 2_000


def test_overall_retention_counts_complete_cohorts_only(school: School) -> None:
    every = choices()[::3]
    built = school.run_all([call("retention_overall", **given) for given, _ in every])
    for (given, definition), rows in zip(every, built, strict=True):
        assert sorted(rows) == definition.overall(), given
    assert sum(len(rows) for rows in built) > 100


def test_lifecycle_and_stickiness_are_those_of_one_learner_after_the_other(school: School) -> None:
    queries: list[str] = []
    expected: list[Sequence[tuple[Any, ...]]] = []
    for (zone, first), period in itertools.product(ZONES.items(), PERIODS):
        own, relation = own_events(zone), relation_of(zone)
        day = (first + timedelta(days=DAYS)).date()
        week_start = "sunday" if period == "week" else "monday"
        clock = Clock(zone, period, week_start, start_of_day(day, zone))
        shared = {
            "relation": relation,
            "active_event": "colour = 'red'",
            "as_of": str(day),
            "timezone": zone,
            "week_start": week_start,
        }
        queries.append(call("lifecycle", period=period, **shared))
        expected.append(lifecycle(own, clock, is_red))
        queries.append(call("lifecycle", period=period, first_seen="first_seen_at", **shared))
        expected.append(lifecycle(own, clock, is_red, FIRST_SEEN))
        start, end = ((first + timedelta(days=each)).date() for each in (5, 16))
        queries.append(
            call(
                "stickiness",
                interval=period,
                period="range",
                from_day=str(start),
                to_day=str(end),
                **shared,
            )
        )
        expected.append(counted_in_range(own, clock, is_red, start, end))
        for longer in {"day": ("week", "month"), "week": ("month",)}.get(period, ()):
            queries.append(call("stickiness", interval=period, period=longer, **shared))
            expected.append(counted_per_period(own, clock, replace(clock, period=longer), is_red))
    for query, rows, wanted in zip(queries, school.run_all(queries), expected, strict=True):
        assert sorted(rows) == list(wanted), query


def test_weeks_of_a_month_count_in_each_month_they_were_used_in(school: School) -> None:
    # Friday 29 March and Monday 1 April lie in two weeks, Monday 1 and Tuesday 2 April in one.
    days = "(values {}) as days (learner_key, activity_date)".format(
        ", ".join(f"(1, date '{day}')" for day in ("2024-03-29", "2024-04-01", "2024-04-02"))
    )
    weeks = call(
        "stickiness",
        learner_days=days,
        active_event="true",
        interval="week",
        period="month",
        as_of="2024-04-10",
    )
    exactly = {(row[0], row[1]): row[2] for row in school.run_sql(weeks)}
    assert exactly[date(2024, 3, 1), 1] == 1
    assert exactly[date(2024, 4, 1), 1] == 1
    assert [number for start, number in sorted(exactly) if start.month == 3] == [1, 2, 3, 4, 5]


# -- learner days ---------------------------------------------------------------------------------


def charts() -> list[tuple[str, dict[str, Any]]]:
    """Charts that learner days can answer."""
    shared = {"as_of": "2024-04-20"}
    found: list[tuple[str, dict[str, Any]]] = []
    for period in ("day", "week", "month"):
        for mode, cohorts in itertools.product(("on", "on_or_after"), COHORTS):
            given = {"period": period, "mode": mode, "cohorts": cohorts, **shared}
            events = {"start_event": "is_learning", "return_event": "event_type != 'visit'"}
            found += [("retention", given | events), ("retention_overall", given | events)]
        found.append(("lifecycle", {"active_event": "is_learning", "period": period, **shared}))
    for interval, period in (("day", "week"), ("day", "month"), ("week", "month")):
        active = "event_type in ('lesson', 'it''s a visit')"
        given = {"active_event": active, "interval": interval, "period": period}
        found.append(("stickiness", given | shared))
    return found


def test_learner_days_give_what_events_give(school: School) -> None:
    """The macro reads whichever can answer; both give the same rows."""
    every = charts()
    days = [
        call(name, relation=EVENTS, learner_days=LEARNER_DAYS, **given) for name, given in every
    ]
    events = [call(name, relation=EVENTS, **given) for name, given in every]
    for chosen, by_days, by_events in zip(
        school.compile_all(days), school.run_all(days), school.run_all(events), strict=True
    ):
        assert LEARNER_DAYS in chosen
        assert EVENTS not in chosen
        assert sorted(by_days) == sorted(by_events)
        assert by_days


@pytest.mark.parametrize(
    "given",
    [
        {"period": "hour"},
        {"clock": "rolling"},
        {"timezone": "America/Havana"},
        {"as_of": "2024-04-20 10:00:00"},
        {"start_event": "is_learning and colour = 'red'"},
        {"return_event": "lower(colour) = 'red'"},
        {"return_event": "event_at > timestamp '2024-01-01'"},
        {"start_event": "events > 1"},
    ],
)
def test_events_are_read_where_learner_days_cannot_answer(
    school: School, given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {"start_event": "is_learning", "as_of": "2024-04-20"} | given
    both = call("retention", relation=EVENTS, learner_days=LEARNER_DAYS, **arguments)
    (compiled,) = school.compile_all([both])
    assert f"from {EVENTS}" in compiled
    assert LEARNER_DAYS not in compiled
    with pytest.raises(AssertionError, match="Error parsing inline query"):
        school.compile_all([call("retention", learner_days=LEARNER_DAYS, **arguments)])
    assert "learner_days alone cannot tell" in capsys.readouterr().out


def test_the_events_are_scanned_once(school: School) -> None:
    every = [call("retention", **given) for given, _ in choices()[:48:2]]
    every += [call("retention_overall", **given) for given, _ in choices()[1:48:5]]
    every += [call(name, relation=EVENTS, **given) for name, given in charts()]
    with school.connection() as connection:
        for query in school.compile_all(every):
            ((_, plan),) = connection.execute(f"explain (format json) {query}").fetchall()
            assert plan.count("of_school") == 1, query


# -- sessions -------------------------------------------------------------------------------------


def sessions_of(events: Sequence[tuple[int, bool, datetime, int | None]]) -> list[tuple[Any, ...]]:
    """What sessions() gives, sorted: one event after the other."""
    found: list[list[Any]] = []
    running: dict[tuple[int, bool], list[Any]] = {}
    for learner, is_mobile, at, session in sorted(events, key=lambda event: event[2]):
        if session in (None, -1):
            continue
        own = running.get((learner, is_mobile))
        if own is None or at - own[3] > timedelta(minutes=5 if is_mobile else 30):
            own = [learner, is_mobile, at, at, 0]
            running[learner, is_mobile] = own
            found.append(own)
        own[3], own[4] = at, own[4] + 1
    rows = []
    for learner, is_mobile, start, end, count in found:
        earlier = [
            each
            for each in found
            if each[0] == learner and (each[2], each[1]) <= (start, is_mobile)
        ]
        day = start.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris")).date()
        seconds = int((end - start).total_seconds())
        rows.append((learner, is_mobile, start, end, day, len(earlier), count, seconds))
    return sorted(rows)


def test_sessions_end_with_silence_and_are_dated_by_their_start(school: School) -> None:
    chance = random.Random(7)
    night = datetime(2024, 3, 30, 21)  # clocks change, and the day in Paris begins at 23:00
    events = [
        (
            chance.randrange(8),
            chance.random() < 0.5,
            # Whole minutes: a silence of just 5 or 30 minutes is none.
            night + timedelta(minutes=chance.randrange(400)),
            chance.choice([1, 2, 2, 2, -1, None]),
        )
        for _ in range(300)
    ]
    values = ", ".join(
        f"({learner}, {number}, {'true' if is_mobile else 'false'}, timestamp '{at}', "
        f"{'null' if session is None else session})"
        for number, (learner, is_mobile, at, session) in enumerate(events)
    )
    names = "learner_key, event_id, is_phone, event_at, session_id"
    relation = f"(values {values}) as events ({names})"
    query = call("sessions", relation=relation, is_mobile="is_phone", as_of="2024-04-02")
    assert sorted(school.run_sql(query)) == sessions_of(events)


# -- the events of learners -----------------------------------------------------------------------


def test_events_have_the_learners_of_learner_days(tmp_path: Path) -> None:
    """Charts of hours and properties read `int_events`, others learner days: of the same people."""
    school = School(tmp_path)
    school.exported_at("2024-04-01 00:00:00")
    school.means(lesson="learning")
    lesson = {"event_type": "lesson", "device_key": key("d1")}
    school.load_events(
        [
            lesson | {"event_at": "2024-03-29 17:59:00"},  # before the sign-in on the same device
            lesson | {"event_at": "2024-03-30 17:00:00", "user_key": key("a1")},
            lesson | {"event_at": "2024-03-31 16:59:00", "user_key": key("a1")},
            lesson
            | {"event_at": "2024-03-30 17:00:00", "user_key": key("b1"), "is_excluded": True},
        ]
    )
    school.build_models("+fct_learner_days", "+int_as_of")
    by_days, by_events, rolling = (
        school.run_sql(f"{{{{ retention({arguments}, period='day') }}}}")
        for arguments in (
            "learner_days=ref('fct_learner_days'), start_event='is_learning'",
            "ref('int_events'), 'is_learning'",
            "ref('int_events'), 'is_learning', clock='rolling'",
        )
    )
    assert sorted(by_days) == sorted(by_events)
    # 17:59, and 17:00 the next day: day 1 begins at 17:00. The clocks of Paris lose an hour then.
    assert [(index, size, back) for _, index, size, back, _ in sorted(rolling)] == [
        (0, 1, 1),
        (1, 1, 1),
        (2, 1, 0),
        (3, 1, 0),
    ]
