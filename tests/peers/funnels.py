"""Questions about getting on: funnels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import mean
from typing import Any, Final

from tests.peers.activity import refuse_unknown
from tests.peers.cases import Case, Question, Rows, UnsupportedError, jinja, literal
from tests.peers.filters import conditions, event_condition
from tests.peers.ranges import Calendar

_ORDERS: Final = ("ordered", "strict", "unordered")
_RANGE: Final = ("date_from", "date_to")
_SECONDS: Final[Mapping[str, int]] = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 7 * 86_400,
    "month": 30 * 86_400,
}
_KNOWN: Final = (
    "order",
    "steps",
    "window_seconds",
    "window",
    "window_interval",
    "window_unit",
    "date_from",
    "date_to",
    "timezone",
    "week_start",
    "properties",
    "exclusions",
    "unit",
    "hold_constant",
    "cohorts",
)
_FOREVER: Final = "timestamp '9000-01-01'"  # nobody is pending: everything has happened


def funnel(case: Case) -> Question:
    """Who reached which step, and how long it took.

    The peer counts steps from 0, except where it lists persons, and writes the time of a conversion
    to the step that it leads to.
    """
    query = case.query
    refuse_unknown(query, _KNOWN)
    order = str(query.get("order") or "ordered")
    if order not in _ORDERS:
        raise UnsupportedError(f"the order is {order}")
    steps = [
        [f"step {number}", event_condition(case, step)]
        for number, step in enumerate(query["steps"], 1)
    ]
    arguments: dict[str, Any] = {
        "relation": _filtered(case, query.get("unit") or "person"),
        "steps": steps,
        "window_seconds": _window(query),
        "order": order,
        "exclusions": [
            [
                event_condition(case, exclusion),
                int(exclusion.get("from_step", 0)) + 1,
                int(exclusion.get("to_step", len(steps) - 1)) + 1,
            ]
            for exclusion in query.get("exclusions") or []
        ],
        "hold_constant": _held(query.get("hold_constant")),
        "as_of_at": _FOREVER,
        **_range(query, order, steps),
    }
    given = ", ".join(f"{name}={jinja(value)}" for name, value in arguments.items())
    return Question(
        [f"{{{{ funnel({given}) }}}}", f"{{{{ funnel_attempts({given}) }}}}"],
        lambda results: list(_differences(case, *results)),
    )


def _filtered(case: Case, unit: str) -> str:
    """The events that the query's filters leave: no others lie between the steps, either."""
    kept = " and ".join(conditions(case, case.query.get("properties"))) or "true"
    return f"(select * from {case.relation(unit)} where {kept}) as kept"


def _held(names: Any) -> str | None:
    if not names:
        return None
    listed = [names] if isinstance(names, str) else list(names)
    return " || '|' || ".join(f"properties[{literal(name)}]" for name in listed)


def _differences(case: Case, totals: Rows, attempts: Rows) -> Iterator[str]:
    expected = case.expected
    learners = {row[0]: row[2] for row in totals}
    medians = {row[0] + 1: row[5] for row in totals}
    wanted = expected.get("steps") or {}
    if isinstance(wanted, list):
        wanted = dict(enumerate(wanted))
    if not wanted and not expected.get("actors_reaching_step"):
        yield "the case states neither steps nor persons"
    for index, step in wanted.items():
        number = int(index) + 1
        seconds = [
            row[number + 2] - row[number + 1] for row in attempts if number > 1 and row[1] >= number
        ]
        built = {
            "count": learners[number],
            "average_conversion_time": mean(seconds) if seconds else None,
            "median_conversion_time": medians.get(number),
        }
        for name, value in built.items():
            if name in step and not _same(value, step[name]):
                yield f"step {number}'s {name} is {value}, not {step[name]}"
    if expected.get("n") not in (None, len(totals)):
        yield f"there are {len(totals)} steps, not {expected['n']}"
    for index, persons in (expected.get("actors_reaching_step") or {}).items():
        number = int(index)  # -3: who reached the second step and not the third
        reached = sorted(
            str(row[0])
            for row in attempts
            if (row[1] >= number if number > 0 else row[1] == -number - 1)
        )
        if reached != sorted(persons):
            yield f"step {index} is reached by {reached}, not {sorted(persons)}"


def _same(value: float | None, wanted: float | None) -> bool:
    if value is None or wanted is None:
        return value is wanted
    return abs(value - wanted) < 1e-6 * max(1.0, abs(wanted))


def _window(query: Mapping[str, Any]) -> int:
    """The conversion window in seconds, given as such or as a number of units."""
    seconds = query.get("window_seconds")
    if seconds is not None:
        return int(seconds)
    window = query.get("window")
    if isinstance(window, Mapping):
        number, unit = window.get("value") or window.get("interval"), window.get("unit")
    else:
        number, unit = query.get("window_interval") or window, query.get("window_unit")
    name = str(unit or "day").lower().rstrip("s")
    if number is None or name not in _SECONDS:
        raise UnsupportedError(f"the window is {window or number} {unit}")
    return int(number) * _SECONDS[name]


def _range(
    query: Mapping[str, Any], order: str, steps: Sequence[list[str]]
) -> Mapping[str, str | None]:
    """The range that step 1 must lie in: days of the zone, else a part of step 1's condition."""
    zone = str(query.get("timezone") or "UTC")
    calendar = Calendar("day", zone, "monday")
    begin, end = (calendar.wall(query[name]) if query.get(name) else None for name in _RANGE)
    if begin is None and end is None:
        return {}
    midnight = begin is None or begin == calendar.floor(begin)
    is_day = len(query.get("date_to") or "") == len("2020-01-01")
    if midnight and (end is None or is_day or _ends_a_day(end)):
        return {
            "from_day": None if begin is None else calendar.argument(begin),
            "to_day": None if end is None else calendar.argument(end),
            "timezone": zone,
        }
    if order == "unordered":
        raise UnsupportedError("a range of instants for steps in any order")
    for moment, comparison in ((begin, ">="), (end, "<=")):
        if moment is not None:
            steps[0][1] += f" and event_at {comparison} timestamp '{calendar.utc(moment)}'"
    return {}


def _ends_a_day(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second) == (23, 59, 59)
