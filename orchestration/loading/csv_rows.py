"""Anybody's CSV as a table of records, each with its line number or its problem.

Sound files are read by DuckDB's CSV reader. It knows no line numbers and drops a last record whose
quote is never closed, so its result is accepted only when records, line breaks inside of them and
the header add up to the lines of the file. All other files are read line by line, in SQL:

- a line with an even number of quotes is a record of its own, a line with an odd number begins or
  ends one of several lines, so that only neighbouring odd lines can belong together;
- two neighbours and what lies between them are a record if they can be read as one; else the first
  of them is damaged, and the search goes on behind it. So one lost quote costs one record.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import duckdb

from orchestration.contracts import CsvFormat
from orchestration.loading.collected import CONTENT_ERRORS
from orchestration.loading.sql import file_literal, literal
from orchestration.loading.text import (
    TOO_LONG,
    UNDECODABLE,
    DecodedFile,
    is_blank,
    stage_lines,
    without_return,
)

RECORDS = "csv_records"
MAX_RECORD_BYTES = 2 * 2**20
_SAMPLED_ROWS = 20


@dataclass(frozen=True)
class Header:
    """The header of a file.

    Attributes:
        names: of the columns, by position; of a file without header empty.
        width: number of columns.
        rows: rows that it takes.
        lines: physical lines that it takes.
    """

    names: tuple[str, ...]
    width: int
    rows: int
    lines: int


def read_header(file: DecodedFile, written: CsvFormat) -> Header | None:
    """Read the names of the columns; null when the file ends before, or has a giant header."""
    with file.path.open(encoding="utf-8", newline="\n") as text:
        reader = csv.reader(
            text,
            delimiter=written.delimiter,
            quotechar=written.quote or None,
            quoting=csv.QUOTE_MINIMAL if written.quote else csv.QUOTE_NONE,
            skipinitialspace=written.delimiter != " ",
        )
        first: list[str] = []
        rows = lines = width = 0
        try:
            while rows < max(written.header_rows, 1):
                row = _next_row(reader, skips_damaged=written.header_rows == 0)
                if not row:
                    continue
                first = first or row
                rows += 1
                lines = reader.line_num
            width = _usual_width(reader, first) if written.header_rows == 0 else len(first)
        except (StopIteration, csv.Error):
            return None
    if written.header_rows == 0:
        return Header((), width, 0, 0)
    return Header(tuple(name.strip() for name in first), len(first), rows, lines)


def _next_row(reader: Iterator[list[str]], *, skips_damaged: bool) -> list[str]:
    """The next row that can be read: a damaged one is no reason to give up a file without header.

    Raises:
        StopIteration: there is none.
        csv.Error: it is damaged, and not to be skipped.
    """
    while True:
        try:
            return next(reader)
        except csv.Error:
            if not skips_damaged:
                raise


def _usual_width(reader: Iterator[list[str]], first: list[str]) -> int:
    """The number of columns of a file without header: a damaged first row must not decide it."""
    widths = [len(first)]
    with suppress(csv.Error):
        widths += [len(row) for row in islice(reader, _SAMPLED_ROWS) if row]
    return Counter(widths).most_common(1)[0][0]


def stage_records(
    connection: duckdb.DuckDBPyConnection,
    file: DecodedFile,
    written: CsvFormat,
    header: Header,
    *,
    is_cut_off: bool = False,
) -> None:
    """(Re)create the temporary table `csv_records` with the records after the header.

    Columns: line_number (of the first line), record (a text per column, '' for nothing), problem
    (null for a good record). `is_cut_off` says that the file is known to end early.
    """
    if is_cut_off or not _read_sound(connection, file, written, header):
        _read_lines(connection, file, written, header)
        if is_cut_off and not file.ends_with_newline:
            connection.execute(
                f"""
                update {RECORDS} set problem = 'cut off where the file is damaged'
                where line_number = (select max(line_number) from {RECORDS})
                """
            )


def _read_sound(
    connection: duckdb.DuckDBPyConnection, file: DecodedFile, written: CsvFormat, header: Header
) -> bool:
    """Read with DuckDB's reader; false when the file cannot be read so, to the last line."""
    if (
        not file.is_clean
        or file.has_lone_returns
        or header.width == 1  # a blank line would be a record
        or header.lines != header.rows
        or file.lines == header.lines
    ):
        return False
    columns = ", ".join(f"'c{number}': 'varchar'" for number in range(1, header.width + 1))
    record = ", ".join(f"coalesce(c{number}, '')" for number in range(1, header.width + 1))
    rows = f"""
        select [{record}] as record
        from read_csv(
            {file_literal(file.path)}, columns = {{{columns}}}, auto_detect = false,
            header = false, skip = {header.lines}, delim = {literal(written.delimiter)},
            quote = {literal(written.quote)}, escape = {literal(written.quote)},
            strict_mode = true, null_padding = false, parallel = false,
            max_line_size = {MAX_RECORD_BYTES}
        )
    """
    text = "array_to_string(record, '')"
    line_breaks = f"len({text}) - len(replace({text}, chr(10), ''))"
    try:
        connection.execute(
            f"""
            create or replace temp table {RECORDS} as
            select row_number() over () as number, record,
                case when contains({text}, chr(10)) then {line_breaks} else 0 end as line_breaks
            from ({rows})
            """
        )
    except (*CONTENT_ERRORS, duckdb.BinderException):  # the last: a quote that it does not take
        return False
    found = connection.execute(
        f"select count(*) + coalesce(sum(line_breaks), 0) from {RECORDS}"
    ).fetchone()
    if found is None or header.lines + found[0] != file.lines:
        return False
    connection.execute(
        f"""
        create or replace temp table {RECORDS} as
        select
            {header.lines} + number + coalesce(sum(line_breaks) over (
                order by number rows between unbounded preceding and 1 preceding
            ), 0)::bigint as line_number,
            record,
            null::varchar as problem
        from {RECORDS}
        """
    )
    return True


