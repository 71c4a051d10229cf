"""No identifier is anywhere downstream of the landing folder; the search for them can find."""

from __future__ import annotations

import base64
import gzip
import re
import sqlite3
from pathlib import Path

import duckdb
import pytest

from tests.end_to_end.conftest import School
from tests.erasing.canaries import ANN, MARK, PEOPLE, find_in_file, search, words_of


def test_the_search_finds_canaries_however_they_are_written(tmp_path: Path) -> None:
    email = ANN.email.encode()
    written = {
        "utf8": b"x" + email,
        "upper": email.upper(),
        "utf16": ANN.email.encode("utf-16-le"),
        "big": ANN.email.encode("utf-16-be"),
        "hex": email.hex().encode(),
        "base64": base64.b64encode(email),
        "base64_1": base64.b64encode(b"?" + email),
        "base64_2": base64.b64encode(b"??" + email),
        "gz": b"junk" + gzip.compress(b"many words " * 99 + email) + b"junk",
        "phone": ANN.phone.encode(),
        "address": ANN.address.encode(),
    }
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    with duckdb.connect(str(tmp_path / "compressed.duckdb")) as connection:
        connection.execute(
            "create table t as select {'a': ['" + ANN.word("name") + "' || i % 3]} as nested, "
            f"'{ANN.user}' as id from range(100000) as r(i)"
        )
        connection.execute(f"copy t to '{tmp_path / 't.parquet'}' (compression zstd)")
    with sqlite3.connect(tmp_path / "storage.db") as storage:
        storage.execute("create table t (text)")
        # Longer than a page: the words at its border are torn apart in the file.
        storage.execute("insert into t values (?)", ["".join(ANN.word("name") for _ in range(999))])

    assert set(written) | {"compressed.duckdb", "t.parquet", "storage.db"} == {
        Path(name).name for name in search(tmp_path, words=words_of(ANN))
    }
    (tmp_path / "clean").write_bytes(b"nothing of the kind")
    assert find_in_file(tmp_path / "clean") == set()


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.letter)
def test_every_kind_of_canary_is_planted(canary_school: School, person: object) -> None:
    """The search of landing finds them all: what is not found downstream was there to be found."""
    from tests.erasing.canaries import Person

    assert isinstance(person, Person)
    found = search(canary_school.settings.landing, words=words_of(person))
    told = " ".join(words for words_in_file in found.values() for words in words_in_file)
    for wanted in (person.email, person.user, person.device, *person.numbers):
        assert wanted.lower() in told.lower()
    for kind in ("name", "comment"):
        assert person.word(kind) in told
    # All of the exports, but for the hour that is Ben's alone and the files that are Ann's.
    assert len(found) >= 15


def test_no_identifier_is_downstream_and_comments_only_where_they_may_be(
    canary_school: School,
) -> None:
    """Comments are masked and kept in the restricted file, and in the warehouse it is made from.

    Both are readable by the account that runs northstar alone.
    """
    school = canary_school
    places = [path for path in school.data.iterdir() if path != school.settings.landing]

    found = search(*places, school.repository / "dbt_project")

    with_comments = {school.settings.warehouse, school.data / "published" / "restricted.duckdb"}
    assert {school.data / name for name in found} <= {path.resolve() for path in with_comments}
    for path in with_comments:
        assert path.resolve().stat().st_mode & 0o077 == 0
        for around in find_in_file(path.resolve()):
            # Statistics of a column keep the first letters of its least and greatest value.
            letters = re.findall(f"{MARK}[a-z]*", around.lower())
            for word in (part for found in letters for part in found.split(MARK)[1:]):
                comments = [f"{person.letter}comment" for person in PEOPLE]
                assert any(word.startswith(one) or one.startswith(word) for one in comments), around
    told = " ".join(around for path in with_comments for around in find_in_file(path.resolve()))
    assert "zqcanaryanncommentsurvey" in told
    # What nobody asked for stays out: comments of coaches, tickets, calls and events.
    for place in ("coach", "ticket", "audit", "change", "rating", "event", "subject"):
        assert f"comment{place}" not in told
