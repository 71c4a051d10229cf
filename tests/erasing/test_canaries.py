"""No identifier is anywhere downstream of the landing folder; the search for them can find."""

from __future__ import annotations

import base64
import gzip
import re
import sqlite3
from pathlib import Path

import duckdb
import pytest

from orchestration.loading.load import SOURCE_TABLES
from tests.end_to_end.conftest import School
from tests.erasing.canaries import (
    ANN,
    BEN,
    CAT,
    DEE,
    EVERYBODY,
    MARK,
    PEOPLE,
    WORDS,
    Person,
    elsewhere,
    find_in_bytes,
    find_in_file,
    numbers_of,
    plant,
    search,
    words_of,
    zendesk,
)
from tests.erasing.conftest import run


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


# What of a person may be in a file, by the canary's beginning.
_COMMENTS = tuple(f"{person.letter}comment" for person in EVERYBODY)
_PATHS = (DEE.letter,)


def leaks(path: Path, *allowed: str, paths_of: tuple[Person, ...] = ()) -> list[str]:
    """What stands in a file and may not.

    Args:
        path: of the file.
        allowed: how words may begin.
        paths_of: people whose numbers may be there, in names of files.
    """
    others = [person for person in EVERYBODY if person not in paths_of]
    found = [f"a number: {around}" for around in find_in_file(path, numbers_of(*others))]
    for around in find_in_file(path, WORDS):
        # Statistics of a column keep the first letters of its least and greatest value.
        letters = re.findall(f"{MARK}[a-z]*", around.lower())
        words = [part for told in letters for part in told.split(MARK)[1:]]
        if not words:
            found.append(f"encoded: {around}")
        for word in words:
            if not any(word.startswith(one) or one.startswith(word) for one in allowed):
                found.append(f"a word: {around}")
    return found


def test_where_comments_may_be_everything_else_is_a_leak(tmp_path: Path) -> None:
    comment = ANN.word("comment", "survey")
    planted = {
        ANN.phone: "a number",
        f"call {BEN.phone[1:]} now": "a number",
        CAT.address: "a number",
        ANN.phone.encode().hex(): "a number",
        base64.b64encode(b"?" + ANN.address.encode()).decode(): "a number",
        " ".join(re.findall("..?", ANN.phone[1:])): "a number",
        ANN.email: "a word",
        BEN.user: "a word",
        ANN.email.encode().hex(): "encoded",
        base64.b64encode(b"??" + ANN.user.encode()).decode(): "encoded",
        DEE.phone: "a number",
        DEE.email: "a word",
    }
    for number, (value, told) in enumerate(planted.items()):
        path = tmp_path / f"{number}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table t as select $1 as a, $2 as b", [comment, value])
        assert {leak.partition(":")[0] for leak in leaks(path, *_COMMENTS)} == {told}, value
        allowed = leaks(path, *_COMMENTS, *_PATHS, paths_of=(DEE,))
        assert bool(allowed) == (value not in (DEE.phone, DEE.email)), value
    with duckdb.connect(str(tmp_path / "good.duckdb")) as connection:
        connection.execute("create table t as select $1 as a", [comment])
    assert leaks(tmp_path / "good.duckdb", *_COMMENTS) == []


@pytest.mark.parametrize("person", [*PEOPLE, CAT], ids=lambda person: person.letter)
def test_every_kind_of_canary_is_planted(canary_school: School, person: Person) -> None:
    """The search of landing finds them all: what is not found downstream was there to be found."""
    found = search(canary_school.settings.landing, words=words_of(person))
    told = " ".join(words for words_in_file in found.values() for words in words_in_file)
    for wanted in (person.email, person.user, person.device, *person.numbers):
        assert wanted.lower() in told.lower()
    for kind in ("name", "comment"):
        assert person.word(kind) in told
    # All of the exports, but for the hour that is Ben's alone and the files that are Ann's.
    assert len(found) >= 15


def test_canaries_are_in_good_and_broken_lines_of_all_sources(canary_school: School) -> None:
    with duckdb.connect(str(canary_school.settings.warehouse), read_only=True) as warehouse:
        ledger = warehouse.execute(
            "select source, landed_path, loaded, quarantined from raw.loaded_files"
        ).fetchall()
    surveys = {"alumni_survey", "coach_entries", "contracts", "nps_quarterly"}
    good, broken = set(), set()
    for source, path, loaded, quarantined in ledger:
        if not find_in_file(canary_school.settings.landing / path):
            continue
        mapping = next((name for name in surveys if name in path), source)
        good |= {mapping} if loaded else set()
        broken |= {mapping} if quarantined else set()
    sources = (SOURCE_TABLES.keys() - {"surveys"}) | surveys
    assert (good, broken) == (sources, sources)


