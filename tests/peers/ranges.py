"""Date ranges of cases as intervals of their time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.peers.cases import Case, UnsupportedError, instant

PERIODS: Final = ("hour", "day", "week", "month")


@dataclass(frozen=True)
class Calendar:
    """Intervals of a period in a time zone.

    Attributes:
        period: hour, day, week or month.
        zone: the time zone's name.
        week_start: monday or sunday.
    """

    period: str
    zone: str
    week_start: str

    @classmethod
    def of(cls, query: Mapping[str, Any], period: Any) -> Calendar:
        """The calendar of a question; weeks that nothing is said about start on Sunday there."""
        name = str(period or "day").lower()
        if name not in PERIODS:
            raise UnsupportedError(f"the period is {period}")
        week_start = str(query.get("week_start") or "sunday").lower()
        if week_start not in ("monday", "sunday"):
            raise UnsupportedError(f"weeks start on {week_start}")
        return cls(name, query.get("timezone") or "UTC", week_start)

    def wall(self, text: str) -> datetime:
        """The time on the clock of the zone; a bare date is that day there."""
        if len(text) == len("2020-01-01"):
            return datetime.fromisoformat(text)
        return self.local(instant(text))

    def local(self, moment: datetime) -> datetime:
        """A UTC timestamp as the time on the clock of the zone."""
        return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def utc(self, wall: datetime) -> datetime:
        """The other way round."""
        return wall.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC).replace(tzinfo=None)

    def floor(self, wall: datetime) -> datetime:
        """The start of the interval that a time on the clock lies in."""
        wall = wall.replace(minute=0, second=0, microsecond=0)
        if self.period == "hour":
            return wall
        wall = wall.replace(hour=0)
        if self.period == "week":
            back = wall.weekday() if self.week_start == "monday" else wall.isoweekday() % 7
            return wall - timedelta(days=back)
        return wall.replace(day=1) if self.period == "month" else wall

    def step(self, start: datetime, count: int) -> datetime:
        """The start of the interval that lies `count` after that of `start`."""
        if self.period == "hour":
            return self.local(self.utc(start) + timedelta(hours=count))
        if self.period == "month":
            months = start.year * 12 + start.month - 1 + count
            return start.replace(year=months // 12, month=months % 12 + 1)
        return start + timedelta(days=count * (7 if self.period == "week" else 1))

    def starts(self, first: datetime, last: datetime) -> list[datetime]:
        """All starts of intervals from `first` to `last`, both included."""
        found = [first]
        while found[-1] < last:
            found.append(self.step(found[-1], 1))
        return found

    def argument(self, start: datetime) -> str:
        """A start of an interval as the macros take it: a day, or the UTC instant of an hour."""
        return str(self.utc(start)) if self.period == "hour" else f"{start:%Y-%m-%d}"

    def of_row(self, value: Any) -> datetime:
        """A start of an interval as the macros give it: a date, or the UTC instant of an hour."""
        if isinstance(value, datetime):
            return self.local(value)
        return datetime(value.year, value.month, value.day)


def stated_starts(calendar: Calendar, expected: Mapping[str, Any]) -> list[datetime]:
    """The starts of intervals that a case states itself."""
    stated = expected.get("interval_starts") or expected.get("first_interval_start") or []
    return [calendar.wall(each) for each in ([stated] if isinstance(stated, str) else stated)]


def moment_of(calendar: Calendar, case: Case, name: str, *, on_clock: bool = False) -> datetime:
    """`date_from` or `date_to` on the clock of the zone; days before now, as `-7d`, too.

    Args:
        calendar: whose zone.
        case: the case.
        name: of the query's parameter.
        on_clock: read a UTC time as one on the clock of the zone. The peer means that by a time
            without a zone, which an export may have called UTC.
    """
    query = case.query
    text = query.get(name)
    if text is None:
        text = query.get("now")
    if text is None:
        raise UnsupportedError(f"the case has no {name}")
    if text == "all":
        return calendar.local(min(instant(event["timestamp"]) for event in case.events))
    if not text.startswith("-"):
        return datetime.fromisoformat(text[:19]) if on_clock else calendar.wall(text)
    count, unit = int(text[1:-1]), text[-1]
    days = {"d": 1, "w": 7}.get(unit)
    if days is None or not query.get("now"):
        raise UnsupportedError(f"{name} is {text}")
    day = calendar.wall(query["now"]) - timedelta(days=days * count)
    return day.replace(hour=0, minute=0, second=0, microsecond=0)