def _read_lines(
    connection: duckdb.DuckDBPyConnection, file: DecodedFile, written: CsvFormat, header: Header
) -> None:
    """Read line by line; see the module's text."""
    stage_lines(connection, [file], "csv_text")
    quote = literal(written.quote)
    # A record is a row of pieces, each a delimiter and a field, without anything between them.
    piece = literal(f"{re.escape(written.delimiter)}(?:{_field(written)})")

    def pieces(text: str) -> str:
        return f"regexp_extract_all({literal(written.delimiter)} || {text}, {piece})"

    def fields(text: str) -> str:
        """The raw fields of the column `pieces`; null when the text is more than its pieces."""
        whole = f"array_to_string(pieces, '') = {literal(written.delimiter)} || {text}"
        return f"case when {whole} then list_transform(pieces, lambda piece: piece[2:]) end"

    is_odd = f"(len(line) - len(replace(line, {quote}, ''))) % 2 = 1" if written.quote else "false"
    connection.execute(
        f"""
        create or replace temp table csv_lines as
        with texts as (
            select line_number, line, {without_return("line")} as text, {is_odd} as is_odd
            from csv_text
            where line_number > {header.lines}
        ),
        cut as (
            select *, {pieces("text")} as pieces from texts
        )
        select * exclude (pieces), {fields("text")} as fields,
            sum(len(line) + 1) over (order by line_number) as ends_at,
            count(*) filter (is_odd) over (order by line_number) as pair
        from cut
        """
    )
    fits = _fits("fields", header.width)
    connection.execute(
        f"""
        create or replace temp table csv_pairs as
        with odd as (
            select pair, line_number as first_line, ends_at - len(line) as begins_at,
                lead(line_number) over (order by line_number) as last_line,
                lead(ends_at) over (order by line_number) as ends_at
            from csv_lines
            where is_odd
        ),
        pairs as (
            select pair, first_line, last_line
            from odd
            where ends_at - begins_at <= {MAX_RECORD_BYTES}
        ),
        members as (
            select pair, line_number, line, fields from csv_lines where pair > 0
            union all
            select pair - 1, line_number, line, fields from csv_lines where is_odd and pair > 1
        ),
        joined as (
            select pair, first_line, last_line,
                string_agg(line, chr(10) order by line_number) as lines,
                coalesce(bool_or({fits}), false) as has_record_inside
            from members
            join pairs using (pair)
            group by pair, first_line, last_line
        ),
        texts as (
            select *, {without_return("lines")} as text from joined
        ),
        cut as (
            select *, {pieces("text")} as pieces from texts
        ),
        judged as (
            select *, {fields("text")} as fields from cut
        ),
        candidates as (
            -- A record of another width is one damaged record, unless good ones lie within it.
            select pair, first_line, last_line, fields
            from judged
            where fields is not null and ({fits} or not has_record_inside)
        ),
        islands as (
            select *, pair - row_number() over (order by pair) as island from candidates
        )
        -- Neighbouring candidates share a line: the first takes it, so every other one is a record.
        select first_line, last_line, fields
        from islands
        qualify row_number() over (partition by island order by pair) % 2 = 1
        """
    )
    connection.execute(
        f"""
        create or replace temp table {RECORDS} as
        with found as (
            select line_number, csv_lines.fields,
                contains(text, {literal(UNDECODABLE)}) as is_undecodable,
                contains(text, {literal(TOO_LONG)}) as is_too_long
            from csv_lines
            asof left join csv_pairs on csv_pairs.first_line <= csv_lines.line_number
            -- A line of delimiters is a record without values, even where they are white space.
            where (not {is_blank("text")} or contains(text, {literal(written.delimiter)}))
                and (csv_pairs.last_line is null or csv_pairs.last_line < csv_lines.line_number)
            union all
            select first_line, fields,
                contains(array_to_string(fields, ''), {literal(UNDECODABLE)}),
                contains(array_to_string(fields, ''), {literal(TOO_LONG)})
            from csv_pairs
        )
        select
            line_number,
            list_transform(fields[:{header.width}], lambda field: {_unquoted(written)}) as record,
            case
                when is_too_long
                    then {literal(f"is longer than {MAX_RECORD_BYTES // 2**20} MiB")}
                when is_undecodable
                    then {literal(f"holds bytes that are not {written.encoding} text")}
                when fields is null then 'a quote is not closed, or not doubled'
                when not {fits} then
                    'has ' || len(fields) || {literal(f" fields where {header.width} are expected")}
            end as problem
        from found
        """
    )


