"""The slow way for damaged files: every line as text, so that good ones are saved one by one."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from orchestration.loading import text
from orchestration.loading.batch import UnpackedFile
from orchestration.loading.sql import literal

_TEXT = "damaged_text"


def stage_lines(connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]) -> None:
    """Create the temporary table `damaged_lines` with the non-empty lines of the files.

    Columns: file_id, line_number (from 1), line (text without its line end), is_utf8, is_too_long.
    Bytes that are not UTF-8 are shown as U+FFFF, and their line is marked. Memory is bounded: only
    pieces of the files are held at once, and DuckDB can put the table on disk.
    """
    decoded = [text.decode(file.file_id, file.alone().text) for file in files]
    text.stage_lines(connection, decoded, _TEXT)
    connection.execute(
        f"""
        create or replace temp table damaged_lines as
        select
            file_id,
            line_number,
            rtrim(line, chr(13)) as line,
            not contains(line, {literal(text.UNDECODABLE)}) as is_utf8,
            starts_with(line, {literal(text.TOO_LONG)}) as is_too_long
        from {_TEXT}
        where not {text.is_blank("line")}
        """
    )
    connection.execute(f"drop table {_TEXT}")
