"""Times of the simulated period: milliseconds since 1970, and days in the reporting zone."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

# The demo school lives here; the truth counts days and weeks in this zone, weeks from Monday.
REPORTING_ZONE = ZoneInfo("Europe/Paris")

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Period:
    """The simulated period, by days of the reporting zone.

    Attributes:
        first: its first day.
        last: its last day, in which the newest export falls.
    """

    first: date
    last: date

    @classmethod
    def of_months(cls, months: int, last: date) -> Period:
        """The full calendar months up to and with `last`."""
        return cls(add_months(last + timedelta(days=1), -months), last)

    @cached_property
    def days(self) -> range:
        """Its days, counted since 1970-01-01."""
        return range(day_number(self.first), day_number(self.last) + 1)

    @property
    def as_of(self) -> date:
        """The day that everything is judged as of: the one after the newest export."""
        return self.last + timedelta(days=1)

    @cached_property
    def starts_at(self) -> int:
        """Its first instant, milliseconds since 1970."""
        return local_ms(self.days.start)

    @cached_property
    def ends_at(self) -> int:
        """A few minutes before its end: nothing is exported later. Milliseconds since 1970."""
        return local_ms(self.days.stop) - 5 * MINUTE


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def calendar_day(number: int) -> date:
    """The date that lies this many days after 1970-01-01."""
    return _EPOCH + timedelta(days=number)


def add_months(day: date, months: int) -> date:
    """The same day of another month, or that month's last day where it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def local_ms(day: int, second: int = 0) -> int:
    """Milliseconds since 1970 of a wall-clock time (seconds after midnight) in the zone."""
    # The clocks change at night, before 4 o'clock: count from midnight until then, else from noon.
    if second < 4 * 3600:
        return _instant(day, 0) + second * SECOND
    return _instant(day, 12) + (second - 12 * 3600) * SECOND


@cache
def _instant(day: int, hour: int) -> int:
    return int(datetime.combine(calendar_day(day), time(hour), REPORTING_ZONE).timestamp()) * SECOND


def local_day(ms: int) -> int:
    """The day in the reporting zone, counted since 1970-01-01."""
    return (ms + _offset(ms // HOUR)) // DAY


@cache
def _offset(hour: int) -> int:
    """What the zone's clocks are ahead of UTC in an hour of UTC, milliseconds."""
    offset = datetime.fromtimestamp(hour * 3600, REPORTING_ZONE).utcoffset() or timedelta()
    return int(offset.total_seconds()) * SECOND


@cache
def _date_text(day: int) -> str:
    return calendar_day(day).isoformat()


@cache
def _clock_text(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def stamp(ms: int) -> str:
    """UTC as Amplitude writes it: `2025-01-31 13:05:09.250000`."""
    day, rest = divmod(ms, DAY)
    second, milli = divmod(rest, SECOND)
    return f"{_date_text(day)} {_clock_text(second)}.{milli:03}000"


def iso(ms: int) -> str:
    """UTC as Zendesk writes it: `2025-01-31T13:05:09Z`."""
    day, rest = divmod(ms, DAY)
    return f"{_date_text(day)}T{_clock_text(rest // SECOND)}Z"


def utc(ms: int) -> datetime:
    """An aware datetime, in UTC."""
    return datetime.fromtimestamp(ms / SECOND, UTC)


def local(ms: int) -> datetime:
    """An aware datetime, in the reporting zone."""
    return datetime.fromtimestamp(ms / SECOND, REPORTING_ZONE)
