"""What the help desk promises: business hours, holidays, policies, and the clocks of each ticket.

Clocks follow from a ticket's history alone, so nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from orchestration.demo.clock import (
    DAY,
    HOUR,
    SECOND,
    Period,
    calendar_day,
    iso,
    local_day,
    local_ms,
)

HOST: Final = "https://demo-school.zendesk.com/api/v2"
OFFICE: Final = 360_100
PHONE: Final = 360_101
PAYING: Final = 900_001
EVERYBODY: Final = 900_002
_TITLES: Final = {PAYING: "Paying customers first", EVERYBODY: "Everybody"}
# Hours until the first reply, the next ones and the solution, by policy and priority. The first
# reply is promised in business hours.
_PROMISES: Final = {
    PAYING: {"urgent": (2, 8, 48), "high": (3, 8, 72), "normal": (4, 12, 96), "low": (6, 24, 168)},
    EVERYBODY: {
        "urgent": (4, 12, 72),
        "high": (9, 24, 96),
        "normal": (12, 36, 144),
        "low": (18, 48, 240),
    },
}
_METRICS: Final = ("first_reply_time", "next_reply_time", "total_resolution_time")
# Month and day; the school is in France.
_HOLIDAYS: Final = {
    (1, 1): "New Year",
    (5, 1): "Labour Day",
    (5, 8): "Victory Day",
    (7, 14): "National Day",
    (8, 15): "Assumption",
    (11, 1): "All Saints",
    (11, 11): "Armistice",
    (12, 25): "Christmas",
}
JsonObject = dict[str, object]


@dataclass(frozen=True)
class Update:
    """What a clock sees of an update of a ticket.

    Attributes:
        at: milliseconds since 1970.
        status: the status from then on.
        is_reply: an agent answers in public.
        is_question: the requester writes.
    """

    at: int
    status: str
    is_reply: bool
    is_question: bool


# Opening hours of a day in seconds after midnight; null on a day that is closed.
Hours = Callable[[int], tuple[int, int] | None]


@dataclass(frozen=True)
class ServiceLevels:
    """The calendar that all promises are kept by."""

    period: Period

    @cached_property
    def _changed_on(self) -> int:
        """The day in the middle of the period from which the office closes half an hour later."""
        return self.period.days[len(self.period.days) // 2]

    @cached_property
    def _holidays(self) -> dict[int, str]:
        days = ((day, calendar_day(day)) for day in self.period.days)
        return {
            day: _HOLIDAYS[date.month, date.day]
            for day, date in days
            if (date.month, date.day) in _HOLIDAYS
        }

    def office_hours(self, day: int) -> tuple[int, int] | None:
        """Mondays to Fridays from 9:00 to 18:00, later 18:30, but for holidays."""
        if calendar_day(day).isoweekday() > 5 or day in self._holidays:
            return None
        return 9 * 3600, 18 * 3600 + (1800 if day >= self._changed_on else 0)

    @staticmethod
    def phone_hours(day: int) -> tuple[int, int] | None:
        """Mondays to Saturdays from 8:00 to 20:00."""
        return None if calendar_day(day).isoweekday() > 6 else (8 * 3600, 20 * 3600)

    # -- what the API lists --------------------------------------------------------------------

    def schedules(self, is_changed: bool) -> JsonObject:
        """All schedules, before or after the change of the office's hours."""
        started = local_ms(self.period.days.start) - 400 * DAY
        changed = local_ms(self._changed_on) if is_changed else started
        minutes = 18 * 60 + (30 if is_changed else 0)
        office = [(1440 * day + 9 * 60, 1440 * day + minutes) for day in range(1, 6)]
        phone = [(1440 * day + 8 * 60, 1440 * day + 20 * 60) for day in range(1, 7)]
        return {
            "schedules": [
                {
                    "id": number,
                    "name": name,
                    "time_zone": "Paris",
                    "intervals": [
                        {"start_time": start, "end_time": end} for start, end in intervals
                    ],
                    "created_at": iso(started + later),
                    "updated_at": iso(updated),
                }
                for number, name, intervals, later, updated in (
                    (OFFICE, "Office", office, 0, changed),
                    (PHONE, "Phone", phone, DAY, started + DAY),
                )
            ],
            "url": f"{HOST}/business_hours/schedules.json",
        }

    def holidays(self) -> JsonObject:
        """The office's holidays; only the page's address says whose they are."""
        return {
            "holidays": [
                {
                    "id": 4_000 + number,
                    "name": name,
                    "start_date": calendar_day(day).isoformat(),
                    "end_date": calendar_day(day).isoformat(),
                }
                for number, (day, name) in enumerate(self._holidays.items())
            ],
            "url": f"{HOST}/business_hours/schedules/{OFFICE}/holidays.json",
        }

    def policies(self) -> JsonObject:
        """Both policies with their targets."""
        at = iso(local_ms(self.period.days.start) - 100 * DAY)
        found = [
            {
                "url": f"{HOST}/slas/policies/{policy}.json",
                "id": policy,
                "title": _TITLES[policy],
                "description": "",
                "position": position,
                "filter": {"all": [], "any": []},
                "policy_metrics": [
                    {
                        "priority": priority,
                        "metric": metric,
                        "target": hours * 60,
                        "target_in_seconds": hours * 3600,
                        "business_hours": metric == "first_reply_time",
                    }
                    for priority, promised in _PROMISES[policy].items()
                    for metric, hours in zip(_METRICS, promised, strict=True)
                ],
                "created_at": at,
                "updated_at": at,
            }
            for position, policy in enumerate(_TITLES, start=1)
        ]
        return {
            "sla_policies": found,
            "next_page": None,
            "previous_page": None,
            "count": len(found),
        }

    # -- the clocks of a ticket ----------------------------------------------------------------

    def clocks(
        self, policy: int, priority: str, by_phone: bool, updates: Sequence[Update]
    ) -> Iterator[tuple[str, int, list[tuple[int, str]]]]:
        """Each clock of a ticket: metric, instance, and its events as (time, type) in order."""
        first, following, solution = (hours * HOUR for hours in _PROMISES[policy][priority])
        created = updates[0].at
        hours: Hours = self.phone_hours if by_phone else self.office_hours
        since: int | None = created
        due = self._business_deadline(created, first, hours)
        instance = 0
        for update in updates[1:]:
            if since is not None and update.is_reply:
                instance += 1
                yield "reply_time", instance, self._events(since, due, update.at)
                since = None
            elif since is None and update.is_question:
                since, due = update.at, update.at + following
        if since is not None:
            yield "reply_time", instance + 1, self._events(since, due, None)
        solved: int | None = None
        events = self._events(created, created + solution, None)
        for before, update in pairwise(updates):
            if update.status == "solved" and before.status != "solved":
                if solved is None:
                    events = self._events(created, created + solution, update.at)
                else:
                    events.append((update.at, "fulfill"))
                solved = update.at
            elif update.status == "open" and before.status == "solved":
                events.append((update.at, "activate"))
        yield "resolution_time", 1, events

    def _events(self, since: int, due: int, done: int | None) -> list[tuple[int, str]]:
        events = [(since, "activate"), (since, "apply_sla")]
        if due < min(done or due + 1, self.period.ends_at):
            events.append((due, "breach"))
        if done is not None:
            events.append((done, "fulfill"))
        return events

    def _business_deadline(self, since: int, length: int, hours: Hours) -> int:
        """When more business time begins to pass than that; milliseconds. What is due at closing
        time is late only when the next day opens.
        """
        day = local_day(since)
        while True:
            opening = hours(day)
            if opening is not None:
                opens = max(since, local_ms(day, opening[0]))
                closes = local_ms(day, opening[1])
                if closes - opens > length:
                    return opens + length
                length -= max(closes - opens, 0)
            day += 1


