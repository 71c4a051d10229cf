"""What lies in the landing folder, told from names and bytes."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.landing import take_inventory
from orchestration.landing.archives import (
    BYTES_FOLLOW,
    Limits,
    StoredFile,
    StoredStream,
    UnreadableArchiveError,
    inflate,
    list_members,
    open_stored,
)
from orchestration.landing.names import read_name


def inflated(content: bytes, limit: int = 10**9) -> tuple[str | None, bytes]:
    output = io.BytesIO()
    stream = StoredStream(io.BytesIO(content), limit, Limits())
    return inflate(stream, output), output.getvalue()


@pytest.mark.parametrize(
    ("path", "source", "project", "hour"),
    [
        ("amplitude/1_2024-01-02_3#0.json.gz", "amplitude_events", "1", 3),
        ("a.zip/1/1_2024-01-02_03#12.json.gz", "amplitude_events", "1", 3),
        ("1_2024-01-02_23.json", "amplitude_events", "1", 23),
        ("amplitude/-77_2024-01-02_3.json.gz", "amplitude_merges", None, None),
        ("zendesk/tickets/page-1.json", "zendesk_tickets", None, None),
        ("zendesk/ticket_events_2024.ndjson.gz", "zendesk_ticket_events", None, None),
        ("zendesk/tickets_2024.json", "zendesk_tickets", None, None),
        ("satismeter/2024.json", "satismeter", None, None),
        ("coaches/entries.csv", "surveys", None, None),
        ("amplitude/1_2024-13-02_3#0.json.gz", None, None, None),
        ("zendesk/macros.json", None, None, None),
        ("readme.docx", None, None, None),
    ],
)
def test_a_name_tells_source_project_and_hour(
    path: str, source: str | None, project: str | None, hour: int | None
) -> None:
    name = read_name(path)
    assert (name.source, name.project) == (source, project)
    assert name.hour == (datetime(2024, 1, 2, hour) if hour is not None else None)
    assert (name.remedy is not None) == (source is None)


def test_an_inventory_lists_files_and_passes_over_what_is_hidden_or_unfinished(
    tmp_path: Path,
) -> None:
    for name in ("b/2.csv", "a.zip", ".hidden", "b/.DS_Store", "b/3.csv.part"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    inventory = take_inventory(tmp_path)
    assert [file.path for file in inventory.files] == ["a.zip", "b/2.csv"]
    assert take_inventory(tmp_path / "absent").files == ()


def test_the_digest_changes_when_a_file_comes_changes_or_goes(tmp_path: Path) -> None:
    def digest() -> str:
        return take_inventory(tmp_path).digest

    digests = [digest()]
    (tmp_path / "a").write_text("1")
    digests.append(digest())
    (tmp_path / "a").write_text("22")
    digests.append(digest())
    (tmp_path / "a").rename(tmp_path / "b")
    digests.append(digest())
    assert len(set(digests)) == len(digests)
    (tmp_path / "b").unlink()
    assert digest() == digests[0]


@given(
    st.lists(
        st.binary(max_size=300).filter(lambda part: not part.startswith(b"\x1f\x8b")),
        min_size=1,
        max_size=4,
    )
)
def test_gzip_members_in_a_row_are_one_content(parts: list[bytes]) -> None:
    content = b"".join(gzip.compress(part) for part in parts)
    assert inflated(content) == (None, b"".join(parts))


def test_content_that_is_no_gzip_is_taken_as_it_is() -> None:
    assert inflated(b"plain") == (None, b"plain")
    assert inflated(b"") == (None, b"")


def test_a_truncated_gzip_gives_what_can_be_read() -> None:
    original = random.Random(1).randbytes(3_000_000)
    damage, content = inflated(gzip.compress(original)[:-100_000])
    assert damage == "truncated gzip"
    assert len(content) > 2_000_000
    assert original.startswith(content)


def test_bytes_after_a_gzip_are_damage_unless_they_are_padding() -> None:
    assert inflated(gzip.compress(b"x") + b"\0\0") == (None, b"x")
    assert inflated(gzip.compress(b"x") + b"zz") == (BYTES_FOLLOW, b"x")


def test_a_gzip_that_lost_a_part_is_not_taken_for_whole() -> None:
    first, second = gzip.compress(b"one,\n"), gzip.compress(b"two\n")
    for at in range(3):
        damaged = bytearray(second)
        damaged[at] ^= 1
        damage, content = inflated(first + bytes(damaged))
        assert damage not in (None, BYTES_FOLLOW)
        assert content == b"one,\n"
    assert inflated(first + b"zz" + second)[0] not in (None, BYTES_FOLLOW)
    wrong_sum = first[:-8] + bytes([first[-8] ^ 1]) + first[-7:]
    assert inflated(wrong_sum + b"zz")[0] not in (None, BYTES_FOLLOW)


def test_inflating_is_bounded() -> None:
    damage, content = inflated(gzip.compress(b"a" * 100_000_000), limit=1_000_000)
    assert damage == Limits().told
    assert content == b""


def test_members_of_a_zip_are_listed_by_name_and_opened_in_one_go(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("2.json", b"two")
        archive.writestr("../1.json", b"one")
        archive.mkdir("folder")
    members = list_members(tmp_path / "a.zip", "a.zip")
    assert all(isinstance(member, StoredFile) for member in members)
    assert [member.path for member in members] == ["a.zip::../1.json", "a.zip::2.json"]
    paths = [member.path or "" for member in members]
    contents = [stream.read() for _, stream in open_stored(tmp_path, paths)]
    assert contents == [b"one", b"two"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


@pytest.mark.parametrize("damage", ["cut", "twice"])
def test_a_damaged_zip_says_why(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.json", b"one" * 100)
        if damage == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("1.json", b"two")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UnreadableArchiveError, match="zip"):
        list_members(path, "a.zip")


def test_a_damaged_member_costs_itself_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("1.json", "2.json", "__MACOSX/._1.json", ".DS_Store"):
            archive.writestr(name, name.encode() * 9)
        link = zipfile.ZipInfo("link.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    path.write_bytes(path.read_bytes().replace(b"2.json2.json2", b"2.jsonX.json2"))

    members = {member.path: member for member in list_members(path, "a.zip")}

    assert isinstance(members.pop("a.zip::1.json"), StoredFile)
    assert {name: str(why) for name, why in members.items()} == {
        "a.zip::2.json": "damaged in its zip (BadZipFile); export it again",
        "a.zip::link.json": "a symbolic link, which is not followed; land the file itself",
    }


@pytest.mark.parametrize(
    ("name", "damaged_name"),
    [("../1.json", "..-1.json"), ("a/1.json", "a/..json"), ("1.json", "1.jso/")],
)
def test_a_damaged_name_that_looks_like_a_hidden_one_or_a_folder_is_told(
    tmp_path: Path, name: str, damaged_name: str
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for one in (name, "2.json", "folder/"):
            archive.writestr(one, b"")
    before, _, after = path.read_bytes().rpartition(name.encode())  # the last one: the directory's
    path.write_bytes(before + damaged_name.encode() + after)

    members = {member.path: member for member in list_members(path, "a.zip")}

    assert str(members.pop(f"a.zip::{damaged_name}")) == (
        "damaged in its zip (BadZipFile); export it again"
    )
    assert list(members) == ["a.zip::2.json"]


def test_a_zip_whose_names_are_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("\N{LATIN SMALL LETTER E WITH ACUTE}.json", b"x")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    with pytest.raises(UnreadableArchiveError, match=r"cannot be read \(UnicodeDecodeError\)"):
        list_members(path, "a.zip")


def test_a_member_may_inflate_to_so_many_times_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b"0" * 20_000_000)
    (refused,) = list_members(path, "a.zip")
    assert str(refused) == Limits().told
    (taken,) = list_members(path, "a.zip", Limits(ratio=1_100))
    assert isinstance(taken, StoredFile)
