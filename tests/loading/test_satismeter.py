"""Satismeter's responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts import SatismeterMapping, Themes
from orchestration.loading.satismeter import SatismeterReader
from tests.loading.readers import Desk, open_desk

CANARY = "canary"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("satismeter")) as desk:
        yield desk


def reader(**mapping: Any) -> SatismeterReader:
    return SatismeterReader(SatismeterMapping.parse(mapping, Path("satismeter.yml")))


def response(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "created": "2024-05-01T10:00:00.250Z",
        "rating": 9,
        "category": "promoter",
        "feedback": None,
        "answers": [{"id": "1", "label": "Why?", "value": CANARY}],
        "campaign": "Quarterly",
        "method": "In-app",
        "dismissed": False,
        "pending": False,
        "user": {
            "id": "anonymous-1",
            "userId": "learner-1",
            "email": "Ada@Example.org",
            "name": CANARY,
            "traits": {"plan": "Premium", "language": "fr", "a/b~c": "web"},
        },
    } | changes


def picked(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def test_a_response_keeps_its_rating_and_who_gave_it(desk: Desk) -> None:
    rows = desk.read(
        reader(
            traits={"plan": "plan", "language": "language", "course_id": "a/b~c"},
            plans={"premium": "SPARK"},
        ),
        json.dumps({"responses": [response("r1")]}),
    )
    assert picked(rows, "line_number", "created_at", "survey", "method", "nps_score") == [
        (1, datetime(2024, 5, 1, 10, 0, 0, 250000), "Quarterly", "In-app", "9")
    ]
    assert picked(rows, "response_id", "user_key", "email_key", "respondent_key") == [
        (
            desk.key("response:satismeter:r1"),
            desk.key("learner-1"),
            desk.key("email:ada@example.org"),
            desk.key("respondent:satismeter:anonymous-1"),
        )
    ]
    assert picked(rows, "plan", "language", "course_id", "is_dismissed", "is_pending") == [
        ("SPARK", "fr", "web", False, False)
    ]
    assert desk.counts[0].newest_at == datetime(2024, 5, 1, 10, 0, 0, 250000)
    assert CANARY not in repr(rows)


def test_without_a_mapping_no_trait_is_kept(desk: Desk) -> None:
    rows = desk.read(SatismeterReader(None), json.dumps([response("r1")]))
    assert picked(rows, "plan", "language", "course_id") == [(None, None, None)]


def test_traits_beside_the_id_are_found_too(desk: Desk) -> None:
    rows = desk.read(
        reader(traits={"plan": "plan"}),
        json.dumps(response("r1", user={"id": "x", "plan": "SPARK "})),
    )
    assert picked(rows, "plan", "user_key") == [("SPARK", None)]


def test_an_unknown_plan_is_null_and_counted(desk: Desk) -> None:
    rows = desk.read(reader(traits={"plan": "plan"}), json.dumps([response("r1"), response("r2")]))
    assert picked(rows, "plan") == [(None,), (None,)]
    assert picked(desk.select("from raw.unknown_fields"), "field", "occurrences") == [
        ("plan: answers that the mapping does not name", 2)
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dismissed": True, "rating": None}, (None, True, False)),
        ({"pending": True}, ("9", False, True)),
        ({"dismissed": None, "pending": None}, ("9", False, False)),
        ({"rating": 11}, ("11", False, False)),
        ({"rating": "7"}, ("7", False, False)),
        # Satismeter's own `score` is 100, 0 or -100: a passive's is not a rating of 0.
        ({"rating": None, "score": 0}, (None, False, False)),
    ],
)
def test_the_rating_is_kept_as_answered(
    desk: Desk, changes: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    rows = desk.read(SatismeterReader(None), json.dumps(response("r1", **changes)))
    assert picked(rows, "nps_score", "is_dismissed", "is_pending") == [expected]


def test_a_campaign_can_be_an_object(desk: Desk) -> None:
    rows = desk.read(
        SatismeterReader(None),
        json.dumps(
            [
                response("r1", campaign={"id": "c1", "name": "Yearly"}),
                response("r2", campaign={"id": "c1"}),
                response("r3", campaign=None),
            ]
        ),
    )
    assert picked(rows, "survey") == [("Yearly",), ("c1",), (None,)]


def test_responses_that_cannot_be_used_are_quarantined(desk: Desk) -> None:
    rows = desk.read(
        SatismeterReader(None),
        "\n".join(
            json.dumps(row)
            for row in (
                response("r1"),
                response("", id=None),
                response("r3", created=None),
                response("r4", created=CANARY),
                response("r5", dismissed=CANARY),
                response("r6", user=CANARY),
            )
        )
        + f'\n{{"id": "{CANARY}',
    )
    assert picked(rows, "line_number", "user_key") == [(1, desk.key("learner-1")), (6, None)]
    assert desk.quarantined == [
        (0, 2, "id is missing"),
        (0, 3, "created is missing"),
        (0, 4, "created is not a time such as 2026-01-31T12:00:00Z"),
        (0, 5, "dismissed is not true or false"),
        (0, 7, "is not valid JSON"),
    ]
    assert CANARY not in repr(desk.quarantined)


def test_pages_lists_and_lines_give_the_same_rows(desk: Desk) -> None:
    responses = [response(f"r{number}") for number in range(3)]
    contents = [
        json.dumps({"responses": responses}),
        json.dumps({"responses": responses}, indent=2),
        json.dumps(responses),
        "\n".join(json.dumps(row) for row in responses),
    ]
    rows = desk.read(SatismeterReader(None), *contents)
    by_file = [
        picked([row for row in rows if row["file_id"] == number], "line_number", "row_hash")
        for number in range(4)
    ]
    assert len(by_file[0]) == 3
    assert by_file == [by_file[0]] * 4


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from(["id", "created", "rating", "campaign", "user", "dismissed"]),
            st.none()
            | st.integers()
            | st.text(max_size=5)
            | st.just("2024-05-01T10:00:00Z")
            | st.dictionaries(st.sampled_from(["id", "traits", "name"]), st.text(max_size=3)),
        ),
        max_size=5,
    )
)
def test_no_content_stops_a_load(desk: Desk, rows: list[dict[str, Any]]) -> None:
    desk.read(reader(traits={"plan": "plan"}), json.dumps(rows), json.dumps({"responses": rows}))


def test_a_comment_is_masked_and_told_its_themes(desk: Desk) -> None:
    themes = Themes.parse(
        {
            "kind": "themes",
            "languages": {
                "en": {"pace": ["too fast"], "support": ["mentor*"]},
                "fr": {"pace": ["trop vite"], "price": ["cher"]},
            },
        },
        Path("themes.yml"),
    )
    rows = desk.read(
        SatismeterReader(SatismeterMapping(traits={"language": "language"}), themes),
        json.dumps(
            [
                response("r1", feedback="Too FAST! My mentors: ada@example.org, +33 6 12 34 56 78"),
                response("r2", feedback="trop vite, trop cher", language="fr"),
                response("r3", feedback="trop vite", language="en"),
                response("r4", feedback=" "),
                response("r5", feedback="trop cher; too fast", language="de", user={"id": "x"}),
            ]
        ),
    )
    assert picked(rows, "language", "comment", "themes") == [
        ("fr", "Too FAST! My mentors: [e-mail], [phone]", []),
        ("fr", "trop vite, trop cher", ["pace", "price"]),
        ("en", "trop vite", []),
        ("fr", None, None),
        ("de", "trop cher; too fast", ["pace", "price"]),
    ]


def test_open_questions_can_be_comments_and_a_question_the_rating(desk: Desk) -> None:
    answers = [
        {"id": "q1", "label": "How likely?", "value": 8},
        {"id": "q2", "label": "Why?", "value": "because"},
        {"id": "q3", "label": "What else?", "value": None},
    ]
    rows = desk.read(
        reader(comments=["feedback", "What else?", "q2"], rating_question="q1"),
        json.dumps({"data": [response("r1", rating=None, feedback="good", answers=answers)]}),
    )
    assert picked(rows, "nps_score", "comment") == [("8", "good\nbecause")]
    rows = desk.read(reader(comments=[]), json.dumps([response("r1", feedback=CANARY)]))
    assert picked(rows, "comment") == [(None,)]


def test_deliveries_are_known_of_the_methods_that_the_mapping_names(desk: Desk) -> None:
    rows = desk.read(
        reader(delivered_methods=["In-App"]),
        json.dumps([response("r1"), response("r2", method="Email"), response("r3", method=None)]),
    )
    assert picked(rows, "is_delivered") == [(True,), (None,), (None,)]
