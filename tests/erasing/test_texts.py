"""What stays of a file is byte for byte what was exported, and its rows are those of before."""

from __future__ import annotations

import codecs
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts import Contracts
from orchestration.erasing.texts import Row, read_text, rows_of, without
from tests.loading.readers import mapping

WORDS = st.text(st.sampled_from("ab é\u2028[]{}:,'\\"), max_size=6)
NOTHING = Contracts()
TICKETS = "zendesk/tickets.json"
SCRATCH = Path(tempfile.gettempdir()) / "northstar-tests"


@st.composite
def pages(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """A page of tickets as some tool prints it, and its rows."""
    rows = [
        {"id": number, "requester_id": draw(st.sampled_from([7, 8])), "subject": draw(WORDS)}
        for number in range(draw(st.integers(0, 5)))
    ]
    page: Any = {"count": 1, "next": {"tickets": [1]}, "tickets": rows, "end": draw(WORDS)}
    if draw(st.booleans()):
        page = rows
    indent = draw(st.sampled_from([None, 1]))
    text = json.dumps(page, indent=indent, ensure_ascii=draw(st.booleans()))
    return text + draw(st.sampled_from(["", "\n", " \r\n"])), rows


@settings(max_examples=50, deadline=None)
@given(pages())
def test_a_page_without_some_rows_is_a_page_of_the_others(
    page: tuple[str, list[dict[str, Any]]],
) -> None:
    content, rows = page
    listed = _tickets(content)

    assert [json.loads(content[row.start : row.end]) for row in listed] == rows
    left = json.loads(without(content, [row for row in listed if _is_of_7(row)], {}))
    kept = [row for row in rows if row["requester_id"] == 8]
    assert (left if isinstance(left, list) else left["tickets"]) == kept
    if isinstance(left, dict):
        assert left | {"tickets": rows} == json.loads(content)


def _tickets(content: str) -> list[Row]:
    return list(rows_of(read_text(content.encode(), TICKETS, NOTHING), TICKETS, NOTHING, SCRATCH))


def _is_of_7(row: Row) -> bool:
    return row.about is not None and ("zendesk_user", "7") in row.about.ids


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["ann", "ben"]), WORDS), max_size=6),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_csv_without_some_records_keeps_every_byte_of_the_others(
    answers: list[tuple[str, str]], encoding: str, line_end: str
) -> None:
    def record(name: str, word: str) -> str:
        quoted = word.replace("\u2028", "\n").replace('"', '""')
        return f'{name},"{quoted} ""said""{line_end}twice"{line_end}'

    header = f"Who,What{line_end}"
    whole = header + "".join(record(*answer) for answer in answers)
    told = mapping(
        columns={"user_id": {"header": "Who"}, "period": {"constant": "2024-01-01"}},
        format={"encoding": "utf-8" if encoding == "utf-8-sig" else encoding},
    )
    contracts = Contracts(survey_mappings=[told])
    text = read_text(whole.encode(encoding), "answers.csv", contracts)
    rows = list(rows_of(text, "answers.csv", contracts, SCRATCH))

    assert [row.about and row.about.owner for row in rows] == [("user", n) for n, _ in answers]
    gone = [row for row in rows if row.about and row.about.owner == ("user", "ann")]
    kept = header + "".join(record(*answer) for answer in answers if answer[0] == "ben")
    bom = codecs.BOM_UTF16_LE if encoding == "utf-16" else b""
    plain = "utf-16-le" if encoding == "utf-16" else encoding
    assert text.encode(without(text.content, gone, {})) == bom + kept.encode(plain)


@pytest.mark.parametrize("cut", range(40, 180, 17))
def test_of_a_damaged_page_the_good_rows_of_others_stay_readable(cut: int) -> None:
    rows = [{"id": n, "requester_id": 7 + n % 2, "updated_at": "x"} for n in range(4)]
    content = json.dumps({"tickets": rows})[:cut]

    found = _tickets(content)
    left = without(content, [row for row in found if _is_of_7(row)], {})

    kept = [content[row.start : row.end] for row in found if row.about and not _is_of_7(row)]
    assert [left[row.start : row.end] for row in _tickets(left) if row.about] == kept


def test_any_bytes_of_a_file_of_lines_can_be_had_back() -> None:
    raw = b'{"user_id": "a"}\n\xff\xfe\x00broken\r\n\n{"user_id": "b"}'
    name = "1_2024-01-01_1#0.json"
    text = read_text(raw, name, NOTHING)
    rows = list(rows_of(text, name, NOTHING, SCRATCH))

    assert text.encode(text.content) == raw
    assert [row.is_broken for row in rows] == [False, True, False]
    assert text.encode(without(text.content, rows[:2], {})) == b'\n{"user_id": "b"}'
