from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestration.demo import MARKER_NAME, foreign_files, is_vacant, read_marker, remove_demo
from orchestration.errors import LandingError
from tests.demo.exports import Demo


@pytest.fixture
def landing(demo: Demo, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo.landing, tmp_path / "landing"))


def a_demo_file(landing: Path) -> Path:
    return landing / "coaches" / "coach_entries_2026.csv"


def test_a_demo_on_its_own_has_no_foreign_files(landing: Path) -> None:
    assert foreign_files(landing) == []


def test_without_a_marker_no_file_is_foreign(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("a\n")
    assert foreign_files(tmp_path) == []
    assert foreign_files(tmp_path / "absent") == []


def test_own_files_beside_the_demo_are_foreign(landing: Path) -> None:
    own = landing / "coaches" / "own.csv"
    own.write_text("a\n")
    (landing / ".DS_Store").write_text("litter")
    assert foreign_files(landing) == [own]


def test_a_demo_file_that_was_changed_is_foreign(landing: Path) -> None:
    a_demo_file(landing).write_text("a\n")
    assert foreign_files(landing) == [a_demo_file(landing)]


def test_removing_the_demo_leaves_an_empty_folder(landing: Path) -> None:
    assert remove_demo(landing) == []
    assert landing.is_dir()
    assert list(landing.iterdir()) == []
    assert is_vacant(landing)


def test_removing_the_demo_keeps_what_it_did_not_write(landing: Path) -> None:
    own = landing / "amplitude" / "100042" / "own.json.gz"
    own.write_bytes(b"own")
    a_demo_file(landing).write_text("corrected by hand\n")
    assert remove_demo(landing) == [own, a_demo_file(landing)]
    assert sorted(path for path in landing.rglob("*") if path.is_file()) == [
        own,
        a_demo_file(landing),
    ]
    assert not (landing / "zendesk").exists()


def test_removing_twice_does_no_harm(landing: Path) -> None:
    remove_demo(landing)
    own = landing / "own.csv"
    own.write_text("a\n")
    assert remove_demo(landing) == [own]
    assert own.read_text() == "a\n"


def test_removing_from_a_folder_without_a_marker_removes_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("a\n")
    assert remove_demo(tmp_path) == [own]


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/hostname", "a/../../outside.csv"])
def test_a_marker_that_names_files_outside_is_refused(landing: Path, name: str) -> None:
    outside = landing.parent / "outside.csv"
    outside.write_text("a\n")
    content = json.loads((landing / MARKER_NAME).read_text())
    content["files"][name] = "0" * 64
    (landing / MARKER_NAME).write_text(json.dumps(content))
    with pytest.raises(LandingError, match="outside of the landing folder"):
        remove_demo(landing)
    assert outside.exists()
    assert a_demo_file(landing).exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"files": 3}'])
def test_a_damaged_marker_stops_with_a_sentence(landing: Path, content: bytes) -> None:
    (landing / MARKER_NAME).write_bytes(content)
    for read in (read_marker, foreign_files, remove_demo):
        with pytest.raises(LandingError, match="cannot be read"):
            read(landing)
    assert a_demo_file(landing).exists()


def test_a_link_in_place_of_a_demo_file_is_left_alone(landing: Path) -> None:
    target = landing.parent / "target.csv"
    a_demo_file(landing).rename(target)
    a_demo_file(landing).symlink_to(target)
    remove_demo(landing)
    assert target.exists()
    assert a_demo_file(landing).is_symlink()
