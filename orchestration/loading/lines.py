"""The slow way for damaged files: every line as text, so that good ones are saved one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.loading.batch import UnpackedFile
from orchestration.loading.rows import stage

_BOM = b"\xef\xbb\xbf"


def stage_lines(connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]) -> None:
    """Create the temporary table `damaged_lines` with the non-empty lines of the files.

    Columns: file_id, line_number (from 1), line (text without its line end), is_utf8. Bytes that
    are not UTF-8 are shown as U+FFFD, and their line is marked.
    """
    connection.execute(
        "create or replace temp table damaged_lines "
        "(file_id bigint, line_number bigint, line varchar, is_utf8 boolean)"
    )
    for file in files:
        broken = _make_readable(file.text)
        stage(connection, "broken_lines", {"n": "BIGINT"}, ({"n": number} for number in broken))
        connection.execute(
            """
            insert into damaged_lines
            with split as (select string_split(content, chr(10)) as lines from read_text($1)),
            numbered as (
                select unnest(lines) as line, generate_subscripts(lines, 1) as line_number
                from split
            )
            select $2, line_number, rtrim(line, chr(13)),
                line_number not in (select n from broken_lines)
            from numbered
            where trim(line, ' ' || chr(9) || chr(13)) <> ''
            """,
            [str(file.text), file.file_id],
        )


def _make_readable(text: Path) -> list[int]:
    """Rewrite the scratch copy as UTF-8 without a mark; returns the lines that were not UTF-8."""
    content = text.read_bytes()
    if content.startswith(_BOM):
        content = content.removeprefix(_BOM)
        text.write_bytes(content)
    try:
        content.decode()
    except UnicodeDecodeError:
        pass
    else:
        return []
    lines = content.split(b"\n")
    broken = [number for number, line in enumerate(lines, start=1) if not _is_utf8(line)]
    text.write_bytes(content.decode(errors="replace").encode())
    return broken


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
