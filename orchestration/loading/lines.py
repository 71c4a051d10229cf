"""The slow way for damaged files: every line as text, so that good ones are saved one by one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.loading.batch import UnpackedFile
from orchestration.loading.rows import stage
from orchestration.loading.scratch import by_text
from orchestration.loading.sql import file_literal

_BOM = b"\xef\xbb\xbf"


def stage_lines(connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]) -> None:
    """Create the temporary table `damaged_lines` with the non-empty lines of the files.

    Columns: file_id, line_number (from 1), line (text without its line end), is_utf8. Bytes that
    are not UTF-8 are shown as U+FFFD, and their line is marked.
    """
    stage(connection, "line_spans", _SPAN, (_span(file) for file in files))
    connection.execute(
        "create or replace temp table damaged_lines "
        "(file_id bigint, line_number bigint, line varchar, is_utf8 boolean)"
    )
    for text in by_text(files):
        readable, broken = _make_readable(text)
        stage(connection, "broken_lines", {"n": "BIGINT"}, ({"n": number} for number in broken))
        connection.execute(
            f"""
            insert into damaged_lines
            with split as (
                select string_split(content, chr(10)) as lines
                from read_text({file_literal(readable)})
            ),
            numbered as (
                select unnest(lines) as line, generate_subscripts(lines, 1) as line_number
                from split
            ),
            owned as (
                select
                    spans.file_id,
                    numbered.line_number - spans.first_line + 1 as line_number,
                    case when spans.tag_length > 0
                        then '{{' || substr(numbered.line, spans.tag_length + 1)
                        else numbered.line
                    end as line,
                    numbered.line_number not in (select n from broken_lines) as is_utf8
                from numbered
                join line_spans as spans
                    on spans.name = $1
                    and numbered.line_number between spans.first_line and spans.last_line
            )
            select file_id, line_number, rtrim(line, chr(13)), is_utf8
            from owned
            where trim(line, ' ' || chr(9) || chr(13)) <> ''
            """,
            [str(text)],
        )


_SPAN = {
    "file_id": "BIGINT",
    "name": "VARCHAR",
    "first_line": "BIGINT",
    "last_line": "BIGINT",
    "tag_length": "BIGINT",
}


def _span(file: UnpackedFile) -> dict[str, object]:
    """Which lines of which text are the file's."""
    joined = file.joined
    return {
        "file_id": file.file_id,
        "name": str(joined.part if joined else file.text),
        "first_line": joined.first_line if joined else 1,
        "last_line": joined.first_line + joined.lines - 1 if joined else sys.maxsize,
        "tag_length": len(joined.tag) if joined else 0,
    }


def _make_readable(text: Path) -> tuple[Path, list[int]]:
    """Find or write the text as UTF-8 without a mark; also the lines that were not UTF-8."""
    content = text.read_bytes()
    marked = content.startswith(_BOM)
    content = content.removeprefix(_BOM)
    try:
        content.decode()
    except UnicodeDecodeError:
        lines = content.split(b"\n")
        broken = [number for number, line in enumerate(lines, start=1) if not _is_utf8(line)]
    else:
        broken = []
    if not marked and not broken:
        return text, []
    readable = text.with_suffix(".readable")
    readable.write_bytes(content.decode(errors="replace").encode())
    return readable, broken


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