def results(clocks: Iterable[tuple[str, int, list[tuple[int, str]]]]) -> Iterator[tuple[str, str]]:
    """Target and result of each clock at the end: met, breached or running."""
    for metric, instance, events in clocks:
        target = "resolution"
        if metric == "reply_time":
            target = "first_reply" if instance == 1 else "next_reply"
        kinds = [kind for _, kind in events]
        result = "met" if kinds[-1] == "fulfill" else "running"
        yield target, "breached" if "breach" in kinds else result


def metric_event(
    number: int, ticket_id: int, metric: str, instance: int, at: int, kind: str, policy: int,
    target: int,
) -> JsonObject:  # fmt: skip
    """An event of a clock as the incremental export writes it; `target` in seconds."""
    event: JsonObject = {
        "id": number,
        "ticket_id": ticket_id,
        "metric": metric,
        "instance_id": instance,
        "type": kind,
        "time": iso(at),
    }
    if kind == "apply_sla":
        event["sla"] = {
            "target": target // 60,
            "target_in_seconds": target,
            "business_hours": metric == "reply_time" and instance == 1,
            "policy": {"id": policy, "title": _TITLES[policy], "description": ""},
        }
    elif kind == "breach":
        event["deleted"] = False
    return event


def target_seconds(policy: int, priority: str, metric: str, instance: int) -> int:
    """What a policy promises for a clock, in seconds."""
    place = 2 if metric == "resolution_time" else min(instance, 2) - 1
    return _PROMISES[policy][priority][place] * (HOUR // SECOND)
