"""Business time against a walk over every minute, by Python's own zone rules."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.dbt_project.harness import School, key

AGENT, ASKER = key("b1"), key("f1")
# A year and a bit, with all changes of the clocks on both hemispheres.
FIRST, LAST = datetime(2024, 3, 1), datetime(2025, 4, 10)
EXPORTED = datetime(2025, 4, 9, 20)
MINUTES = int((LAST - FIRST) / timedelta(minutes=1))
WEEK = 7 * 24 * 60

Openings = list[tuple[int, int]]


def _hours(days: range, *openings: tuple[float, float]) -> Openings:
    """Hours of the day, on days from Sunday (0) on, in minutes since Sunday."""
    return [
        (int(24 * 60 * day + 60 * start), int(24 * 60 * day + 60 * end))
        for day in days
        for start, end in openings
    ]


@dataclass
class Version:
    """What a schedule says from an instant on."""

    zone: str
    openings: Openings
    since: datetime


@dataclass
class Schedule:
    """A schedule with all its versions, and what a walk over it finds.

    Attributes:
        readings: of each version, business seconds before each minute.
    """

    number: int
    created: datetime
    versions: list[Version]
    holidays: list[tuple[date, date]]
    readings: list[list[int]] = field(default_factory=list)

    def walk(self) -> None:
        """Look at the clock on the wall in every single minute."""
        closed = {
            first + timedelta(days=number)
            for first, last in self.holidays
            for number in range((last - first).days + 1)
        }
        start = FIRST.replace(tzinfo=UTC).timestamp()
        for version in self.versions:
            zone = ZoneInfo(version.zone)
            is_open = [False] * WEEK
            for opens, closes in version.openings:
                is_open[opens:closes] = [True] * (closes - opens)
            seconds = []
            for minute in range(MINUTES):
                wall = datetime.fromtimestamp(start + 60 * minute, zone)
                minute_of_week = wall.isoweekday() % 7 * 1440 + wall.hour * 60 + wall.minute
                seconds.append(60 * (is_open[minute_of_week] and wall.date() not in closed))
            self.readings.append([0, *accumulate(seconds)])

    def seconds(self, began: datetime, ended: datetime) -> int:
        """Business seconds between two instants."""
        starts = [FIRST, *(version.since for version in self.versions[1:]), LAST]
        return sum(
            _reading(readings, min(until, ended)) - _reading(readings, max(since, began))
            for readings, (since, until) in zip(self.readings, pairwise(starts), strict=True)
            if max(since, began) < min(until, ended)
        )


def _reading(readings: list[int], moment: datetime) -> int:
    minute, rest = divmod(int((moment - FIRST).total_seconds()), 60)
    return readings[minute] + (rest if readings[minute + 1] > readings[minute] else 0)


def _schedules() -> list[Schedule]:
    weekdays = range(1, 6)
    return [
        Schedule(
            21,
            datetime(2023, 1, 1),
            [
                Version(
                    "Europe/Paris", _hours(weekdays, (9, 12.5), (13.5, 18)), datetime(2023, 1, 1)
                ),
                # Moved abroad in the middle of a minute, on a business day.
                Version(
                    "Africa/Casablanca",
                    _hours(weekdays, (8, 17)),
                    datetime(2024, 6, 13, 10, 20, 30),
                ),
            ],
            [(date(2024, 5, 1), date(2024, 5, 1)), (date(2024, 12, 24), date(2025, 1, 1))],
        ),
        # Open while the clocks change: 2:00 to 3:00 is skipped in spring and comes twice in autumn.
        Schedule(
            22,
            datetime(2023, 2, 1),
            [
                Version(
                    "Europe/Paris",
                    [(130, 170), (200, 260), *_hours(weekdays, (0, 24)), (9900, WEEK)],
                    datetime(2023, 2, 1),
                )
            ],
            [(date(2024, 11, 1), date(2024, 11, 3))],
        ),
        # Always open, clocks that change by half an hour, closed on days on which they change.
        Schedule(
            23,
            datetime(2023, 3, 1),
            [
                Version("Australia/Lord_Howe", [(0, WEEK)], datetime(2023, 3, 1)),
                Version("America/St_Johns", [(0, WEEK)], datetime(2024, 10, 30, 5)),
            ],
            [(date(2024, 10, 6), date(2024, 10, 6)), (date(2024, 11, 3), date(2024, 11, 3))],
        ),
        # From Saturday evening to Sunday morning, over the end of the week.
        Schedule(
            24,
            datetime(2023, 3, 1),
            [Version("America/New_York", [(0, 300), (5000, 8000), (9960, WEEK)], FIRST)],
            [],
        ),
    ]


@dataclass
class Ticket:
    """A ticket, when it was answered, and which schedules it was under since when."""

    number: int
    created: datetime
    replied: datetime
    schedules: list[tuple[datetime, int]]


def _tickets(chance: random.Random, number: int) -> list[Ticket]:
    """Tickets of any length; some near a change of the clocks; some change their schedule."""
    changes = [
        datetime(2024, 3, 31, 1), datetime(2024, 10, 27, 1), datetime(2024, 11, 3, 6),
        datetime(2024, 10, 5, 15, 30), datetime(2024, 4, 6, 15), datetime(2025, 3, 9, 7),
        datetime(2024, 6, 13, 10, 20, 30), datetime(2024, 12, 24), datetime(2024, 10, 30, 5),
    ]  # fmt: skip
    found = []
    for index in range(number):
        if index % 3 == 0:
            created = chance.choice(changes) - timedelta(seconds=chance.randrange(4 * 3600))
        else:
            created = FIRST + timedelta(days=2, seconds=chance.randrange(390 * 86400))
        length = chance.choice((0, 1, 59, 7200, 86400, 10 * 86400, 366 * 86400))
        replied = min(created + timedelta(seconds=chance.randint(length // 2, length)), EXPORTED)
        schedules = []
        for _ in range(chance.choice((0, 0, 1, 3))):
            moment = created + timedelta(seconds=chance.randrange(-3600, length + 3600))
            schedules.append((moment, chance.choice((21, 22, 23, 24))))
        found.append(Ticket(index + 1, created, replied, sorted(schedules, key=lambda one: one[0])))
    return found


# Under its first schedule for an hour, then under one that no export holds.
UNKNOWN = Ticket(
    9999,
    datetime(2024, 3, 4, 8),
    datetime(2024, 3, 4, 10),
    [(datetime(2024, 3, 4, 9), 99)],
)


def _expected(ticket: Ticket, schedules: dict[int, Schedule]) -> int:
    """Piece by piece; schedule 21 is the oldest one."""
    pieces = [(ticket.created, 21)]
    for since, number in ticket.schedules:
        pieces.append((max(since, ticket.created), number))
    ends = [since for since, _ in pieces[1:]] + [LAST]
    return sum(
        schedules[number].seconds(since, min(until, ticket.replied))
        for (since, number), until in zip(pieces, ends, strict=True)
        if since < min(until, ticket.replied)
    )


def _insert(school: School, tickets: list[Ticket], schedules: list[Schedule]) -> None:
    school.insert(
        "zendesk_users",
        [{"zendesk_user_key": AGENT, "role": "agent", "updated_at": FIRST}],
    )
    rows: list[dict[str, Any]] = []
    for ticket in tickets:
        common = {"ticket_id": ticket.number, "position": 1, "author_key": AGENT}
        rows.append(
            common
            | {
                "audit_id": 100 * ticket.number,
                "event_type": "Comment",
                "is_public": True,
                "created_at": ticket.replied,
            }
        )
        before: int | None = None
        for index, (moment, number) in enumerate(ticket.schedules, start=1):
            rows.append(
                common
                | {
                    "audit_id": 100 * ticket.number + index,
                    "event_type": "ScheduleAssignment",
                    "field_name": "schedule_id",
                    "previous_value": before,
                    "value": number,
                    "created_at": moment,
                }
            )
            before = number
    school.insert("zendesk_ticket_events", rows)
    school.insert(
        "zendesk_tickets",
        [
            {
                "ticket_id": ticket.number,
                "created_at": ticket.created,
                "updated_at": ticket.replied,
                "status": "open",
                "requester_key": ASKER,
            }
            for ticket in tickets
        ],
    )
    school.insert(
        "zendesk_schedules",
        [
            {
                "schedule_id": schedule.number,
                "time_zone": version.zone,
                "intervals": [
                    {"start_minute": start, "end_minute": end} for start, end in version.openings
                ],
                "created_at": schedule.created,
                "updated_at": version.since,
            }
            for schedule in schedules
            for version in schedule.versions
        ],
    )
    school.insert(
        "zendesk_holidays",
        [
            {"schedule_id": schedule.number, "starts_on": first, "ends_on": last}
            for schedule in schedules
            for first, last in schedule.holidays
        ],
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[School, list[Ticket]]:
    school = School(tmp_path_factory.mktemp("business"))
    school.exported_at(str(EXPORTED))
    tickets = _tickets(random.Random(20241027), 600)
    _insert(school, [*tickets, UNKNOWN], _schedules())
    school.build_models("+fct_tickets")
    return school, tickets


def test_business_seconds_are_those_of_a_walk_over_every_minute(
    built: tuple[School, list[Ticket]],
) -> None:
    school, tickets = built
    schedules = {schedule.number: schedule for schedule in _schedules()}
    for schedule in schedules.values():
        schedule.walk()

    found = dict(
        school.query("select ticket_id, first_reply_business_seconds from support.fct_tickets")
    )

    expected = {ticket.number: _expected(ticket, schedules) for ticket in tickets}
    wrong = {
        number: (found[number], seconds)
        for number, seconds in expected.items()
        if found[number] != seconds
    }
    assert wrong == {}
    # Not so tame that the walk would prove nothing.
    assert sum(seconds % 60 != 0 for seconds in expected.values()) > 100
    assert sum(seconds == 0 for seconds in expected.values()) > 30
    assert max(expected.values()) > 200 * 86400


def test_the_clock_has_few_readings_and_a_wait_needs_two_of_them(
    built: tuple[School, list[Ticket]],
) -> None:
    # A reading per opening, closing and day of a schedule: no row for any minute, and none for a
    # ticket, however long it is open.
    school, tickets = built
    readings = school.query("select count(*) from intermediate.int_support__business_hours")[0][0]
    days = (EXPORTED - min(ticket.created for ticket in tickets)).days + 4
    assert readings <= len(_schedules()) * days * 5
    doubled = school.query(
        """
        select count(*) from (
            select schedule_id, from_at, until_at, lead(from_at) over (
                partition by schedule_id order by from_at, until_at
            ) as next_at
            from intermediate.int_support__business_hours
        ) where next_at <> until_at
        """
    )
    # Without gaps and without overlaps: exactly one row answers for any instant.
    assert doubled == [(0,)]


def test_under_a_schedule_that_is_not_loaded_there_is_no_business_time(
    built: tuple[School, list[Ticket]],
) -> None:
    school, _ = built
    assert school.query(
        "select first_reply_seconds, first_reply_business_seconds from support.fct_tickets "
        f"where ticket_id = {UNKNOWN.number}"
    ) == [(7200, None)]


def test_the_walk_finds_what_a_calendar_says() -> None:
    # The independent answer, checked by hand: in the week of the change a Sunday from 2:10 to 2:50
    # does not exist in spring, and lasts 80 minutes in autumn.
    schedule = Schedule(
        1, FIRST, [Version("Europe/Paris", [(130, 170)], FIRST)], [(date(2024, 4, 7),) * 2]
    )
    schedule.walk()
    spring = datetime(2024, 3, 30, 12)
    autumn = datetime(2024, 10, 26, 12)
    assert schedule.seconds(spring, spring + timedelta(days=1)) == 0
    assert schedule.seconds(spring, spring + timedelta(days=8)) == 0
    assert schedule.seconds(spring, spring + timedelta(days=15)) == 40 * 60
    assert schedule.seconds(autumn, autumn + timedelta(days=1)) == 80 * 60
