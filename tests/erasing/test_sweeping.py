"""However a file is written or stored: the person goes, or the file is named."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts import Contracts
from orchestration.erasing.sweeping import Swept, recover_ids, sweep
from orchestration.landing.archives import BYTES_FOLLOW, open_stored
from orchestration.landing.archives import inflate as inflate_stored
from orchestration.settings import Settings
from orchestration.tombstones import (
    Trace,
    message,
    read_tombstones,
    tombstone_hash,
    tombstone_key,
    write_tombstone,
)
from tests.loading.readers import mapping

HOUR = "4242_2024-01-01_{}#0.json"
ANN, BEN = "ann-of-the-tests", "ben-of-the-tests"
UNTIL = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def school(tmp_path: Path) -> Settings:
    """Settings with a landing folder of their own."""
    school = Settings(data_dir=tmp_path / "data")
    school.landing.mkdir(parents=True)
    return school


def erase(
    school: Settings,
    *ids: tuple[str, str],
    contracts: Contracts | None = None,
    is_resumed: bool = False,
) -> Swept:
    """Sweep the landing folder for a person with these ids; or with what is left of them."""
    contracts = contracts or Contracts()
    key = tombstone_key(school)
    traces = [
        Trace(hash=tombstone_hash(key, told), until=UNTIL)
        for one in ids
        if (told := message(*one)) is not None
    ]
    stone = write_tombstone(school, "own", written_at=UNTIL, traces=traces)
    found = set(ids)
    if is_resumed:
        found = recover_ids(school, contracts, stone, read_tombstones(school, "own").key)
    return sweep(school, "own", contracts, stone, found)


def event(user: str, **changes: Any) -> dict[str, Any]:
    """An event of somebody."""
    at = "2024-01-01 10:00:00"
    return {"user_id": user, "event_time": at, "server_upload_time": at, **changes}


def lines(*users: str) -> bytes:
    """A file of events."""
    return b"".join(json.dumps(event(user)).encode() + b"\n" for user in users)


def land(school: Settings, name: str, content: bytes) -> Path:
    """Write an export."""
    path = school.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# -- however it is written ---------------------------------------------------------------------

ODD_IDS = ("jörgen-östlund", 'ann "the" nose', "ann\\nose\\", "ann-😀-ann", "o'nn''ann", "añn")


@pytest.mark.parametrize("user", ODD_IDS)
@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("is_ascii", [False, True])
def test_an_id_is_found_in_json_however_it_is_escaped(
    school: Settings, user: str, is_ascii: bool, is_resumed: bool
) -> None:
    hers, kept = (
        json.dumps(event(one), ensure_ascii=is_ascii).replace("/", "\\/").encode() + b"\n"
        for one in (user, BEN)
    )
    path = land(school, HOUR.format(1), hers + kept + hers[:-30] + b"\n")

    swept = erase(school, ("user", user), is_resumed=is_resumed)

    assert path.read_bytes() == kept
    assert (swept.rows["amplitude_events"], swept.broken) == (1, 1)


@pytest.mark.parametrize("user", ODD_IDS)
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-16", "utf-32"])
def test_an_id_is_found_in_a_csv_of_any_encoding(
    school: Settings, user: str, encoding: str
) -> None:
    if encoding == "cp1252" and "😀" in user:
        pytest.skip("cannot be written so")
    told = mapping(
        columns={"user_id": {"header": "Who"}, "period": {"constant": "2024-01-01"}},
        format={"encoding": encoding},
    )
    header = "Who,What\r\n"
    quoted = user.replace('"', '""')
    whole = f'{header}"{quoted}",1\r\n{BEN},"2 é"\r\n'
    path = land(school, "answers.csv", whole.encode(encoding))

    swept = erase(school, ("user", user), contracts=Contracts(survey_mappings=[told]))

    assert path.read_bytes() == f'{header}{BEN},"2 é"\r\n'.encode(encoding)
    assert swept.rows["surveys"] == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_page_is_read_in_the_encoding_that_its_mark_says(school: Settings, encoding: str) -> None:
    rows = [{"id": n, "email": f"{who}@x.org"} for n, who in enumerate((ANN, BEN))]
    path = land(school, "zendesk/users.json", json.dumps({"users": rows}).encode(encoding))

    erase(school, ("email", f"{ANN}@x.org"))

    assert json.loads(path.read_bytes().decode(encoding)) == {"users": rows[1:]}


@pytest.mark.parametrize(
    ("around", "address"),
    [
        ("Hello,\n{}\twrote", "ann.x@example.org"),
        ("<{}>", "ann.x@example.org"),
        ("as {} said", "änn.x@example.org"),
        ('"{}"', '"ann x"@example.org'),
    ],
)
@pytest.mark.parametrize("escapes", ["none", "some", "all"])
def test_an_address_is_blanked_in_the_rows_of_others_however_it_is_written(
    school: Settings, around: str, address: str, escapes: str
) -> None:
    row = {"id": 7, "requester_id": 8, "subject": around.format(address.upper())}
    written = json.dumps(row, ensure_ascii=escapes != "none")
    if escapes == "all":  # as tools write it for HTML
        written = written.replace("<", "\\u003c").replace(">", "\\u003E").replace("@", "\\u0040")
    path = land(school, "zendesk/tickets.json", written.encode())

    swept = erase(school, ("email", address))

    assert json.loads(path.read_bytes()) == row | {"subject": around.format("")}
    assert swept.masked == 1


def test_an_answer_of_somebody_else_that_names_the_person_stays_without_the_address(
    school: Settings,
) -> None:
    told = mapping(
        columns={"email": {"header": "Mail"}, "period": {"constant": "2024-01-01"}},
    )
    header, ann, ben = "Mail,Who else?\n", "ann@x.org", "ben@x.org"
    path = land(
        school,
        "answers.csv",
        f"{header}{ben},{ann}\n{ann},{ben}\n,{ann}\n,{ben}\n".encode(),
    )

    swept = erase(school, ("email", ann), contracts=Contracts(survey_mappings=[told]))

    # Where nothing else says whose row it is, an address in any cell does.
    assert path.read_bytes() == f"{header}{ben},\n,{ben}\n".encode()
    assert (swept.rows["surveys"], swept.masked) == (2, 1)


# -- however it is stored ----------------------------------------------------------------------


def test_limits_are_those_of_the_settings(tmp_path: Path) -> None:
    """A file that loading reads, since its limits were raised, is swept; any other is named."""
    content = gzip.compress(lines(*[ANN] * 20_000, BEN))
    for ratio, unreadable in ((2, [HOUR.format(1)]), (1032, [])):
        school = Settings(data_dir=tmp_path / f"{ratio}", max_inflation_ratio=ratio)
        path = land(school, HOUR.format(1), content)

        swept = erase(school, ("user", ANN))

        assert swept.unreadable == unreadable
        assert swept.rows["amplitude_events"] == (0 if unreadable else 20_000)
        assert gzip.decompress(path.read_bytes()) == (
            gzip.decompress(content) if unreadable else lines(BEN)
        )


class _NoSeeking(io.BytesIO):
    """A zip that is written to a pipe says behind each member how large it is."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize("kind", [io.BytesIO, _NoSeeking])