def test_no_identifier_is_downstream_and_comments_only_where_they_may_be(
    canary_school: School,
) -> None:
    """Comments are masked and kept in the restricted file, and in the warehouse it is made from.

    The warehouse has the paths of files besides. Both are readable by the account that runs
    northstar alone.
    """
    school = canary_school
    restricted = (school.data / "published" / "restricted.duckdb").resolve()
    warehouse = school.settings.warehouse.resolve()

    assert _found_downstream(school) <= {restricted, warehouse}
    for path in (restricted, warehouse):
        assert path.stat().st_mode & 0o077 == 0
    assert leaks(restricted, *_COMMENTS) == []
    found = leaks(warehouse, *_COMMENTS, *_PATHS, paths_of=(DEE,))
    assert found == [], "\n".join(found)
    told = " ".join(around for path in (restricted, warehouse) for around in find_in_file(path))
    assert "zqcanaryanncommentsurvey" in told
    # What nobody asked for stays out: comments of coaches, tickets, calls and events.
    for place in ("coach", "ticket", "audit", "change", "rating", "event", "subject"):
        assert f"comment{place}" not in told


def _found_downstream(school: School) -> set[Path]:
    """Files that hold canaries, but for exports."""
    places = [path for path in school.data.iterdir() if path != school.settings.landing]
    found = search(*places, school.repository / "dbt_project")
    return {(school.data / name).resolve() for name in found}


def test_names_are_stored_and_published_masked(canary_school: School) -> None:
    with duckdb.connect(str(canary_school.settings.warehouse), read_only=True) as warehouse:
        fields = warehouse.execute(
            "select distinct field from raw.unknown_fields where contains(field, '[') order by 1"
        ).fetchall()
        paths = warehouse.execute("select path from raw.loaded_files").fetchall()
    assert [field for (field,) in fields] == [
        "[e-mail]",
        "app: [number]",
        "event_properties.[e-mail]",
        "event_properties.of [phone]",
        "event_type: call [phone]",
        "event_type: mail to [e-mail]",
        "plan: [e-mail] monthly",
        "plan: [number]",
        "user_properties.[e-mail]",
        "user_properties.[number]",
    ]
    assert sum(DEE.email in path or DEE.phone in path for (path,) in paths) == 5
    assert canary_school.query(
        "select path, duplicate_of from ops.loaded_files where contains(path, '[') order by path"
    ) == [
        ("amplitude/of [phone]/[e-mail].zip::[e-mail]/100042_2025-05-06_10#0.json (1)", None),
        ("papers/[e-mail] [phone].docx (1)", None),
        ("surveys/[e-mail].csv (1)", None),
        ("surveys/nps_quarterly_[phone].csv (1)", None),
        ("surveys/nps_quarterly_copy of [e-mail].csv (1)", "surveys/nps_quarterly_[phone].csv (1)"),
    ]
    # Reports name the files that the list has.
    assert canary_school.query(
        "select count(*), count(distinct source_file) from outcomes.fct_outcome_reports "
        "where source_file not in (select path from ops.loaded_files)"
    ) == [(0, 0)]


def test_what_runs_print_and_record_holds_nothing_whether_they_end_well_or_not(
    canary_school: School, tmp_path: Path
) -> None:
    school = canary_school.copy_data(tmp_path / "data")
    plant(
        school.settings.landing,
        {
            f"{DEE.email}/zendesk/{name}": content
            for name, content in {
                "calls_more.json": elsewhere()["zendesk/calls_cat.json"] + b"\n",
                "users_more.json": zendesk()["zendesk/users_lines.json"] + b"\n",
            }.items()
        },
    )

    stopped = run(school, "run", NORTHSTAR_MAX_QUARANTINED_SHARE="0.01")
    # In the log of its steps there is more than what it prints.
    assert stopped.returncode == 1
    assert "few_rows_are_quarantined" in stopped.stderr + stopped.stdout
    warehouse = school.settings.warehouse.resolve()
    restricted = (school.data / "published" / "restricted.duckdb").resolve()
    assert _found_downstream(school) <= {warehouse, restricted}
    ended = run(school, "run")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert _found_downstream(school) <= {
        warehouse,
        (school.data / "published" / "restricted.duckdb").resolve(),
        restricted,
    }

    for text in (stopped.stdout, stopped.stderr, ended.stdout, ended.stderr):
        assert find_in_bytes(text.encode()) == set()
    found = leaks(warehouse, *_COMMENTS, *_PATHS, paths_of=(DEE,))
    assert found == [], "\n".join(found)
