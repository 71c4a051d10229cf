"""Times and dates of exports in SQL. All results are UTC timestamps, or null for what is none."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.loading.sql import literal

# A time outside of these is a broken clock, and would break calendars and the as-of.
EARLIEST = "1970-01-01"
LATEST = "2200-01-01"

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(:\d{2}([.]\d+)?)?"
_ZONE = r"(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)"


def plausible(time: str) -> str:
    """The time if a clock that works can have written it, else null."""
    return f"case when {time} >= '{EARLIEST}' and {time} < '{LATEST}' then {time} end"


def iso_time(text: str, timezone: str = "UTC") -> str:
    """A time as ISO 8601 writes it; one without a zone is of `timezone`. A date is its midnight."""
    zoned = f"regexp_full_match({text}, '{_DATE}[T ]{_TIME} ?{_ZONE}')"
    naive = f"regexp_full_match({text}, '{_DATE}([T ]{_TIME})?')"
    return plausible_utc(
        f"case when {zoned} then try_cast({text} as timestamptz) "
        f"when {naive} then {_in_zone(f'try_cast({text} as timestamp)', timezone)} end"
    )


def time_in_formats(text: str, formats: Sequence[str], timezone: str) -> str:
    """A time in the first of the formats (strptime) that fits; without formats, in ISO 8601."""
    if not formats:
        return iso_time(text, timezone)
    parsed = []
    for text_format in formats:
        time = f"try_strptime({text}, {literal(text_format)})"
        has_zone = "%z" in text_format or "%Z" in text_format
        parsed.append(time if has_zone else _in_zone(time, timezone))
    return plausible_utc(f"coalesce({', '.join(parsed)}, null)")


def date_in_formats(text: str, formats: Sequence[str]) -> str:
    """A date in the first of the formats that fits, as it is written: no zone moves it."""
    if not formats:
        written = f"regexp_full_match({text}, '{_DATE}([T ]{_TIME} ?{_ZONE}?)?')"
        return f"case when {written} then try_cast(left({text}, 10) as date) end"
    # A format with a zone gives an instant; without its zone it is the date that was written.
    parsed = [
        f"try_strptime({text}, {literal(text_format)})"
        + (" at time zone 'UTC'" if "%z" in text_format or "%Z" in text_format else "")
        for text_format in formats
    ]
    date = f"coalesce({', '.join(parsed)}, null)::date"
    # `infinity` and `epoch` are dates to the parser, and no answers.
    return f"case when regexp_matches({text}, '[0-9]') and isfinite({date}) then {date} end"


def plausible_utc(instant: str) -> str:
    """An instant as UTC timestamp, if it is plausible."""
    return plausible(f"(({instant}) at time zone 'UTC')")


def _in_zone(time: str, timezone: str) -> str:
    return f"timezone({literal(timezone)}, {time})"
