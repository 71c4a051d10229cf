"""Kaplan-Meier tables of durations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.peers.cases import Case, Question, Rows, call

_COLUMNS = {"at_risk": 2, "observed": 3, "censored": 4, "S": 5, "lo95": 6, "hi95": 7}


def kaplan_meier(case: Case) -> Question:
    """The curve at the times of the table, and its median.

    Our durations are whole months. Of others the curve is the same with their ranks instead.
    """
    durations = case.content["durations"]
    ended = case.content["events_observed"]
    times = sorted({*durations, *(line["t"] for line in case.expected.get("table") or [])})
    if all(time == int(time) for time in times):
        units = {time: int(time) for time in times}
    else:
        units = {time: rank for rank, time in enumerate(times)}
    rows = ", ".join(
        f"({units[duration]}, {bool(seen)})"
        for duration, seen in zip(durations, ended, strict=True)
    )
    sql = call(
        "survival",
        relation=f"(values {rows}) as spells (duration, has_ended)",
        segment="'all'",
        duration="duration",
        is_ended="has_ended",
        min_at_risk=1,
    )
    return Question([sql], lambda results: list(_differences(case, results[0], units)))


def _differences(case: Case, rows: Rows, units: Mapping[float, int]) -> Iterator[str]:
    points = {row[1]: row for row in rows}
    curve = {time: points[unit] for time, unit in units.items() if unit in points}
    expected = case.expected
    table: Sequence[dict[str, Any]] = expected.get("table") or []
    if not table:
        yield "the case states no table"
    for line in table:
        row = curve.get(line["t"])
        if row is None:
            yield f"there is no point at {line['t']}"
            continue
        for name, column in _COLUMNS.items():
            if line.get(name) is not None and abs(row[column] - line[name]) > 1e-7:
                yield f"{name} at {line['t']} is {row[column]}, not {line[name]}"
    reached = [time for time, row in sorted(curve.items()) if row[5] <= 0.5]
    totals = {
        "n": sum(row[3] + row[4] for row in curve.values()),
        "events": sum(row[3] for row in curve.values()),
        "median": reached[0] if reached else None,
    }
    for name, value in totals.items():
        never = value is None and expected.get(name) in (None, "inf", float("inf"))
        if name in expected and value != expected[name] and not never:
            yield f"{name} is {value}, not {expected[name]}"