def test_a_bad_member_costs_the_others_of_its_zip_nothing_and_is_named(
    school: Settings, kind: type[io.BytesIO]
) -> None:
    archive = kind()
    with zipfile.ZipFile(archive, "w") as output:
        for hour in range(4):
            output.writestr(HOUR.format(hour), lines(ANN, BEN) if hour < 3 else lines(BEN))
        output.writestr(".hidden", b"nothing of hers")
        output.comment = b"a comment"
    content = archive.getvalue()
    damaged = content.replace(lines(ANN, BEN), lines(ANN, BEN).replace(b"10:00", b"11:00"), 1)
    path = land(school, "export.zip", damaged)

    swept = erase(school, ("user", ANN))

    assert swept.unreadable == [f"export.zip::{HOUR.format(0)}"]
    assert swept.rows["amplitude_events"] == 2
    with zipfile.ZipFile(path) as after:
        assert after.testzip() == HOUR.format(0)
        assert [after.read(HOUR.format(hour)) for hour in (1, 2, 3)] == [lines(BEN)] * 3
        assert after.read(".hidden") == b"nothing of hers"
        assert after.comment == b"a comment"
    # Nobody can open it, so nobody changes it.
    assert path.read_bytes().count(ANN.encode()) == 1
    assert lines(ANN, BEN).replace(b"10:00", b"11:00") in path.read_bytes()


