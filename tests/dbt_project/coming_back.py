"""Retention, lifecycle and stickiness by the book: one learner and one interval at a time.

Nothing is shared with the macros: times are read on clocks by Python's own zone rules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
WINDOWS = {
    "hour": HOUR,
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}

Interval = date | datetime


@dataclass(frozen=True)
class Event:
    """What a learner did; `at` is UTC without a zone."""

    learner: int
    event_type: str
    at: datetime
    colour: str


Condition = Callable[[Event], bool]


@dataclass(frozen=True)
class Clock:
    """How times become intervals.

    Attributes:
        zone: the reporting zone.
        period: hour, day, week or month.
        week_start: monday or sunday.
        as_of: the UTC instant from which on nothing is known.
    """

    zone: str
    period: str
    week_start: str
    as_of: datetime

    def wall(self, at: datetime) -> datetime:
        """What a clock of the zone shows."""
        return at.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def hour(self, at: datetime) -> datetime:
        """The UTC instant at which the hour began that a clock of the zone shows."""
        wall = self.wall(at)
        return at - timedelta(
            minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond
        )

    def interval(self, at: datetime) -> Interval:
        """The start of the interval of an instant: a day, or the UTC instant of an hour."""
        return self.hour(at) if self.period == "hour" else self.around(self.wall(at).date())

    def around(self, day: date) -> date:
        """The start of the interval of a day."""
        if self.period == "week":
            back = day.weekday() if self.week_start == "monday" else day.isoweekday() % 7
            return day - timedelta(days=back)
        return day.replace(day=1) if self.period == "month" else day

    def next(self, start: Interval) -> Interval:
        """The start of the next interval."""
        if isinstance(start, datetime):
            return start + HOUR
        longest = {"day": 1, "week": 7, "month": 31}[self.period]
        return self.around(start + timedelta(days=longest))

    def has_elapsed(self, start: Interval) -> bool:
        """Whether everything before the start of an interval has elapsed."""
        if isinstance(start, datetime):
            return start <= self.as_of
        return start <= self.wall(self.as_of).date()

    def begun(self, first: Interval) -> list[Interval]:
        """The intervals from the first one to the last that has begun."""
        last = self.interval(self.as_of - timedelta(seconds=1))
        found = []
        while first <= last:
            found.append(first)
            first = self.next(first)
        return found


@dataclass(frozen=True)
class Member:
    """A learner of a cohort, and in which later intervals there was a return."""

    learner: int
    started: datetime
    returns: frozenset[int]


@dataclass(frozen=True)
class Retention:
    """A definition of retention, over all events."""

    events: Sequence[Event]
    clock: Clock
    starts: Condition
    returns: Condition
    mode: str = "on"
    rolling: bool = False
    first_time: bool = True
    intervals: int | None = None
    brackets: Sequence[tuple[int, int]] = ()
    shown: Callable[[Interval], bool] = field(default=lambda _: True)

    @cached_property
    def cohorts(self) -> Mapping[Interval, list[Member]]:
        """The members of each cohort."""
        found: dict[Interval, list[Member]] = {}
        known = [event for event in self.events if event.at < self.clock.as_of]
        for learner in sorted({event.learner for event in known}):
            own = [event for event in known if event.learner == learner]
            times = [event.at for event in own if self.returns(event)]
            first: dict[Interval, datetime] = {}
            for at in sorted(event.at for event in own if self.starts(event)):
                first.setdefault(self.clock.interval(at), self.clock.hour(at))
            for cohort, started in list(first.items())[: 1 if self.first_time else None]:
                later = {self._interval_of(cohort, started, at) for at in times}
                if self.shown(cohort):
                    member = Member(learner, started, frozenset(k for k in later if k > 0))
                    found.setdefault(cohort, []).append(member)
        return found

    def _interval_of(self, cohort: Interval, started: datetime, at: datetime) -> int:
        if self.rolling:
            return (self.clock.hour(at) - started) // WINDOWS[self.clock.period]
        return bisect_right(self._begun[cohort], self.clock.interval(at)) - 1

    @cached_property
    def _begun(self) -> Mapping[Interval, list[Interval]]:
        """The intervals from that of each cohort on."""
        starts = {self.clock.interval(event.at) for event in self.events}
        return {start: self.clock.begun(start) for start in starts}

    def cells(self) -> Iterable[tuple[Interval, int, list[Member], set[int], bool]]:
        """Cohort, index, members, the learners who returned, and whether it is complete."""
        for cohort, members in self.cohorts.items():
            groups = self._groups(cohort, members)
            for index, (first, last) in groups:
                back = {
                    member.learner
                    for member in members
                    if index == 0 or (max(member.returns, default=0) >= first)
                    if self.mode == "on_or_after"
                    or index == 0
                    or any(first <= k <= last for k in member.returns)
                }
                yield cohort, index, members, back, self._is_complete(cohort, members, last)

    def _groups(
        self, cohort: Interval, members: Sequence[Member]
    ) -> list[tuple[int, tuple[int, int]]]:
        if self.rolling:
            first = min(member.started for member in members)
            last_second = self.clock.as_of - timedelta(seconds=1)
            last = (last_second - first) // WINDOWS[self.clock.period]
        else:
            last = len(self._begun[cohort]) - 1
        groups = [(k, k) for k in range(last + 1)]
        if self.mode == "brackets":
            groups = [(0, 0), *(each for each in self.brackets if each[0] <= last)]
        if self.intervals is not None:
            groups = [each for each in groups if each[0] <= self.intervals]
        return list(enumerate(groups))

    def _is_complete(self, cohort: Interval, members: Sequence[Member], last: int) -> bool:
        if self.rolling:
            latest = max(member.started for member in members)
            ended = latest + (last + 1) * WINDOWS[self.clock.period] <= self.clock.as_of
            return ended and self.clock.has_elapsed(self.clock.next(cohort))
        begun = self._begun[cohort]
        return last + 1 < len(begun) or (
            last + 1 == len(begun) and self.clock.has_elapsed(self.clock.next(begun[-1]))
        )

    def triangle(self) -> list[tuple[Any, ...]]:
        """What retention() gives, sorted."""
        return sorted(
            (cohort, index, len(members), len(back), is_complete)
            for cohort, index, members, back, is_complete in self.cells()
        )

    def overall(self) -> list[tuple[Any, ...]]:
        """What retention_overall() gives, sorted."""
        complete = [cell for cell in self.cells() if cell[4]]
        found = []
        for index in sorted({cell[1] for cell in complete}):
            cells = [cell for cell in complete if cell[1] == index]
            learners = {member.learner for cell in cells for member in cell[2]}
            retained = set().union(*(cell[3] for cell in cells))
            sizes = sum(len(cell[2]) for cell in cells)
            back = sum(len(cell[3]) for cell in cells)
            found.append((index, len(cells), sizes, back, len(learners), len(retained)))
        return found


def active_intervals(
    events: Iterable[Event], clock: Clock, active: Condition
) -> Mapping[int, list[Interval]]:
    """The intervals in which each learner was active, sorted."""
    found: dict[int, set[Interval]] = {}
    for event in events:
        if active(event) and event.at < clock.as_of:
            found.setdefault(event.learner, set()).add(clock.interval(event.at))
    return {learner: sorted(each) for learner, each in found.items()}


def lifecycle(
    events: Sequence[Event],
    clock: Clock,
    active: Condition,
    first_seen: Mapping[int, datetime] | None = None,
) -> list[tuple[Any, ...]]:
    """What lifecycle() gives, sorted."""
    intervals = active_intervals(events, clock, active)
    first = min(each[0] for each in intervals.values())
    rows: list[tuple[Any, ...]] = []
    before: set[int] = set()
    for start in clock.begun(first):
        now = {learner for learner, each in intervals.items() if start in each}
        new = {
            learner
            for learner in now
            if start
            == (clock.interval(first_seen[learner]) if first_seen else intervals[learner][0])
        }
        current = (now & before) - new
        rows.append(
            (
                start,
                len(new),
                len(current),
                len(now - new - current),
                len(before - now),
                len(now),
                clock.has_elapsed(clock.next(start)),
            )
        )
        before = now
    return rows


def counted_per_period(
    events: Sequence[Event], days: Clock, period: Clock, active: Condition
) -> list[tuple[Any, ...]]:
    """What stickiness() gives for a period of the calendar, sorted."""
    per_learner: dict[tuple[Interval, int], set[Interval]] = {}
    for event in events:
        if active(event) and event.at < days.as_of:
            key = (period.interval(event.at), event.learner)
            per_learner.setdefault(key, set()).add(days.interval(event.at))
    rows = []
    starts = period.begun(min(start for start, _ in per_learner))
    for start, end in pairwise([*starts, period.next(starts[-1])]):
        numbers = [len(each) for (begun, _), each in per_learner.items() if begun == start]
        possible = {
            days.around(start + timedelta(days=number)) for number in range((end - start).days)
        }
        rows += _by_number(start, numbers, len(possible), period.has_elapsed(end))
    return rows


def counted_in_range(
    events: Sequence[Event], clock: Clock, active: Condition, first: date, last: date
) -> list[tuple[Any, ...]]:
    """What stickiness() gives for a range of days, sorted."""
    inside = [event for event in events if first <= clock.wall(event.at).date() <= last]
    numbers = [len(each) for each in active_intervals(inside, clock, active).values()]
    possible: set[Interval] = set()
    midnight = datetime.combine(first, datetime.min.time()) - timedelta(days=2)
    for number in range(((last - first).days + 5) * 48):
        at = midnight + number * HOUR / 2
        if first <= clock.wall(at).date() <= last:
            possible.add(clock.interval(at))
    start: Interval = first
    if clock.period == "hour":
        start = min(possible)
    elapsed = clock.wall(clock.as_of).date() > last
    return _by_number(start, numbers, len(possible), elapsed)


def _by_number(
    start: Interval, numbers: Sequence[int], most: int, is_complete: bool
) -> list[tuple[Any, ...]]:
    return [
        (
            start,
            number,
            sum(each == number for each in numbers),
            sum(each >= number for each in numbers),
            is_complete,
        )
        for number in range(1, most + 1)
    ]
