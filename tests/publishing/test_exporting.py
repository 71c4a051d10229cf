"""CSV for spreadsheets: no text can become a formula, and no number changes."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import PublishingError
from orchestration.publishing import Fingerprint, export_csv, publish
from orchestration.settings import REPOSITORY, Settings

FORMULAS = (
    '=HYPERLINK("https://example.org","click")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\u00a0=1",
    "\ufeff=1",
    "＝1",  # noqa: RUF001
    '","=1+1',
    "=1\n=2",
)
HARMLESS = ("", "o'clock", "a=b", "1-2", "'=1", '"quoted", and more', "ünï ☃", "5")
TEXTS = (*FORMULAS, *HARMLESS)


@pytest.fixture
def published(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings, fingerprint: Fingerprint
) -> Settings:
    """A published table of courses: titles that anybody may have chosen, beside numbers."""
    warehouse.execute(
        """
        create table core.dim_courses (
            number integer, title varchar, "=channel" varchar, themes varchar[],
            change double, share decimal(9, 3), small tinyint, outcomes bigint, since date,
            learner_key uuid
        )
        """
    )
    for number, text in enumerate(TEXTS):
        warehouse.execute(
            "insert into core.dim_courses values "
            "(?, ?, ?, ?, ?, -1.5, -3, -9007199254740993, '2026-01-02', uuid())",
            [number, text, text, [text], -number / 7],
        )
    warehouse.execute("insert into core.dim_courses (number) values (-1)")
    publish(
        warehouse, settings, run_id="run-1", relations=["core.dim_courses"], fingerprint=fingerprint
    )
    return settings


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_text_begins_like_a_formula_and_nothing_else_changes(
    published: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "it's; 100% [courses].csv"

    assert export_csv(published, "core.dim_courses", target) == len(TEXTS) + 1

    blank, *rows = read(target)
    assert blank["number"] == "-1"
    assert set(blank.values()) == {"-1", ""}
    for text, row in zip(TEXTS, rows, strict=True):
        wanted = f"'{text}" if text in FORMULAS and text != '","=1+1' else text
        assert row["title"] == row["'=channel"] == wanted
        assert row["themes"].startswith("[")
    # As a spreadsheet would see them, in every cell of text.
    for row in rows:
        for name in ("title", "'=channel", "themes"):
            assert not re.match(r"[\s\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]", row[name])  # noqa: RUF001
    for number, row in enumerate(rows):
        assert float(row["change"]) == -number / 7
        assert (row["share"], row["small"], row["since"]) == ("-1.500", "-3", "2026-01-02")
        assert row["outcomes"] == "-9007199254740993"


def test_it_is_printed_or_written_by_the_command(published: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "orchestration", "csv", "core.dim_courses"]
    environment = {"NORTHSTAR_DATA_DIR": str(published.data), "PATH": ""}

    printed = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, check=True
    ).stdout
    subprocess.run(
        [*command, "--to", str(tmp_path / "a.csv")], cwd=REPOSITORY, env=environment, check=True
    )

    assert printed == (tmp_path / "a.csv").read_bytes()
    assert printed.startswith(b"number,title,")


def test_what_is_not_published_is_named_with_what_is(published: Settings, tmp_path: Path) -> None:
    with pytest.raises(PublishingError, match=r"core.nothing is not published. There are core"):
        export_csv(published, "core.nothing", tmp_path / "a.csv")
    with pytest.raises(PublishingError, match="Name a file in a folder"):
        export_csv(published, "core.dim_courses", tmp_path / "no" / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_before_the_first_run_there_is_nothing(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(PublishingError, match="Run `make run` first"):
        export_csv(settings, "core.dim_courses", tmp_path / "a.csv")
