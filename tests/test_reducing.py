"""Of an error that may quote a value only its kind is told."""

from __future__ import annotations

import duckdb
import pytest

from orchestration.disk import disk_full
from orchestration.errors import TransformError
from orchestration.reducing import reduced
from orchestration.settings import Settings

ADDRESS = "anna@example.org"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select answer::int from answers", "Conversion Error"),
        ("select error(answer) from answers", "Invalid Input Error"),
        ("insert into answers from answers", "Constraint Error"),
        (
            "insert into answers values (null)",
            "Constraint Error: NOT NULL constraint failed: answers.answer",
        ),
        (
            "insert into answers values ('anna@example.org, who is checked')",
            'Constraint Error: CHECK constraint failed on table "answers" with expression '
            "CHECK((length(answer) < 20))",
        ),
        ("select strptime(answer, '%Y') from answers", "Invalid Input Error"),
        (
            "select nobody from answers",
            'Binder Error: Referenced column "nobody" not found in FROM clause! Candidate '
            'bindings: "answer"',
        ),
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
    ],
)
def test_kinds_that_quote_values_are_told_without_their_text(sql: str, told: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "create table answers (answer varchar primary key check (length(answer) < 20))"
        )
        connection.execute("insert into answers values (?)", [ADDRESS])
        with pytest.raises(duckdb.Error) as error:
            connection.execute(sql).fetchall()

    assert reduced(error.value) == told
    heading = "Runtime Error in model odd (models/marts/odd.sql)\n  "
    assert reduced(heading + str(error.value).replace("\n", "\n  ")) == told
    assert ADDRESS not in told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Runtime Error in test odd (tests/odd.sql)\n  anna@example.org", "Runtime Error"),
        ("Database Error in model odd\n  anna@example.org", "Database Error"),
        (
            "Compilation Error in model odd (models/odd.sql)\n  'nobody' is\n  undefined",
            "Compilation Error: 'nobody' is undefined",
        ),
        ("could not convert anna@example.org", "an error of an unknown kind"),
        ("anna@example.org IO Error: no", "an error of an unknown kind"),
    ],
)
def test_dbts_own_words_are_told_where_they_are_about_its_templates(said: str, told: str) -> None:
    assert reduced(said) == told


def test_an_error_without_a_kind_is_told_by_its_class() -> None:
    assert reduced(ValueError(ADDRESS)) == "ValueError"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'IO Error: Could not write file "w.duckdb": No space left on device',
            'IO Error: Could not write file "w.duckdb": No space left on device',
        ),
        (
            "TransactionContext Error: Failed to commit: anna@example.org: File too large",
            "TransactionContext Error: file too large",
        ),
        (
            'FATAL Error: Failed: database has been invalidated. Original error: "no space left on '
            'device"',
            "FATAL Error: no space left on device",
        ),
    ],
)
def test_a_full_disk_is_still_found_in_what_is_told(said: str, told: str) -> None:
    assert reduced(f"Runtime Error in model odd (models/odd.sql)\n  {said}") == told
    assert disk_full(TransformError(told), Settings()) is not None
