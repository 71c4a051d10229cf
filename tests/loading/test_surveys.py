"""Anybody's CSV: what a mapping makes of it, and that no row is lost whatever is in the file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.contracts import read_contracts
from orchestration.landing.archives import BYTES_FOLLOW
from orchestration.loading.surveys import SurveyReader
from orchestration.settings import REPOSITORY
from tests.loading.readers import SHARED, Desk, mapping, open_desk

ANSWERS = {"period": {"constant": "2024-01-01"}, "language": {"position": "1"}}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("surveys")) as desk:
        yield desk


def reader(**changes: Any) -> SurveyReader:
    return SurveyReader(mapping(**changes))


def values(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def test_a_mapping_tells_what_each_column_is(desk: Desk) -> None:
    alumni = reader(
        source="coach",
        timezone="Europe/Paris",
        columns={
            "response_id": {"header": "#"},
            "submitted_at": {"header": "When", "formats": ["%d/%m/%Y %H:%M"]},
            "user_id": {"header": "Id"},
            "email": {"header": "Mail"},
            "respondent_id": {"header": "Who"},
            "course_id": {"header": "Course"},
            "plan": {"header": "Plan", "values": {"Premium": "SPARK"}},
            "language": {"header": "Lang"},
            "method": {"constant": "email"},
            "nps_score": {"header": "Score"},
            "outcome_type": {"header": "News", "values": {"Found a job": "new_job"}},
            "outcome_date": {"header": "Since", "formats": ["%d/%m/%Y", "%Y-%m-%d"]},
            "credited": {"header": "Thanks to us"},
            "would_not_have_happened": {"header": "Without", "values": {"Impossible": "yes"}},
        },
        keep={"salary": {"header": "Pay"}, "wave": {"constant": "1"}},
    )
    rows = desk.read(
        alumni,
        "#,When,Id,Mail,Who,Course,Plan,Lang,Score,News,Since,Thanks to us,Without,Pay,Other\n"
        "r1,05/07/2024 10:30,u1, Ada@X.org ,w1,web,premium,fr,9,found a job ,01/06/2024,YES,"
        "impossible,30 000,secret\n",
    )
    assert len(rows) == 1
    row = rows[0]
    assert row["line_number"] == 2
    assert (row["survey"], row["source"], row["method"]) == ("alumni", "coach", "email")
    assert row["response_id"] == desk.key("response:alumni:r1")
    assert row["submitted_at"] == datetime(2024, 7, 5, 8, 30)
    assert row["user_key"] == desk.key("u1")
    assert row["email_key"] == desk.key("email:ada@x.org")
    assert row["respondent_key"] == desk.key("respondent:alumni:w1")
    assert values(rows, "course_id", "plan", "language", "nps_score") == [
        ("web", "SPARK", "fr", "9")
    ]
    assert (row["is_outcome_report"], row["outcome_type"]) == (True, "new_job")
    assert (row["outcome_date"], row["outcome_date_text"]) == (date(2024, 6, 1), None)
    assert (row["credited"], row["would_not_have_happened"]) == ("yes", "yes")
    assert row["answers"] == {"salary": "30 000", "wave": "1"}
    assert row["period"] is None
    assert row["duplicate_reason"] is None
    assert desk.counts[0].newest_at == datetime(2024, 7, 5, 8, 30)
    assert desk.counts[0].reason is None


def test_absent_answers_are_null(desk: Desk) -> None:
    rows = desk.read(
        reader(
            format={"nulls": ["NA", "-"]},
            columns={**ANSWERS, "email": {"position": "2"}, "nps_score": {"position": "3"}},
            keep={"more": {"position": "4"}},
        ),
        "a,b,c,d\nfr,NA, - ,\n\N{NO-BREAK SPACE},x@y.z,na,NA\n",
    )
    assert values(rows, "language", "email_key", "nps_score", "answers") == [
        ("fr", None, None, {}),
        (None, desk.key("email:x@y.z"), "na", {}),
    ]


@pytest.mark.parametrize(
    ("text", "zone", "formats", "expected"),
    [
        ("2024-07-05 10:30:00", "UTC", [], datetime(2024, 7, 5, 10, 30)),
        ("2024-07-05T10:30:00Z", "Europe/Paris", [], datetime(2024, 7, 5, 10, 30)),
        ("2024-07-05T10:30:00.5+02:00", "UTC", [], datetime(2024, 7, 5, 8, 30, 0, 500000)),
        ("2024-07-05", "Europe/Paris", [], datetime(2024, 7, 4, 22, 0)),
        ("2024-01-05 10:30", "Europe/Paris", [], datetime(2024, 1, 5, 9, 30)),
        ("9/8/18 3:42", "UTC", ["%m/%d/%y %H:%M"], datetime(2018, 9, 8, 3, 42)),
        ("8.9.2018", "UTC", ["%m/%d/%y", "%d.%m.%Y"], datetime(2018, 9, 8)),
        ("9/8/2018 3:42 PM", "UTC", ["%m/%d/%Y %I:%M %p"], datetime(2018, 9, 8, 15, 42)),
        ("2018-09-08 03:42 +0200", "UTC", ["%Y-%m-%d %H:%M %z"], datetime(2018, 9, 8, 1, 42)),
        # A time that the clocks skip is that of the hour after; one that comes twice is the second.
        ("2024-03-31 02:30:00", "Europe/Paris", [], datetime(2024, 3, 31, 1, 30)),
        ("2024-10-27 02:30:00", "Europe/Paris", [], datetime(2024, 10, 27, 1, 30)),
    ],
)
def test_times_are_utc(
    desk: Desk, text: str, zone: str, formats: list[str], expected: datetime
) -> None:
    columns = {"submitted_at": {"header": "t", "formats": formats}}
    rows = desk.read(reader(timezone=zone, columns=columns), f"t,x\n{text},1\n")
    assert values(rows, "submitted_at") == [(expected,)]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2024-02-30",
        "31/12/2024",
        "infinity",
        "epoch",
        "0001-01-01",
        "9999-12-31",
        "99999-01-01",
        "2024-07-05T10:30:00+99:99",
    ],
)
def test_a_time_that_is_none_puts_the_row_into_quarantine(desk: Desk, text: str) -> None:
    columns = {"submitted_at": {"header": "t"}}
    assert (
        desk.read(reader(columns=columns), f"t,x\n{text},1\n2024-01-01,2\n")[0]["line_number"] == 3
    )
    assert desk.quarantined == [
        (0, 2, "submitted_at is not a time as the mapping says it is written")
    ]


def test_an_empty_time_is_quarantined_unless_the_mapping_has_a_period(desk: Desk) -> None:
    columns: dict[str, Any] = {"submitted_at": {"header": "t"}}
    assert desk.read(reader(columns=columns), "t,x\n,1\n") == []
    assert desk.quarantined == [(0, 2, "submitted_at is empty")]
    columns["period"] = {"constant": "2017-06-01"}
    rows = desk.read(reader(columns=columns), "t,x\n,1\n")
    assert values(rows, "submitted_at", "period") == [(None, date(2017, 6, 1))]


WAVE: dict[str, Any] = {
    "email": {"header": "mail"},
    "invited_at": {"header": "sent", "formats": ["%d/%m/%Y %H:%M"]},
    "submitted_at": {"header": "done"},
    "outcome_type": {"constant": "new_job"},
}
INVITATION = ("wave", "wave_date", "is_delivered", "is_answered", "is_outcome_report")


def test_who_was_invited_and_did_not_answer_is_loaded_and_reports_nothing(desk: Desk) -> None:
    delivered = {"header": "state", "values": {"Sent": "yes", "Bounced": "no"}}
    columns = {**WAVE, "wave_date": {"header": "wave"}, "delivered": delivered}
    rows = desk.read(
        reader(timezone="Europe/Paris", columns=columns),
        "mail,sent,wave,state,done\n"
        "a@x.org,10/03/2025 09:00,2025-03-10,Sent,2025-03-12 10:00:00\n"
        "b@x.org,10/03/2025 09:00,2025-03-10,Sent,\n"
        "c@x.org,10/03/2025 09:00,2025-03-10,bounced,\n"
        # Nobody knows whether it arrived, unless it was answered.
        "d@x.org,10/03/2025 09:00,2025-03-10,?,\n"
        "e@x.org,10/03/2025 09:00,2025-03-10,,2025-03-13 10:00:00\n"
        # An open link: an answer that nobody was invited to.
        "f@x.org,,2025-03-10,,2025-03-14 10:00:00\n",
    )
    wave = ("2025-03-10", date(2025, 3, 10))
    assert values(rows, *INVITATION) == [
        (*wave, True, True, True),
        (*wave, True, False, False),
        (*wave, False, False, False),
        (*wave, None, False, False),
        (*wave, True, True, True),
        (None, None, None, None, True),
    ]
    assert rows[1]["invited_at"] == datetime(2025, 3, 10, 8, 0)
    assert rows[1]["submitted_at"] is None
    assert desk.counts[0].newest_at == datetime(2025, 3, 14, 9, 0)
    assert values(desk.select("from raw.unknown_fields"), "field", "occurrences") == [
        ("delivered: answers that the mapping does not name", 1)
    ]


def test_the_mapping_can_say_who_answered_where_every_row_has_a_time(desk: Desk) -> None:
    columns = {
        **WAVE,
        "wave": {"constant": "Alumni 2025"},
        "wave_date": {"constant": "2025-03-01"},
        "delivered_at": {"header": "arrived"},
        "answered": {"header": "status", "values": {"Complete": "yes", "Partial": "no"}},
    }
    rows = desk.read(
        reader(columns=columns),
        "mail,sent,arrived,done,status\n"
        "a@x.org,10/03/2025 09:00,2025-03-10,2025-03-12,complete\n"
        "b@x.org,10/03/2025 09:00,2025-03-10,2025-03-12,Partial\n"
        "c@x.org,10/03/2025 09:00,,2025-03-12,\n"
        "d@x.org,10/03/2025 09:00,N,,\n",
    )
    wave = ("Alumni 2025", date(2025, 3, 1))
    assert values(rows, *INVITATION) == [
        (*wave, True, True, True),
        (*wave, True, False, False),
        (*wave, False, False, False),
        (*wave, None, False, False),
    ]


def test_the_wave_of_a_file_without_dates_is_its_period(desk: Desk) -> None:
    columns = {
        "user_id": {"header": "id"},
        "period": {"constant": "2024-06-01"},
        "invited_at": {"constant": "2024-06-01"},
        "answered": {"header": "answered"},
    }
    rows = desk.read(reader(columns=columns), "id,answered\n1,yes\n2,\n")
    assert values(rows, "wave", "wave_date", "is_answered", "is_delivered") == [
        ("2024-06-01", date(2024, 6, 1), True, True),
        ("2024-06-01", date(2024, 6, 1), False, None),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a@x.org,,2025-03-10,", "submitted_at is empty"),
        ("a@x.org,yesterday,2025-03-10,", "invited_at is not a time"),
        ("a@x.org,10/03/2025 09:00,spring,", "wave_date is not a date"),
        ("a@x.org,10/03/2025 09:00,,", "says not which wave"),
        ("a@x.org,10/03/2025 09:00,2025-03-10,soon", "submitted_at is not a time"),
    ],
)
def test_an_invitation_that_cannot_be_placed_is_quarantined(
    desk: Desk, row: str, problem: str
) -> None:
    columns = {**WAVE, "wave_date": {"header": "wave"}}
    assert desk.read(reader(columns=columns), f"mail,sent,wave,done\n{row}\n") == []
    ((_, line, reason),) = desk.quarantined
    assert line == 2
    assert reason.startswith(problem)


def test_an_outcome_date_that_is_none_is_kept_as_written(desk: Desk) -> None:
    columns = {
        **ANSWERS,
        "outcome_type": {"constant": "business"},
        "outcome_date": {"header": "since", "formats": ["%d/%m/%Y"]},
    }
    rows = desk.read(
        reader(columns=columns), "lang,since\nfr,last May\nfr,01/05/2024\nfr,\nfr,31/02/2024\n"
    )
    assert values(rows, "outcome_date", "outcome_date_text") == [
        (None, "last May"),
        (date(2024, 5, 1), None),
        (None, None),
        (None, "31/02/2024"),
    ]


def test_answers_without_a_meaning_are_counted_but_not_loaded(desk: Desk) -> None:
    columns = {
        **ANSWERS,
        "plan": {"header": "plan"},
        "outcome_type": {"header": "news", "values": {"job": "new_job", "nothing": None}},
        "credited": {"header": "credit"},
    }
    rows = desk.read(
        reader(columns=columns),
        "lang,plan,news,credit\n"
        "fr,Spark,JOB,1\n"
        "fr,gold,I met somebody,perhaps\n"
        "fr,,nothing,no\n"
        "fr,degree,salary_increase,\n",
    )
    assert values(rows, "plan", "is_outcome_report", "outcome_type", "credited") == [
        ("SPARK", True, "new_job", "yes"),
        (None, True, "unknown", None),
        (None, False, None, "no"),
        ("degree", True, "salary_increase", None),
    ]
    assert sorted(
        values(desk.select("from raw.unknown_fields"), "field", "occurrences", "source")
    ) == [
        (f"{role}: answers that the mapping does not name", 1, "surveys")
        for role in ("credited", "outcome_type", "plan")
    ]


def test_numbers_out_of_bounds_are_kept_and_flagged(desk: Desk) -> None:
    survey = reader(
        columns={
            **ANSWERS,
            "income_before": {"header": "Before", "bounds": {"low": "1000"}},
            "income_after": {"header": "After"},
            "income_currency": {"constant": "EUR"},
            "income_kind": {"header": "Whose", "values": {"the family's": "household"}},
            "hours_after": {"header": "Hours", "bounds": {"low": "0", "high": "80"}},
            "looking_for_work": {"header": "Looking"},
            "gender": {"header": "Gender", "values": {"w": "woman"}},
            "region": {"header": "Region"},
        },
        keep={"spent": {"header": "Spent", "bounds": {"high": "1e6"}}, "note": {"header": "Note"}},
    )
    rows = desk.read(
        survey,
        "Language,Before,After,Whose,Hours,Looking,Gender,Region,Spent,Note\n"
        "fr,1000,2.5,household,80,Yes,W, Bretagne ,999999999999999999,9\n"
        "fr,999.99,,The family's,one,no,,,$1000,\n"
        "fr,-1,inf,mine,80.5,perhaps,x,,1e6,\n",
    )
    assert values(rows, "numbers", "implausible") == [
        (
            {"income_before": 1000.0, "income_after": 2.5, "hours_after": 80.0, "spent": 1e18},
            ["spent"],
        ),
        ({"income_before": 999.99}, ["income_before", "hours_after", "spent"]),
        (
            {"income_before": -1.0, "hours_after": 80.5, "spent": 1e6},
            ["income_before", "income_after", "hours_after"],
        ),
    ]
    assert values(rows, "income_currency", "income_kind", "looking_for_work", "answers") == [
        ("EUR", "household", "yes", {"note": "9"}),
        ("EUR", "household", "no", {}),
        ("EUR", None, None, {}),
    ]
    assert values(rows, "gender", "disability", "region") == [
        ("woman", None, "Bretagne"),
        (None, None, None),
        ("x", None, None),
    ]


def test_report_when_tells_which_rows_are_reports(desk: Desk) -> None:
    columns = {**ANSWERS, "outcome_type": {"constant": "new_job"}}
    rows = desk.read(
        reader(columns=columns, report_when={"header": "job?", "equals": ["1", "Yes"]}),
        "lang,job?\nfr,1\nfr,0\nfr,\nfr, yes\n",
    )
    assert values(rows, "is_outcome_report", "outcome_type") == [
        (True, "new_job"),
        (False, None),
        (False, None),
        (True, "new_job"),
    ]


def test_without_a_response_id_file_and_line_make_one(desk: Desk) -> None:
    rows = desk.read(
        reader(columns={**ANSWERS, "response_id": {"header": "id"}}), "lang,id\nfr,\nfr,7\n"
    )
    assert values(rows, "response_id") == [
        (desk.key("response:alumni:0:2"),),
        (desk.key("response:alumni:7"),),
    ]


def test_equal_answers_of_a_file_are_different_rows_and_the_same_in_a_later_export(
    desk: Desk,
) -> None:
    columns = {"submitted_at": {"header": "t"}, "nps_score": {"header": "n"}}
    first = "t,n\n2024-01-01,9\n2024-01-01,9\n"
    rows = desk.read(reader(columns=columns), first, first + "2024-01-02,8\n")
    hashes = [row["row_hash"] for row in rows]
    assert len(set(hashes)) == 3
    assert hashes[:2] == hashes[2:4]


def test_rows_that_say_neither_who_nor_when_are_the_same_in_no_other_file(desk: Desk) -> None:
    rows = desk.read(reader(columns=ANSWERS), "lang,x\nfr,1\n", "lang,x\nfr,1\n")
    assert rows[0]["row_hash"] != rows[1]["row_hash"]


def test_a_row_that_stands_in_a_file_twice_under_one_id_is_the_same_row(desk: Desk) -> None:
    columns = {**ANSWERS, "response_id": {"header": "id"}}
    rows = desk.read(reader(columns=columns), "lang,id\nfr,1\nfr,1\n")
    assert rows[0]["row_hash"] == rows[1]["row_hash"]
    other = desk.read(reader(survey="other", columns=columns), "lang,id\nfr,1\n")
    assert other[0]["row_hash"] != rows[0]["row_hash"]


# -- headers ---------------------------------------------------------------------------------------


def test_repeated_headers_are_read_by_position(desk: Desk) -> None:
    columns = {**ANSWERS, "course_id": {"header": "Other", "position": "3"}}
    rows = desk.read(reader(columns=columns), "Lang,Other,Other\nfr,a,b\n")
    assert values(rows, "course_id") == [("b",)]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"header": "Other"}, "2 columns are headed 'Other'; say which one by `position`"),
        ({"header": "Another"}, "no column is headed 'Another'; correct `header` or the file"),
        ({"position": "4"}, "the file has 3 columns, and the mapping reads number 4"),
        ({"header": "Lang", "position": "2"}, "column 2 is not headed 'Lang'"),
    ],
)
def test_a_file_that_does_not_fit_its_mapping_is_quarantined_row_by_row(
    desk: Desk, place: dict[str, str], reason: str
) -> None:
    content = 'Lang,Other,Other\nfr,a,b\n"en\nUS",c,d\nbad line\n'
    assert desk.read(reader(columns={**ANSWERS, "course_id": place}), content) == []
    assert [line for _, line, _ in desk.quarantined] == [2, 3, 5]
    assert all(text.startswith(reason) for _, _, text in desk.quarantined)
    found = desk.counts[0]
    assert (found.rows_in, found.quarantined) == (3, 3)
    assert found.reason is not None
    assert "(columns.course_id in alumni.yml)" in found.reason


def test_headers_may_hold_quotes_commas_and_lines(desk: Desk) -> None:
    columns = {
        "period": {"constant": "2024-01-01"},
        "language": {"header": 'Your "language", please'},
        "course_id": {"header": "It's; drop table raw.survey_responses --"},
        "plan": {"header": "Two\nlines"},
    }
    header = '"Your ""language"", please",It\'s; drop table raw.survey_responses --,"Two\nlines"'
    rows = desk.read(reader(columns=columns), f"{header}\nfr,web,free\n")
    assert values(rows, "line_number", "language", "course_id", "plan") == [
        (3, "fr", "web", "free")
    ]


def test_files_can_have_several_header_rows_or_none(desk: Desk) -> None:
    columns = {**ANSWERS, "course_id": {"header": "Course"}}
    rows = desk.read(
        reader(format={"header_rows": "2"}, columns=columns), "Lang,Course\nQ1,Q2\nfr,web\n"
    )
    assert values(rows, "line_number", "course_id") == [(3, "web")]
    rows = desk.read(
        reader(format={"header_rows": "0"}, columns={**ANSWERS, "course_id": {"position": "2"}}),
        "fr,web\nen,sql\n",
    )
    assert values(rows, "line_number", "course_id") == [(1, "web"), (2, "sql")]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_says_so(desk: Desk, content: str) -> None:
    assert desk.read(reader(columns=ANSWERS), content) == []
    assert desk.counts[0].rows_in == 0
    assert "holds no header" in str(desk.counts[0].reason)


def test_a_file_of_a_header_only_has_no_rows(desk: Desk) -> None:
    assert desk.read(reader(columns=ANSWERS), "lang,x\n", "lang,x") == []
    assert [desk.counts[number].rows_in for number in (0, 1)] == [0, 0]
    assert desk.counts[0].reason is None


# -- how files are written -------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [None, "truncated gzip"])
def test_a_row_has_the_line_it_begins_in(desk: Desk, damage: str | None) -> None:
    content = 'lang,text\nfr,a\n\nen,"two\n\nlines"\nde,"x ""y"" z"\n   \nes,b\n'
    rows = desk.read(
        reader(columns=ANSWERS, keep={"text": {"header": "text"}}), content, damage=damage
    )
    assert [(row["line_number"], row["answers"]["text"]) for row in rows] == [
        (2, "a"),
        (4, "two\n\nlines"),
        (7, 'x "y" z'),
        (9, "b"),
    ]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("cp1252", "cp1252"),
        ("latin-1", "latin-1"),
        ("utf-16", "utf-8"),  # its mark tells
        ("utf-16-le", "utf-16-le"),
        ("utf-16-le", "utf-16"),
        ("utf-32", "utf-32"),
        ("mac_roman", "mac_roman"),
    ],
)
def test_encodings_are_decoded(desk: Desk, encoding: str, said: str) -> None:
    content = "langue,été\r\nfrançais,1\r\n".encode(encoding)
    rows = desk.read(
        reader(format={"encoding": said}, columns=ANSWERS, keep={"é": {"header": "été"}}), content
    )
    assert values(rows, "line_number", "language", "answers") == [(2, "français", {"é": "1"})]


def test_a_row_of_other_bytes_is_quarantined_alone(desk: Desk) -> None:
    rows = desk.read(
        reader(columns=ANSWERS), b"lang,x\nfr,\xff\nen,ok\nde,nul\0\nes,ok\n\xe9,\xe9\n"
    )
    assert values(rows, "line_number", "language") == [(3, "en"), (5, "es")]
    assert desk.quarantined == [
        (0, line, "holds bytes that are not utf-8 text") for line in (2, 4, 6)
    ]


@pytest.mark.parametrize(
    ("written", "content"),
    [
        ({"delimiter": ";"}, "lang;x\nfr;a,b\n"),
        ({"delimiter": "\t"}, "lang\tx\nfr\ta,b\n"),
        ({"delimiter": "|"}, "lang|x\nfr|a,b\n"),
        ({"delimiter": " "}, "lang x\nfr a,b\n"),
        ({"quote": "'"}, "lang,x\nfr,'a,b'\n"),
        ({"delimiter": "^", "quote": "]"}, "lang^x\nfr^]a,b]\n"),
        ({"delimiter": "-", "quote": "\\"}, "lang-x\nfr-\\a,b\\\n"),
        ({"delimiter": "§", "quote": "«"}, "lang§x\nfr§«a,b«\n"),
        ({"quote": "", "delimiter": ";"}, "lang;x\nfr;a,b\n"),
        ({}, 'lang,x\r\nfr,"a,b"\r\n'),
        ({}, 'lang,x\rfr,"a,b"'),
        ({}, 'lang,x\nfr, "a,b" \n'),
    ],
)
@pytest.mark.parametrize("damage", [None, "truncated gzip"])
def test_delimiters_quotes_and_line_ends_are_as_the_mapping_says(
    desk: Desk, written: dict[str, str], content: str, damage: str | None
) -> None:
    # The way for damaged files must read sound ones alike; it needs a whole last line.
    if damage is not None and not content.endswith("\n"):
        content += "\r" if "\n" not in content else "\n"
    rows = desk.read(
        reader(format=written, columns=ANSWERS, keep={"x": {"header": "x"}}),
        content,
        damage=damage,
    )
    assert values(rows, "line_number", "language", "answers") == [(2, "fr", {"x": "a,b"})]


def test_a_quote_that_is_no_quote_is_text(desk: Desk) -> None:
    content = 'lang,x\nfr,5" disk\nen,"two\nlines"\nde,7" disk\nes,a\n'
    rows = desk.read(
        reader(columns=ANSWERS, keep={"x": {"header": "x"}}), content, damage="truncated gzip"
    )
    assert [row["answers"]["x"] for row in rows] == ['5" disk', "two\nlines", '7" disk', "a"]


def test_a_file_of_one_column_has_no_blank_rows(desk: Desk) -> None:
    rows = desk.read(reader(columns=ANSWERS), "lang\nfr\n\nen\n")
    assert values(rows, "line_number", "language") == [(2, "fr"), (4, "en")]


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("fr", "has 1 fields where 3 are expected"),
        ("fr,a,b,c", "has 4 fields where 3 are expected"),
        ('fr,a,"b', "a quote is not closed, or not doubled"),
        ('fr,"a"b,c', "a quote is not closed, or not doubled"),
        (",,", "holds no answer"),
        (',"  ",', "holds no answer"),
        ('fr,a,"two\nlines",c', "has 4 fields where 3 are expected"),
    ],
)
@pytest.mark.parametrize("after", ["en,x,y\n", 'en,"two\nlines",y\n', ""])
def test_a_bad_row_costs_itself_only(desk: Desk, bad: str, reason: str, after: str) -> None:
    rows = desk.read(reader(columns=ANSWERS), f"lang,a,b\nde,x,y\n{bad}\n{after}")
    assert values(rows, "language") == [("de",), ("en",)][: 2 if after else 1]
    assert desk.quarantined == [(0, 3, reason)]


def test_empty_fields_too_many_do_no_harm(desk: Desk) -> None:
    rows = desk.read(reader(columns=ANSWERS), "lang,a\nfr,x,\nen,y,,,\nde,z,,q\n")
    assert values(rows, "language") == [("fr",), ("en",)]
    assert desk.quarantined == [(0, 4, "has 4 fields where 2 are expected")]


def test_the_last_row_of_a_file_that_is_cut_off_is_not_trusted(desk: Desk) -> None:
    content = "lang,salary\nfr,30000\nen,40"
    rows = desk.read(reader(columns=ANSWERS), content, damage="truncated gzip")
    assert values(rows, "language") == [("fr",)]
    assert desk.quarantined == [(0, 3, "cut off where the file is damaged")]
    assert desk.counts[0].reason == "truncated gzip"
    assert len(desk.read(reader(columns=ANSWERS), content)) == 2


def test_the_last_row_of_a_gzip_that_is_whole_is_trusted_whatever_follows_it(desk: Desk) -> None:
    content = "lang,salary\nfr,30000\nen,40000"
    rows = desk.read(reader(columns=ANSWERS), content, damage=BYTES_FOLLOW)
    assert values(rows, "language") == [("fr",), ("en",)]
    assert desk.quarantined == []
    assert desk.counts[0].reason == BYTES_FOLLOW


def test_the_quarantine_knows_the_line_by_its_hash_and_never_its_text(desk: Desk) -> None:
    canary = "canary@example.org"
    columns = {"submitted_at": {"header": "t"}, "email": {"header": "m"}}
    desk.read(
        reader(columns=columns),
        f't,m\n{canary},1\n2024-01-01,{canary},"\n2024-01-01,"{canary}\nx\r\n2024-01-01\n'
        f"2024-01-01,{canary}\n",
    )
    kept = desk.select("select * from raw.quarantined_rows order by line_number")
    assert values(kept, "line_number", "line_hash") == [
        (2, desk.key(f"line:{canary},1")),
        (3, desk.key(f'line:2024-01-01,{canary},"')),
        (4, desk.key(f'line:2024-01-01,"{canary}')),
        (5, desk.key("line:x")),
        (6, desk.key("line:2024-01-01")),
    ]
    assert canary not in repr(kept) + repr(desk.rows) + repr(desk.counts)
    assert len(desk.rows) == 1


def test_one_reader_takes_many_files(desk: Desk) -> None:
    columns = {"submitted_at": {"header": "t"}, "nps_score": {"header": "n"}}
    rows = desk.read(
        reader(columns=columns), "t,n\n2024-01-01,1\n", "", "n,x,t\n2,,2024-01-02\n3,,x\n"
    )
    assert values(rows, "file_id", "nps_score") == [(0, "1"), (2, "2")]
    assert [desk.counts[number].rows_in for number in range(3)] == [1, 0, 2]


def test_a_long_file_keeps_its_lines_in_order(desk: Desk) -> None:
    lines = [
        f'{number},"{"x" * (number % 50)}{chr(10) * (number % 3)}"' for number in range(60_000)
    ]
    columns = {"period": {"constant": "2024-01-01"}, "course_id": {"header": "n"}}
    desk.read(reader(columns=columns), "n,x\n" + "\n".join(lines) + "\n")
    found = desk.connection.execute(
        "select course_id::int, line_number from raw.survey_responses order by line_number"
    ).fetchall()
    expected, line = [], 2
    for number in range(60_000):
        expected.append((number, line))
        line += 1 + number % 3
    assert found == expected


@pytest.mark.parametrize(
    ("first", "courses", "bad"),
    [("x", ["1", "2", "3"], [1]), ("\r,0,x", ["0", "1", "2", "3"], [])],
)
def test_a_damaged_first_row_of_a_file_without_header_costs_itself_only(
    desk: Desk, first: str, courses: list[str], bad: list[int]
) -> None:
    survey = reader(
        format={"header_rows": 0},
        columns={"period": {"constant": "2024-01-01"}, "course_id": {"position": 2}},
    )
    rows = desk.read(survey, f"{first}\na,1,x\nb,2,x\nc,3,x\n")
    assert [row["course_id"] for row in rows] == courses
    assert [line for _, line, _ in desk.quarantined] == bad


# -- properties ------------------------------------------------------------------------------------

# Everything that means something to CSV or SQL, between letters of several kinds.
HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list("\"',;|\t\n\r \\%_$#*[]{}()-=<>é世\N{NO-BREAK SPACE}")),
        st.characters(codec="utf-8", exclude_characters="\0\uffff"),
    ),
    max_size=12,
)
BLANKS = " \t\n\r\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{ZERO WIDTH NO-BREAK SPACE}"


@settings(max_examples=30, deadline=None)
@example(
    table=[["h", "i"], ["a", 'x"\n,"'], ["b", ""]], delimiter=",", ending="\n", all_quoted=False
)
@example(table=[["", ""]], delimiter="\t", ending="\n", all_quoted=False)
@given(
    table=st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(HOSTILE, min_size=width, max_size=width), min_size=1, max_size=8
        )
    ),
    delimiter=st.sampled_from(",;\t|"),
    ending=st.sampled_from(["\n", "\r\n"]),
    all_quoted=st.booleans(),
)
def test_what_was_written_is_read(
    desk: Desk, table: list[list[str]], delimiter: str, ending: str, all_quoted: bool
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator=ending,
        quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL,
    )
    starts = []
    for row in [["header"] * len(table[0]), *table]:
        starts.append(text.getvalue().count("\n") + 1)
        # Python does not quote a lone carriage return, and others end the line there.
        writer.writerow([field.replace("\r", "") if not all_quoted else field for field in row])
    kept = {f"c{number}": {"position": str(number)} for number in range(1, len(table[0]) + 1)}
    survey = reader(
        format={"delimiter": delimiter}, columns={"period": {"constant": "2024-01-01"}}, keep=kept
    )
    expected = []
    for start, row in zip(starts[1:], table, strict=True):
        fields = [field if all_quoted else field.replace("\r", "") for field in row]
        answers = {f"c{n}": field.strip(BLANKS) for n, field in enumerate(fields, start=1)}
        answers = {name: field for name, field in answers.items() if field}
        if answers:
            expected.append((start, answers))
    hashes = []
    for damage in (None, "known to end early, though with a whole line"):
        rows = desk.read(survey, text.getvalue(), damage=damage)
        assert [(row["line_number"], row["answers"]) for row in rows] == expected
        assert all(reason == "holds no answer" for _, _, reason in desk.quarantined)
        assert desk.counts[0].rows_in == len(table)
        hashes.append([row["row_hash"] for row in rows])
    assert hashes[0] == hashes[1]


GOOD = st.sampled_from(["x,y,z", '"x","y","z"', 'x,"two\nlines",z', 'x,"a ""b"" c",z', "x,,"])
BAD = st.sampled_from(['x,"y', "x", "x,y,z,q", 'x,"y"z,q', '"x,y,z', 'x,y,"z"z'])


@settings(max_examples=30, deadline=None)
@given(records=st.lists(st.tuples(st.booleans(), GOOD, BAD), min_size=1, max_size=12))
def test_every_good_row_is_saved_from_a_damaged_file(
    desk: Desk, records: list[tuple[bool, str, str]]
) -> None:
    content = "a,b,c\n"
    good: list[int] = []
    bad: list[int] = []
    for is_good, one, other in records:
        line = content.count("\n") + 1
        (good if is_good else bad).append(line)
        content += f"{one if is_good else other}\n"
    rows = desk.read(reader(columns=ANSWERS), content)
    assert [row["line_number"] for row in rows] == good
    assert [line for _, line, _ in desk.quarantined] == bad


@settings(max_examples=25, deadline=None)
@given(contents=st.lists(st.binary(max_size=200) | HOSTILE.map(str.encode), min_size=4, max_size=4))
def test_no_content_stops_a_load(desk: Desk, contents: list[bytes]) -> None:
    desk.read(reader(columns=ANSWERS), *contents[:2], *(b"a,b\n" + text for text in contents[2:]))


# -- real exports ----------------------------------------------------------------------------------

EXPORTS = SHARED / "data" / "landing" / "surveys"


@pytest.fixture
def read_export(desk: Desk) -> Any:
    if not EXPORTS.is_dir():
        pytest.skip(f"the real exports are not at {EXPORTS}")
    contracts = read_contracts(REPOSITORY / "data" / "sources" / "examples")

    def read(name: str) -> list[dict[str, Any]]:
        found = contracts.survey_mapping_for(f"surveys/{name}")
        assert found is not None
        return desk.read(SurveyReader(found), Path(EXPORTS / name).read_bytes())

    return read


def test_the_new_coder_survey_has_371_reports_without_a_date(desk: Desk, read_export: Any) -> None:
    rows = read_export("freecodecamp_2016.csv")
    assert len(rows) == 15_653
    assert [row["line_number"] for row in rows] == list(range(2, 15_655))
    assert desk.quarantined == []
    assert len({row["response_id"] for row in rows}) == 15_653
    assert len({row["row_hash"] for row in rows}) == 15_653
    repeated = [row["respondent_key"] for row in rows]
    assert len(set(repeated)) == 15_653 - 455
    often = [number for number in Counter(repeated).values() if number > 1]
    assert (len(often), sum(often)) == (374, 829)
    reports = [row for row in rows if row["is_outcome_report"]]
    assert len(reports) == 371
    assert {(row["outcome_type"], row["outcome_date"], row["credited"]) for row in reports} == {
        ("new_job", None, None)
    }
    salaries = [row["numbers"]["salary"] for row in rows if "salary" in row["numbers"]]
    assert (len(salaries), min(salaries), max(salaries)) == (343, 0, 1e18)
    assert Counter(name for row in rows for name in row["implausible"]) == {
        "hours_a_week": 46,
        "months_since_bootcamp": 2,
        "months_programming": 34,
        "salary": 31,
    }
    assert not any({"salary", "hours_a_week"} & row["answers"].keys() for row in rows)
    assert desk.counts[0].newest_at == datetime(2016, 5, 2, 19, 12, 44)


def test_the_longterm_survey_has_402_scores_and_a_period(desk: Desk, read_export: Any) -> None:
    rows = read_export("carpentries_longterm_2017.csv")
    assert len(rows) == 476
    assert desk.quarantined == []
    assert sum(row["nps_score"] is not None for row in rows) == 402
    assert {(row["submitted_at"], row["period"]) for row in rows} == {(None, date(2017, 6, 1))}
    assert len({row["row_hash"] for row in rows}) == 476


def test_an_agree_scale_of_instructor_training_does_not_become_a_score(
    desk: Desk, read_export: Any
) -> None:
    rows = read_export("carpentries_instructor_training_2018.csv")
    assert len(rows) == 967
    assert desk.quarantined == []
    scores = {row["nps_score"] for row in rows}
    assert sum(row["nps_score"] is not None for row in rows) == 889
    assert scores - {None} <= {str(score) for score in range(11)}
    assert rows[0]["submitted_at"] == datetime(2018, 9, 8, 15, 29)
    assert min(row["submitted_at"] for row in rows) == datetime(2016, 6, 9, 10, 36)
