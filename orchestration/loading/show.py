"""One line of a landing file, for whoever wants to know what was wrong with it."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path

import duckdb

from orchestration.errors import LandingError
from orchestration.landing.archives import NOT_OPENED, inflate, member_of, open_stored
from orchestration.landing.names import SATISMETER, read_name
from orchestration.loading.batch import UnpackedFile
from orchestration.loading.json_rows import ROWS, Shape, stage_json_rows
from orchestration.loading.satismeter import SHAPE
from orchestration.loading.zendesk import shape_of


def show_line(landing: Path, path: str, line_number: int, folder: Path | None = None) -> str:
    """The line that `raw.quarantined_rows` names; in a file of pages, the element.

    Args:
        landing: the landing folder.
        path: of the data file in it; `a.zip::member` inside a zip.
        line_number: from 1, as in the table.
        folder: private, and emptied by a later run should this process be killed: the file is
            unpacked there. Made if absent; null for one in the system's folder.

    Raises:
        LandingError: there is no such file or line.
    """
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="northstar-", dir=folder) as unpacked:
        text = Path(unpacked) / "content.txt"
        with text.open("wb") as output:
            damages = [inflate(stored, output) for _, stored in open_stored(landing, [path])]
        if any((damage or "").startswith(NOT_OPENED) for damage in damages):
            file, member = member_of(path)
            inside = f" with a member {member}" if member else ""
            raise LandingError(
                f"{landing / file}{inside} cannot be opened. Give the path as raw.loaded_files "
                "has it, such as `amplitude/export.zip::100042/100042_2026-05-01_3#0.json.gz`."
            )
        shape = _shape(path)
        line = _line(text, line_number) if shape is None else _row(text, line_number, shape)
    if line is None:
        raise LandingError(f"{path} has no line {line_number}. Lines are counted from 1.")
    return line


def _shape(path: str) -> Shape | None:
    source = read_name(path.replace("::", "/")).source or ""
    return SHAPE if source == SATISMETER else shape_of(source)


def _line(text: Path, line_number: int) -> str | None:
    if line_number < 1:
        return None
    with text.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        found = next(islice(lines, line_number - 1, None), None)
    return None if found is None else found.rstrip("\r\n")


def _row(text: Path, line_number: int, shape: Shape) -> str | None:
    with duckdb.connect() as connection:
        stage_json_rows(connection, [UnpackedFile(1, text.name, text)], shape)
        found = connection.execute(
            f"select line from {ROWS} where line_number = $1", [line_number]
        ).fetchone()
    return found[0] if found else None
