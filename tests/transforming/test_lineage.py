"""The columns that a query's columns are made from, read once for each query."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlglot.errors import SqlglotError

from orchestration.transforming import lineage
from orchestration.transforming.lineage import KeptLineage, Source, column_lineage

TABLES = {("raw", "scores"): {"learner": "VARCHAR", "score": "INTEGER", "bonus": "INTEGER"}}
SQL = """
    with all_scores as (select * from raw.scores)
    select learner, score + bonus as total, 1 as one from all_scores
    """
EXPECTED = {
    "learner": [Source("raw", "scores", "learner")],
    "total": [Source("raw", "scores", "bonus"), Source("raw", "scores", "score")],
    "one": [],
}


def refuse(*_: object) -> None:
    raise AssertionError("read again")


def test_the_columns_come_from_where_they_come_from() -> None:
    assert column_lineage(SQL, TABLES) == EXPECTED


def test_a_query_that_was_read_before_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptLineage(tmp_path / "lineage.json")
    assert kept.of(SQL, TABLES) == EXPECTED
    kept.save()

    again = KeptLineage(tmp_path / "lineage.json")
    with monkeypatch.context() as patched:
        patched.setattr(lineage, "column_lineage", refuse)
        assert again.of(SQL, TABLES) == EXPECTED
        with pytest.raises(AssertionError, match="read again"):
            again.of(SQL.replace("bonus", "score"), TABLES)
        with pytest.raises(AssertionError, match="read again"):
            again.of(SQL, {("raw", "scores"): {**TABLES["raw", "scores"], "new": "DATE"}})
        patched.setattr(lineage, "version", lambda _: "of tomorrow")
        with pytest.raises(AssertionError, match="read again"):
            KeptLineage(tmp_path / "lineage.json").of(SQL, TABLES)


@pytest.mark.parametrize("content", ["", "{", "[]", "\udcff".encode("utf-8", "replace").decode()])
def test_a_damaged_file_costs_time_only(tmp_path: Path, content: str) -> None:
    (tmp_path / "lineage.json").write_text(content)
    kept = KeptLineage(tmp_path / "lineage.json")
    assert kept.of(SQL, TABLES) == EXPECTED
    kept.save()
    assert KeptLineage(tmp_path / "lineage.json").of(SQL, TABLES) == EXPECTED


def test_what_cannot_be_read_fails_each_time_and_is_not_kept(tmp_path: Path) -> None:
    kept = KeptLineage(tmp_path / "lineage.json")
    for _ in range(2):
        with pytest.raises(SqlglotError):
            kept.of("select from where", TABLES)
    kept.save()
    assert not (tmp_path / "lineage.json").exists()