def test_a_gzip_with_something_behind_it_is_whole_afterwards(school: Settings) -> None:
    """A file that is cut off loses its last row: nobody knows whether it is whole."""
    path = land(school, f"{HOUR.format(1)}.gz", gzip.compress(lines(ANN, BEN)) + b"no gzip")
    assert _damage(school, path) == BYTES_FOLLOW

    swept = erase(school, ("user", ANN))

    assert _damage(school, path) is None
    assert gzip.decompress(path.read_bytes()) == lines(BEN)
    assert swept.unreadable == []


def _damage(school: Settings, path: Path) -> str | None:
    name = path.relative_to(school.landing).as_posix()
    return next(
        inflate_stored(stream, io.BytesIO()) for _, stream in open_stored(school.landing, [name])
    )


def _spreadsheet() -> bytes:
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as output:
        output.writestr("xl/sharedStrings.xml", f"<si><t>{ANN}</t></si>" * 50)
    return book.getvalue()


def _damaged_at_its_start() -> bytes:
    packed = bytearray(gzip.compress(lines(ANN, BEN)))
    packed[12:20] = b"\xff" * 8
    return bytes(packed)


CLOSED = {
    "gzip in gzip": (f"{HOUR.format(1)}.gz", gzip.compress(gzip.compress(lines(ANN)))),
    "damaged at its start": (f"{HOUR.format(1)}.gz", _damaged_at_its_start()),
    "no gzip at all": (f"{HOUR.format(1)}.gz", b"\x1e" + gzip.compress(lines(ANN) * 9)[1:]),
    "something behind it": (f"{HOUR.format(1)}.gz", gzip.compress(lines(BEN)) + ANN.encode()),
    "a spreadsheet": ("answers.xlsx", _spreadsheet()),
    "a spreadsheet that is a survey": ("surveys/answers.csv", _spreadsheet()),
    "a zip that is being copied": ("export.zip.part", _spreadsheet()),
    "a hidden spreadsheet": (".old/answers.xlsx", _spreadsheet()),
    "a broken zip": ("export.zip", _spreadsheet()[:-30]),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_what_nobody_can_look_into_is_named_and_left_alone(school: Settings, kind: str) -> None:
    name, content = CLOSED[kind]
    path = land(school, name, content)

    swept = erase(school, ("user", ANN))

    assert swept.unreadable == [name]
    assert swept.unknown == []
    assert path.read_bytes() == content


OPEN = {
    "a copy in progress": (f"{HOUR.format(1)}.gz.part", gzip.compress(lines(ANN))[:-9]),
    "a hidden file": (".answers.csv", f"{ANN},1\n".encode()),
    "a file in a hidden folder": (".old/answers.csv", f"{ANN},1\n".encode()),
    "a file without a contract": ("notes.txt", f"{ANN},1\n".encode()),
    "one in Latin-1": ("notes.txt", f"jörg {ANN}-é".encode("latin-1")),
}


@pytest.mark.parametrize("kind", OPEN)
def test_what_no_reader_looks_at_is_named_if_it_names_the_person(
    school: Settings, kind: str
) -> None:
    name, content = OPEN[kind]
    land(school, name, content)

    assert erase(school, ("user", BEN)).unknown == []
    swept = erase(school, ("user", f"{ANN}-é" if "Latin" in kind else ANN))

    assert swept.unknown == [name]
    assert swept.unreadable == []
    assert (school.landing / name).read_bytes() == content


def test_what_is_whole_and_names_nobody_is_not_named(school: Settings) -> None:
    for name, content in {
        ".DS_Store": b"\0\0\0\1Bud1" + bytes(range(32)) * 9,
        "._export.zip": b"\0\5\x16\7" * 20,
        "cut.json.gz": gzip.compress(b'{"users": []}')[:-9],
        "empty.csv": b"",
        "answers.csv": "müsli,1\n".encode("latin-1") * 9,
        f"{HOUR.format(2)}.gz": gzip.compress(lines(BEN)) + b"no gzip",
        HOUR.format(3): lines(BEN),
    }.items():
        land(school, name, content)

    swept = erase(school, ("user", ANN))

    assert (swept.unreadable, swept.unknown) == ([], [])


def test_what_is_read_lies_in_the_private_folder_that_the_next_run_empties(
    school: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = mapping(columns={"user_id": {"header": "Who"}, "period": {"constant": "2024-01-01"}})
    path = land(school, "answers.csv", f"Who\n{ANN}\n".encode())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))

    erase(school, ("user", ANN), contracts=Contracts(survey_mappings=[told]))

    assert path.read_bytes() == b"Who\n"
    assert school.scratch.stat().st_mode & 0o077 == 0
    assert list(school.scratch.iterdir()) == []
