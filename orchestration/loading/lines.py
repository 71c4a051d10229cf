"""The slow way for damaged files: every line as text, so that good ones are saved one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.loading.batch import UnpackedFile
from orchestration.loading.rows import stage
from orchestration.loading.scratch import TAG_START, by_text
from orchestration.loading.sql import file_literal, literal

_BOM = b"\xef\xbb\xbf"
_STATEMENT_BYTES = 64 * 2**20


def stage_lines(connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]) -> None:
    """Create the temporary table `damaged_lines` with the non-empty lines of the files.

    Columns: file_id, line_number (from 1), line (text without its line end), is_utf8. Bytes that
    are not UTF-8 are shown as U+FFFD, and their line is marked.
    """
    connection.execute(
        "create or replace temp table damaged_lines "
        "(file_id bigint, line_number bigint, line varchar, is_utf8 boolean)"
    )
    stage(connection, "line_owners", _OWNER, (_owner(file) for file in files))
    waiting = list(by_text(files))
    while waiting:
        texts, size = [waiting.pop()], 0
        while waiting and size < _STATEMENT_BYTES:
            texts.append(waiting.pop())
            size += texts[-1].stat().st_size
        _stage_texts(connection, texts)


def _stage_texts(connection: duckdb.DuckDBPyConnection, texts: Sequence[Path]) -> None:
    readable = {_make_readable(text): text for text in texts}
    stage(
        connection,
        "broken_lines",
        {"name": "VARCHAR", "line_number": "BIGINT"},
        (
            {"name": str(text), "line_number": number}
            for (_, broken), text in readable.items()
            for number in broken
        ),
    )
    stage(
        connection,
        "readable_texts",
        {"filename": "VARCHAR", "name": "VARCHAR"},
        ({"filename": str(path), "name": str(text)} for (path, _), text in readable.items()),
    )
    names = ", ".join(file_literal(path) for path, _ in readable)
    connection.execute(
        f"""
        insert into damaged_lines
        with split as (
            select readable_texts.name, string_split(content, chr(10)) as lines
            from read_text([{names}])
            join readable_texts using (filename)
        ),
        numbered as (
            select name, unnest(lines) as line, generate_subscripts(lines, 1) as line_number
            from split
        ),
        tagged as (
            select *,
                case when starts_with(line, {literal(TAG_START)})
                    then try_cast(
                        split_part(substr(line, {len(TAG_START) + 1}), ',', 1) as bigint
                    )
                end as number
            from numbered
        ),
        owned as (
            select joined.file_id, tagged.name, tagged.line_number, joined.first_line,
                '{{' || substr(tagged.line, joined.tag_length + 1) as line
            from tagged
            join line_owners as joined
                on joined.name = tagged.name and joined.number = tagged.number
            union all
            select alone.file_id, tagged.name, tagged.line_number, 1 as first_line, tagged.line
            from tagged
            join line_owners as alone on alone.name = tagged.name and alone.number is null
        )
        select
            file_id,
            line_number - first_line + 1,
            rtrim(line, chr(13)),
            (name, line_number) not in (select (name, line_number) from broken_lines)
        from owned
        where trim(line, ' ' || chr(9) || chr(13)) <> ''
        """
    )


_OWNER = {
    "file_id": "BIGINT",
    "name": "VARCHAR",
    "number": "BIGINT",
    "first_line": "BIGINT",
    "tag_length": "BIGINT",
}


def _owner(file: UnpackedFile) -> dict[str, object]:
    """Which lines of which text are the file's."""
    joined = file.joined
    return {
        "file_id": file.file_id,
        "name": str(joined.part if joined else file.text),
        "number": joined.number if joined else None,
        "first_line": joined.first_line if joined else 1,
        "tag_length": len(joined.tag) if joined else 0,
    }


def _make_readable(text: Path) -> tuple[Path, tuple[int, ...]]:
    """Find or write the text as UTF-8 without a mark; also the lines that were not UTF-8."""
    content = text.read_bytes()
    marked = content.startswith(_BOM)
    content = content.removeprefix(_BOM)
    try:
        content.decode()
    except UnicodeDecodeError:
        lines = content.split(b"\n")
        broken = tuple(n for n, line in enumerate(lines, start=1) if not _is_utf8(line))
    else:
        broken = ()
    if not marked and not broken:
        return text, ()
    readable = text.with_suffix(".readable")
    readable.write_bytes(content.decode(errors="replace").encode())
    return readable, broken


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
