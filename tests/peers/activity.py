"""Questions about coming back: retention, lifecycle, stickiness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tests.peers.cases import Case, Question, Rows, UnsupportedError, call
from tests.peers.filters import event_condition
from tests.peers.ranges import Calendar, moment_of, stated_starts

_NOTES: Final = ("now", "meaning", "statuses", "label", "name", "description")

_STATUSES: Final[Mapping[str, tuple[str, int]]] = {
    "new": ("new", 1),
    "returning": ("current", 1),
    "current": ("current", 1),
    "resurrecting": ("resurrected", 1),
    "resurrected": ("resurrected", 1),
    "dormant": ("dormant", -1),
}
_COHORTS: Final[Mapping[str, str]] = {
    "recurring": "recurring",
    "retention_recurring": "recurring",
    "first_time": "first_time",
    "retention_first_time": "first_time",
    "first_ever": "first_time",
    "first_ever_occurrence": "first_time",
    "retention_first_ever_occurrence": "first_time",
}
_RETENTION: Final = (
    "period",
    "total_intervals",
    "date_to",
    "timezone",
    "week_start",
    "retention_type",
    "target",
    "returning",
    "properties",
    "unit",
    "cohorts",
    "cumulative",
    "time_window_mode",
    "brackets",
    "mode",
)
_ACTIVE: Final = (
    "interval",
    "date_from",
    "date_to",
    "timezone",
    "week_start",
    "entity",
    "properties",
    "unit",
    "cohorts",
    "cumulative",
)


def refuse_unknown(query: Mapping[str, Any], known: Iterable[str]) -> None:
    """A parameter that nobody here reads could change every number.

    Raises:
        UnsupportedError: naming the parameter.
    """
    for name, value in query.items():
        if name in known or name in _NOTES or name.endswith("_note"):
            continue
        if not value or value == "none" or (name == "sampling_factor" and value == 1):
            continue
        raise UnsupportedError(f"the query's {name} is {value}")


# -- retention ------------------------------------------------------------------------------------


def retention(case: Case) -> Question:
    """Triangles of retention. The peer gives rows of every interval, also those nobody started
    in, and pads triangles to squares.
    """
    query, expected = case.query, case.expected
    refuse_unknown(query, _RETENTION)
    calendar = Calendar.of(query, query.get("period"))
    kind = str(query.get("retention_type") or "recurring")
    if kind not in _COHORTS:
        raise UnsupportedError(f"the retention type is {kind}")
    count = int(query.get("total_intervals") or expected.get("n") or 11)
    starts = _starts(calendar, case, expected, count)
    rolling = "24" in str(query.get("time_window_mode") or "")
    mode = query.get("mode") or ("on_or_after" if query.get("cumulative") else "on")
    if query.get("brackets"):
        raise UnsupportedError("the peer's brackets")
    target = query.get("target")
    start = event_condition(case, target)
    if "first_ever" in kind:  # nobody starts whose first such event the filters do not fit
        start += " and occurrence = 1"
    sql = call(
        "retention",
        relation=case.relation(query.get("unit") or "person"),
        start_event=start,
        return_event=event_condition(case, query.get("returning") or target),
        period=calendar.period,
        mode=mode,
        clock="rolling" if rolling else "calendar",
        cohorts=_COHORTS[kind],
        intervals=count - 1,
        from_day=calendar.argument(starts[0]),
        to_day=calendar.argument(starts[-1]),
        as_of=calendar.argument(calendar.step(starts[-1], 1)),
        timezone=calendar.zone,
        week_start=calendar.week_start,
    )

    def differences(results: Sequence[Rows]) -> list[str]:
        retained = {
            (calendar.of_row(cohort), index): number for cohort, index, _, number, _ in results[0]
        }
        built = [
            [retained.get((start, index), 0) for index in range(count - number)]
            for number, start in enumerate(starts)
        ]
        stated = stated_starts(calendar, expected)
        found = []
        if stated != starts[: len(stated)]:
            found.append(f"intervals start {starts[: len(stated)]}, not {stated}")
        return found + _triangles_differ(built, expected.get("counts_by_cohort"))

    return Question([sql], differences)


def _starts(
    calendar: Calendar, case: Case, expected: Mapping[str, Any], count: int
) -> list[datetime]:
    """The intervals: the last one is that of `date_to`. The starts that the case states tell which
    reading of it was meant.
    """
    ranges = []
    for on_clock in (False, True):
        last = calendar.floor(moment_of(calendar, case, "date_to", on_clock=on_clock))
        first = calendar.step(last, 1 - count)
        ranges.append([calendar.step(first, number) for number in range(count)])
    stated = stated_starts(calendar, expected)
    fitting = [starts for starts in ranges if starts[: len(stated)] == stated]
    return (fitting or ranges)[0]


def _triangles_differ(built: Sequence[Sequence[int]], expected: Any) -> list[str]:
    if not expected:
        return ["the case states no counts_by_cohort"]
    if len(built) != len(expected):
        return [f"{len(built)} rows, not {len(expected)}"]
    found = []
    for number, (row, wanted) in enumerate(zip(built, expected, strict=True)):
        padded = [*row, *[0] * (len(wanted) - len(row))]
        if padded[: len(wanted)] != list(wanted):
            found.append(f"row {number} is {padded}, not {wanted}")
    return found


# -- lifecycle and stickiness ---------------------------------------------------------------------


def lifecycle(case: Case) -> Question:
    """Counts by status, with the peer's names; its dormant is negative, and somebody is new in the
    interval that the person was created in.
    """
    query = case.query
    refuse_unknown(query, _ACTIVE)
    calendar = Calendar.of(query, query.get("interval"))
    starts = _lifecycle_starts(calendar, case)
    first, last = starts[0], starts[-1]
    has_creation = all(person.get("created_at") for person in case.persons) and case.persons
    sql = call(
        "lifecycle",
        relation=case.relation(query.get("unit") or "person"),
        active_event=event_condition(case, query.get("entity")),
        period=calendar.period,
        first_seen="person_created_at" if has_creation else None,
        from_day=calendar.argument(first),
        to_day=calendar.argument(last),
        as_of=calendar.argument(calendar.step(last, 1)),
        timezone=calendar.zone,
        week_start=calendar.week_start,
    )

    def differences(results: Sequence[Rows]) -> list[str]:
        names = ("new", "current", "resurrected", "dormant")
        built = {
            calendar.of_row(start): dict(zip(names, counts, strict=True))
            for start, *counts in (row[:5] for row in results[0])
        }
        expected = case.expected.get("by_status") or {}
        found = [] if expected else ["the case states no by_status"]
        for status, wanted in expected.items():
            name, sign = _STATUSES[status]
            counts = [sign * built.get(start, {}).get(name, 0) for start in starts]
            if counts != list(wanted):
                found.append(f"{status} is {counts}, not {wanted}")
        return found

    return Question([sql], differences)


def _lifecycle_starts(calendar: Calendar, case: Case) -> list[datetime]:
    """The intervals from that of `date_from` to that of `date_to`, read so that there are as many
    as the case has numbers.
    """
    ranges = []
    for on_clock in (False, True):
        first, last = (
            calendar.floor(moment_of(calendar, case, name, on_clock=on_clock))
            for name in ("date_from", "date_to")
        )
        ranges.append(calendar.starts(first, last))
    counts = {len(numbers) for numbers in (case.expected.get("by_status") or {}).values()}
    fitting = [starts for starts in ranges if counts == {len(starts)}]
    return (fitting or ranges)[0]


def stickiness(case: Case) -> Question:
    """People by number of active intervals. The range begins with its first interval, and ends with
    its last day.
    """
    query, expected = case.query, case.expected
    refuse_unknown(query, _ACTIVE)
    calendar = Calendar.of(query, query.get("interval"))
    first = calendar.floor(moment_of(calendar, case, "date_from"))
    end = moment_of(calendar, case, "date_to")
    sql = call(
        "stickiness",
        relation=case.relation(query.get("unit") or "person"),
        active_event=event_condition(case, query.get("entity")),
        interval=calendar.period,
        period="range",
        from_day=calendar.argument(first),
        to_day=calendar.argument(end),
        as_of=calendar.argument(calendar.step(calendar.floor(end), 1)),
        timezone=calendar.zone,
        week_start=calendar.week_start,
    )
    column = 3 if query.get("cumulative") else 2

    def differences(results: Sequence[Rows]) -> list[str]:
        built = {row[1]: row[column] for row in results[0]}
        wanted = {
            int(number): people
            for number, people in expected.get("people_by_number_of_active_intervals", {}).items()
        }
        counts = {number: built.get(number, 0) for number in wanted}
        found = [] if counts == wanted else [f"people by intervals are {counts}, not {wanted}"]
        total = expected.get("total_people")
        everybody = sum(row[2] for row in results[0])
        if total not in (None, everybody):
            found.append(f"{everybody} people, not {total}")
        if not wanted and total is None:
            found.append("the case states no numbers of people")
        return found

    return Question([sql], differences)
