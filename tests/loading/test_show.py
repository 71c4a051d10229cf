"""Showing one line of a landing file."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from orchestration.errors import LandingError
from orchestration.loading.show import show_line


def test_a_line_of_a_gzip_inside_a_zip(tmp_path: Path) -> None:
    (tmp_path / "amplitude").mkdir()
    member = "100042/100042_2026-05-01_3#0.json.gz"
    with zipfile.ZipFile(tmp_path / "amplitude" / "may.zip", "w") as archive:
        archive.writestr(member, gzip.compress(b'{"a": 1}\n{broken\n\n{"a": 4}'))

    path = f"amplitude/may.zip::{member}"
    assert show_line(tmp_path, path, 2) == "{broken"
    assert show_line(tmp_path, path, 3) == ""
    assert show_line(tmp_path, path, 4) == '{"a": 4}'


def test_an_element_of_a_file_of_pages(tmp_path: Path) -> None:
    (tmp_path / "zendesk").mkdir()
    pages = [
        {"tickets": [{"id": 1, "updated_at": "x"}, {"id": 2, "updated_at": "y"}], "count": 2},
        {"tickets": [{"id": 3, "updated_at": "z"}], "count": 1},
    ]
    (tmp_path / "zendesk" / "tickets.json").write_text("\n".join(map(json.dumps, pages)))

    shown = show_line(tmp_path, "zendesk/tickets.json", 3)

    assert json.loads(shown) == {"id": 3, "updated_at": "z"}


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"caf\xe9,1\n")

    assert show_line(tmp_path, "a.csv", 1) == "caf\ufffd,1"


@pytest.mark.parametrize("path", ["none.csv", "a.zip::none.json", "broken.zip::a.json"])
def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, path: str) -> None:
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    (tmp_path / "broken.zip").write_text("no zip")

    with pytest.raises(LandingError, match=r"cannot be opened\. Give the path"):
        show_line(tmp_path, path, 1)


@pytest.mark.parametrize("line", [0, -1, 3])
def test_a_line_that_is_not_there_is_a_sentence(tmp_path: Path, line: int) -> None:
    (tmp_path / "a.csv").write_text("a\nb\n")

    with pytest.raises(LandingError, match=f"has no line {line}"):
        show_line(tmp_path, "a.csv", line)