def _field(written: CsvFormat) -> str:
    """A field as a regular expression, as DuckDB's reader takes it."""
    delimiter, quote = re.escape(written.delimiter), re.escape(written.quote)
    if not quote:
        return f"[^{_in_class(written.delimiter)}\\n]*"
    blank = "" if delimiter.strip("\\") == " " else " *"
    inside = _in_class(written.delimiter)
    quoted = f"{blank}{quote}(?:[^{_in_class(written.quote)}]|{quote}{quote})*{quote}{blank}"
    first = f"[^{inside}{_in_class(written.quote)}\\n{' ' if blank else ''}]"
    return f"{quoted}|{blank}(?:{first}[^{inside}\\n]*)?"


def _in_class(character: str) -> str:
    return "\\" + character if character in "\\]^-[" else character


def _fits(fields: str, width: int) -> str:
    """Whether there are as many fields as columns; empty ones at the end do no harm."""
    return (
        f"coalesce(len({fields}) >= {width} "
        f"and trim(array_to_string({fields}[{width + 1}:], ''), ' ') = '', false)"
    )


def _unquoted(written: CsvFormat) -> str:
    """The text of the raw field `field`."""
    if not written.quote:
        return "field"
    quote = literal(written.quote)
    twice = literal(written.quote * 2)
    return (
        f"case when starts_with(ltrim(field, ' '), {quote}) "
        f"then replace(trim(field, ' ')[2:-2], {twice}, {quote}) else field end"
    )
