"""The harness itself, on cases made up here whose numbers are counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.dbt_project.harness import School
from tests.peers.cases import Case
from tests.peers.verdicts import Verdict, judge, report, too_many_unsupported

PERSONS: Final = [
    {"id": "ann", "distinct_ids": ["a", "a-phone"], "properties": {"plan": "free", "age": 30}},
    {"id": "ben", "distinct_ids": ["b"], "properties": {"plan": "paid", "email": "Ben@x.org"}},
    {"id": "cem", "distinct_ids": ["c"], "properties": {}},
]
# Ann comes on days 1, 2 and 4 (the last time from her phone), Ben on 1 and 2, Cem on 2.
EVENTS: Final = [
    {"distinct_id": who, "event": what, "timestamp": f"2024-03-{day}", "properties": {"n": number}}
    for who, what, day, number in [
        ("a", "seen", "01T05:00:00Z", 1),
        ("a", "seen", "02T05:00:00Z", 2),
        ("a-phone", "seen", "04T05:00:00Z", 1),
        ("b", "seen", "01T23:30:00Z", 1),
        ("b", "done", "02T12:00:00Z", True),
        ("c", "seen", "02T12:00:00Z", "x"),
    ]
]
QUERY: Final = {
    "period": "Day",
    "total_intervals": 3,
    "date_to": "2024-03-03T10:00:00Z",
    "timezone": "UTC",
    "week_start": "Sunday",
    "retention_type": "recurring",
    "target": {"event": "seen", "properties": []},
    "returning": {"event": None, "properties": []},
    "properties": [],
    "unit": "person",
}
EVERYBODY: Final = [[2, 2, 0], [2, 0], [0]]
COHORTS: Final = [
    {"id": 1, "persons": ["ann", "cem"]},
    {"id": 2, "groups": [{"properties": [{"key": "plan", "op": "exact", "value": "paid"}]}]},
    {"id": 3, "behaviour": "came yesterday"},
]


def on(kind: str, key: str, op: str, value: Any = None) -> list[dict[str, Any]]:
    return [{"on": kind, "key": key, "op": op, "value": value}]


def retention(counts: Any, starts: str | None = None, **query: Any) -> dict[str, Any]:
    return {
        "kind": "retention_matrix",
        "query": QUERY | query,
        "expected": {"counts_by_cohort": counts, "first_interval_start": starts},
    }


SEEN: Final = {"event": "seen", "properties": []}
DONE: Final = {"event": "done", "properties": []}


def funnel(counts: list[int], *steps: dict[str, Any], **query: Any) -> dict[str, Any]:
    return {
        "kind": "funnel",
        "query": {"order": "ordered", "steps": steps, "window_seconds": 10**6, "unit": "person"}
        | query,
        "expected": {"steps": {str(step): {"count": count} for step, count in enumerate(counts)}},
    }


# By name: a case, and the reason why it does not pass, if it must not.
CASES: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "everybody": (retention(EVERYBODY), ""),
    "padded to a square": (retention([[2, 2, 0], [2, 0, 0], [0, 0, 0]]), ""),
    "another number": (retention([[2, 2, 0], [2, 1], [0]]), "row 1 is [2, 0], not [2, 1]"),
    "each id is somebody": (
        retention(
            [[2, 1, 2, 1], [2, 0, 0], [0, 0], [1]],
            total_intervals=4,
            unit="distinct_id",
            date_to="2024-03-04T10:00:00Z",
            returning={"event": "done"},
        ),
        "row 0 is [2, 1, 0, 0]",
    ),
    "first time": (retention([[2, 2, 0], [1, 0], [0]], retention_type="first_time"), ""),
    "returned that day or later": (
        retention(
            [[2, 2, 1, 1], [2, 1, 1], [0, 0], [1]],
            total_intervals=4,
            cumulative=True,
            date_to="2024-03-04T10:00:00Z",
        ),
        "",
    ),
    # Ben's first event lies on 2 March in Paris; a date_to without a zone is meant in Paris.
    "another zone": (
        retention([[1, 1, 0], [3, 0], [0]], "2024-03-01T00:00:00+01:00", timezone="Europe/Paris"),
        "",
    ),
    "by hours": (
        retention([[1, 0], [0]], period="Hour", total_intervals=2, date_to="2024-03-01T06:30:00Z"),
        "",
    ),
    "weeks from Sunday": (
        retention([[3, 1], [1]], period="Week", total_intervals=2),
        "",
    ),
    "months": (retention([[0, 0], [3, 0]], period="Month", total_intervals=2), ""),
    "a person's property": (
        retention([[1, 1, 0], [1, 0], [0]], properties=on("person", "plan", "exact", ["free"])),
        "",
    ),
    "not a property, nor unset": (
        retention([[1, 1, 0], [2, 0], [0]], properties=on("person", "plan", "is_not", "paid")),
        "",
    ),
    "set": (retention([[2, 2, 0], [1, 0], [0]], properties=on("person", "plan", "is_set")), ""),
    "contains": (
        retention([[1, 1, 0], [0, 0], [0]], properties=on("person", "email", "icontains", "BEN@")),
        "",
    ),
    "a number": (
        retention([[1, 1, 0], [1, 0], [0]], properties=on("person", "age", "gte", "29.5")),
        "",
    ),
    "a number as text, of events": (
        retention([[2, 0, 0], [0, 0], [0]], properties=on("event", "n", "exact", 1)),
        "",
    ),
    "a cohort of persons": (
        retention([[1, 1, 0], [2, 0], [0]], properties=on("cohort", "id", "in", 1)),
        "",
    ),
    "a cohort by a property": (
        retention([[1, 1, 0], [0, 0], [0]], properties=on("cohort", "id", "in", 2)),
        "",
    ),
    "out of a cohort": (
        retention([[1, 1, 0], [2, 0], [0]], properties=on("cohort", "id", "not_in", [2])),
        "",
    ),
    "either filter": (
        retention(
            [[1, 1, 0], [1, 0], [0]],
            properties={
                "type": "OR",
                "values": [*on("person", "plan", "exact", "paid"), *on("event", "n", "exact", "x")],
            },
        ),
        "",
    ),
    "a repeated step": (funnel([3, 1], SEEN, SEEN), ""),
    "a repeated step, another number": (
        funnel([3, 2], SEEN, SEEN),
        "step 2's count is 1, not 2",
    ),
    "a repeated step of each id": (funnel([4, 1], SEEN, SEEN, unit="distinct_id"), ""),
    "a window in hours": (
        funnel([3, 1], SEEN, DONE, window_seconds=None, window_interval=13, window_unit="hour"),
        "",
    ),
    "a window too short": (
        funnel([3, 0], SEEN, DONE, window_seconds=None, window_interval=12, window_unit="hours"),
        "",
    ),
    # Ann's pairs are 1 and 1 on days 1 and 4, and 2 alone.
    "a property held constant": (funnel([4, 1], SEEN, SEEN, hold_constant="n"), ""),
    "a range of instants": (
        funnel(
            [1, 0], SEEN, SEEN, date_from="2024-03-01T05:00:01Z", date_to="2024-03-02T04:00:00Z"
        ),
        "",
    ),
    "a range of days in another zone": (
        funnel(
            [3, 1],
            SEEN,
            SEEN,
            date_from="2024-03-02",
            date_to="2024-03-02",
            timezone="Europe/Paris",
        ),
        "",
    ),
    "strict, with nothing between": (funnel([3, 1], SEEN, SEEN, order="strict"), ""),
    "strict, between the events that a filter leaves": (
        funnel([2, 1], SEEN, SEEN, order="strict", properties=on("event", "n", "exact", 1)),
        "",
    ),
    "unordered": (funnel([3, 1], DONE, SEEN, order="unordered"), ""),
    "excluded, though the next step is never reached": (
        funnel([2, 1], SEEN, SEEN, exclusions=[DONE | {"from_step": 0, "to_step": 1}]),
        "",
    ),
}
UNSUPPORTED: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "a cohort by behaviour": (
        retention(EVERYBODY, properties=on("cohort", "id", "in", 3)),
        "a cohort is defined by neither persons nor their properties",
    ),
    "on elements": (
        retention(EVERYBODY, properties=on("element", "tag", "exact", "a")),
        "a filter is on element",
    ),
    "a breakdown": (retention(EVERYBODY, breakdown="country"), "the query's breakdown is country"),
    "another order": (funnel([3], SEEN, SEEN, order="any"), "the order is any"),
    "another chart": ({"kind": "heatmap", "query": {}, "expected": {}}, "kind heatmap"),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Verdict]:
    folder: Path = tmp_path_factory.mktemp("translation")
    cases = [
        Case(
            name,
            given["kind"],
            given["query"],
            given["expected"],
            {"persons": PERSONS, "events": EVENTS, "cohorts": COHORTS},
        )
        for name, (given, _) in {**CASES, **UNSUPPORTED}.items()
    ]
    broken = Case("broken", "lifecycle", {"interval": "day", "date_from": 3, "date_to": 4}, {}, {})
    judged = judge([*cases, broken], School(folder, reporting_timezone="UTC"))
    return {verdict.case_id: verdict for verdict in judged}


@pytest.mark.parametrize("name", CASES)
def test_cases_counted_by_hand(name: str, verdicts: Mapping[str, Verdict]) -> None:
    reason = CASES[name][1]
    assert verdicts[name].outcome == ("failed" if reason else "passed"), verdicts[name].reason
    assert reason in verdicts[name].reason


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_outside_of_the_scope_is_left_out(
    name: str, verdicts: Mapping[str, Verdict]
) -> None:
    assert verdicts[name].outcome == "unsupported"
    assert UNSUPPORTED[name][1] in verdicts[name].reason


def test_a_broken_case_fails_alone(verdicts: Mapping[str, Verdict]) -> None:
    assert verdicts["broken"].outcome == "failed"
    assert "the case cannot be read" in verdicts["broken"].reason
    judged = list(verdicts.values())
    assert too_many_unsupported(judged)
    assert not too_many_unsupported([judged[0]] * 45 + judged[-6:-1])
    assert report(judged).endswith(" 5 unsupported")
