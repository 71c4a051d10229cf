"""Exports of web APIs as a table of JSON objects, each with its line or position, or its problem.

One file holds one object a line, or pages: objects with a list under a known key (or bare lists),
one a line or printed over many lines. A row's number is its physical line; in a file of pages it is
its position, counted over all pages of the file from 1.

Lines are judged one by one in SQL, so that a bad one costs nothing but itself. Only a page that is
damaged in itself is searched for its good elements in Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from orchestration.loading.batch import FileCounts, UnpackedFile
from orchestration.loading.collected import COLLECTED, UNREADABLE
from orchestration.loading.forgetting import forget_objects
from orchestration.loading.rows import stage
from orchestration.loading.sql import file_literal, identifier, literal
from orchestration.loading.text import (
    LONGEST_LINE,
    TOO_LONG,
    UNDECODABLE,
    DecodedFile,
    decode,
    is_blank,
    stage_lines,
    without_return,
)

ROWS: Final = "json_rows"
# What a reader makes of them: the columns of its raw table, `line` and `problem`.
PARSED: Final = "parsed_rows"
_OBJECT_START: Final = re.compile(r"[\[,]\s*(?=\{)")
_SPACE: Final = re.compile(r"[\s,]*")
_BARE_LIST: Final = re.compile(r"\s*\[")
# What closes more than a list, and goes on as a list does, or with a row whose beginning is lost.
_CLOSED_EARLY: Final = re.compile(r"\][\]}\s]*,?\s*(?=\{)")
# What closes a list in a row, or the list of a page: both go on with another key.
_GOES_ON: Final = re.compile(r'\][\]}\s]*,\s*(?=")')
_SAYS_SOMETHING: Final = re.compile(r"\w")
_AFTER_A_ROW: Final = re.compile(r",\s*")
# Looking for good rows behind a damaged one may read the page so many times over, in all.
_MOST_READ: Final = 200
_SLICE: Final = 4 * 2**10
_PIECE: Final = 2 * 2**20


@dataclass(frozen=True)
class Shape:
    """What a resource's rows look like.

    Attributes:
        keys: under which a page lists its rows.
        required: what every row has; tells rows from what lies in them when a page is damaged.
    """

    keys: tuple[str, ...]
    required: tuple[str, ...]

    @property
    def page(self) -> str:
        """A pattern of how a page begins to list its rows."""
        listed = "|".join(map(re.escape, self.keys))
        return rf'"(?:{listed})"\s*:\s*\['


def stage_json_rows(
    connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile], shape: Shape
) -> None:
    """(Re)create the temporary table `json_rows`.

    Columns: file_id, line_number, object (a row as JSON without white space; null if there is
    none), line (its text as it stands in the file), problem.
    """
    decoded = [decode(file.file_id, file.text) for file in files]
    stage_lines(connection, decoded, "json_text")
    connection.execute(
        f"""
        create or replace temp table json_units as
        with documents as (
            select file_id, line_number, {without_return("line")} as text,
                {_document("line")} as document
            from json_text where not {is_blank("line")}
        )
        select file_id, line_number, document, case when document is null then text end as text
        from documents
        """
    )
    connection.execute("drop table json_text")
    _join_documents(connection, decoded)
    _salvage(connection, shape)
    _list_rows(connection, shape)


def collect_rows(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[UnpackedFile],
    columns: Sequence[str],
    newest: str,
    source: str,
) -> dict[int, FileCounts]:
    """Collect the rows of `PARSED`, and drop it; `newest` is the column of the export time."""
    counts = {file.file_id: FileCounts(reason=file.damage) for file in files}
    erased = forget_objects(connection, source, ROWS, PARSED)
    for file_id, rows_in, quarantined, newest_at in connection.execute(
        f"""
        select file_id, count(*), count(problem), max({newest}) filter (problem is null)
        from {PARSED} group by file_id
        """
    ).fetchall():
        found = counts[file_id]
        found.rows_in, found.quarantined, found.newest_at = rows_in, quarantined, newest_at
    for file_id, rows in erased.items():
        counts[file_id].leave_out(rows)
    listed = ", ".join(identifier(name) for name in columns)
    connection.execute(
        f"""
        insert into {COLLECTED} by name
        select file_id, line_number, row_hash, {listed} from {PARSED} where problem is null
        """
    )
    connection.execute(
        f"""
        insert into {UNREADABLE}
        select file_id, line_number, line, problem from {PARSED} where problem is not null
        """
    )
    for table in (PARSED, ROWS):
        connection.execute(f"drop table {table}")
    return counts


def _document(text: str) -> str:
    """A text as JSON; null if it is none, or if some of its bytes were no text."""
    return (
        f"case when not contains({text}, {literal(UNDECODABLE)}) then try_cast({text} as json) end"
    )


def _join_documents(connection: duckdb.DuckDBPyConnection, decoded: Sequence[DecodedFile]) -> None:
    """Files that are one document printed over many lines become one unit."""
    printed = connection.execute(
        """
        select file_id from json_units
        group by file_id
        having count(*) > 1 and arg_min(document is null, line_number)
        """
    ).fetchall()
    paths = {file.file_id: file.path for file in decoded}
    for (file_id,) in printed:
        if paths[file_id].stat().st_size > LONGEST_LINE:
            continue  # its rows are taken out one by one, which needs less memory
        connection.execute(
            f"""
            create or replace temp table json_whole as
            select {_document("content")} as document
            from read_text({file_literal(paths[file_id])})
            """
        )
        found = connection.execute("select count(document) from json_whole").fetchone()
        if found is not None and found[0] == 1:
            connection.execute("delete from json_units where file_id = $1", [file_id])
            connection.execute(
                "insert into json_units select $1, 1, document, null from json_whole", [file_id]
            )
    connection.execute("drop table if exists json_whole")


def _salvage(connection: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Find the good elements of damaged pages; they replace the page in `json_units`.

    Leaves the temporary table `json_salvaged`: file_id, line_number, ordinal, text, is_good.
    """
    is_row = " and ".join(
        f"coalesce(json_type(document, {_path(key)}) is not null, false)" for key in shape.required
    )
    # When the first line is no document, a list begins a page that is printed over many lines; one
    # without a key begins with the file. A row may fill a line of a page, with a comma behind; the
    # last one of a page has none. More of them are rows of a file that holds one a line, whatever
    # its damaged lines look like.
    connection.execute(
        f"""
        create or replace temp table json_pages as
        with judged as (
            -- A unit that is a document has no text: it begins no page.
            select file_id, line_number, document is null as is_damaged,
                coalesce(text, document::varchar) as content,
                coalesce(regexp_matches(text, {literal(shape.page)}), false) as has_key,
                coalesce(regexp_matches(text, {literal(rf"^{_BARE_LIST.pattern}")}), false)
                    as is_bare,
                {is_row} as is_row
            from json_units
        ),
        files as (
            select file_id, arg_min(is_damaged, line_number)
                and count(*) filter (has_key) + arg_min(is_bare, line_number)::int
                    > greatest(0, count(*) filter (is_row) - 1) as is_printed
            from judged group by file_id
        )
        select file_id, is_printed, case when is_printed then 0 else line_number end as unit,
            string_agg(content, chr(10) order by line_number) as text
        from judged
        join files using (file_id)
        where is_printed or has_key or is_bare
        group by file_id, is_printed, unit
        """
    )
    connection.execute(
        """
        delete from json_units
        where (file_id, line_number) in (select file_id, unit from json_pages)
            or file_id in (select file_id from json_pages where is_printed)
        """
    )
    pages = connection.execute("select file_id, unit, text from json_pages").fetchall()
    connection.execute("drop table json_pages")
    connection.execute(
        """
        create or replace temp table json_salvaged (
            file_id bigint, line_number bigint, ordinal bigint, text varchar, is_good boolean
        )
        """
    )
    for elements in _in_pieces(
        (file_id, line_number, ordinal, element, is_good)
        for file_id, line_number, text in pages
        for ordinal, (element, is_good) in enumerate(find_elements(text, shape), start=1)
    ):
        names = {
            "file_id": "BIGINT",
            "line_number": "BIGINT",
            "ordinal": "BIGINT",
            "text": "VARCHAR",
            "is_good": "BOOLEAN",
        }
        rows = (dict(zip(names, element, strict=True)) for element in elements)
        stage(connection, "json_elements", names, rows)
        connection.execute("insert into json_salvaged from json_elements")


_Element = tuple[int, int, int, str, bool]


def _in_pieces(elements: Iterable[_Element]) -> Iterator[list[_Element]]:
    """Elements in lists of bounded size: staging makes several copies of each."""
    piece: list[_Element] = []
    size = 0
    for element in elements:
        piece.append(element)
        size += len(element[3])
        if size > _PIECE:
            yield piece
            piece, size = [], 0
    yield piece


def _list_rows(connection: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    lists = " ".join(
        f"when json_type(document, {_path(key)}) = 'ARRAY' "
        f"then json_extract(document, {_path(key, '[*]')})"
        for key in shape.keys
    )
    wrong = " ".join(
        f"when json_type(object, {_path(key)}) is not null then {literal(f'{key} is not a list')}"
        for key in shape.keys
    )
    connection.execute(
        f"""
        create or replace temp table {ROWS} as
        with units as (
            select file_id, line_number, text, document,
                case
                    when json_type(document) = 'ARRAY' then json_extract(document, '$[*]')
                    {lists}
                end as elements
            from json_units
        ),
        listed as (
            select file_id, line_number, true as is_page,
                unnest(elements) as element, null as text,
                generate_subscripts(elements, 1) as ordinal
            from units where elements is not null
            union all
            select file_id, line_number, false, document, text, 1
            from units where elements is null
            union all
            -- A bad line that lists no row keeps its own number, and all others theirs.
            select file_id, line_number,
                line_number = 0 or is_good or count(*) over (partition by file_id, line_number) > 1,
                case when is_good then try_cast(text as json) end, text, ordinal
            from json_salvaged
        ),
        objects as (
            select
                file_id,
                case when bool_or(is_page) over (partition by file_id) then row_number() over (
                    partition by file_id order by line_number, ordinal
                ) else line_number end as line_number,
                case when json_type(element) = 'OBJECT' then json(element) end as object,
                coalesce(text, element::varchar) as line,
                element is not null as is_json
            from listed
        )
        select file_id, line_number, object, line,
            case
                when not is_json and contains(line, {literal(TOO_LONG)})
                    then {literal(f"is a line of more than {LONGEST_LINE // 2**20} MiB")}
                when not is_json and contains(line, {literal(UNDECODABLE)})
                    then 'holds bytes that are not UTF-8 text'
                when not is_json then 'is not valid JSON'
                when object is null then 'is not a JSON object'
                {wrong}
            end as problem
        from objects
        """
    )
    for table in ("json_units", "json_salvaged"):
        connection.execute(f"drop table {table}")


def _path(key: str, suffix: str = "") -> str:
    return literal(f'$."{key}"{suffix}')


def find_elements(text: str, shape: Shape) -> Iterator[tuple[str, bool]]:
    """The elements of the pages in a damaged text, in order, each with whether it is good.

    What cannot be read between two good elements is one bad element: how many it was, nobody knows.
    A list without any row is none of rows, such as the end of a line whose beginning is lost: it is
    one bad element, too, as is a text in which no list begins.
    """
    search = _Search(text, shape)
    if _BARE_LIST.match(text):
        lists_rows = any(is_row for *_, is_row in _elements(search))
    else:
        lists_rows = search.next_page(0) is not None
    if not lists_rows:
        yield text.strip(), False
        return
    for element, is_good, _ in _elements(search):
        yield element, is_good


def _elements(search: _Search) -> Iterator[tuple[str, bool, bool]]:
    """As `find_elements`, and whether the element has what every row has."""
    text = search.text
    bare = _BARE_LIST.match(text)
    opening = bare or search.next_page(0)
    while opening is not None:
        is_bare = opening is bare
        position = _skip(text, opening.end())
        is_good, is_closed, was_row = True, False, True
        while position < len(text):
            found = search.decode(position) if text[position] != "]" else None
            value = found[0] if found is not None else None
            end = found[1] if found is not None else position
            is_row = search.is_row(value)
            behind = None if is_row else search.row_behind(_skip(text, end), was_row=was_row)
            if text[position] == "]" and behind is None:
                is_closed = True
                rest = text[position + 1 :].strip()
                if is_bare and _SAYS_SOMETHING.search(rest) and search.next_page(position) is None:
                    yield rest, False, False  # nothing follows a list that is no page
                break
            if behind is not None:
                end, is_good = behind, False
            elif search.is_page(value):
                break  # the brackets that closed the one before it are lost
            # A text may begin in a damaged row and reach into the next one.
            elif not isinstance(value, dict) or search.holds_rows(value):
                end, is_good, is_row = search.next_row(position), False, False
            else:
                is_good = UNDECODABLE not in text[position:end]
            yield text[position:end].rstrip(" \t\r\n,"), is_good, is_row
            position = _skip(text, end)
            # Behind a comma another row was to come.
            was_row = is_row and "," not in text[end:position]
        if is_good and not is_closed:
            yield "", False, False  # cut off behind a row: nobody knows how many are missing
        opening = search.next_page(position)


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


class _Search:
    """Finds rows in a damaged text; gives up on one that is made to take for ever."""

    def __init__(self, text: str, shape: Shape) -> None:
        self.text = text
        self._decoder = json.JSONDecoder()
        self._shape = shape
        self._page = re.compile(shape.page)
        self._left = _MOST_READ * (len(text) + _SLICE)

    def is_row(self, value: object) -> bool:
        """Whether a value has what every row has."""
        return isinstance(value, dict) and all(key in value for key in self._shape.required)

    def is_page(self, value: object) -> bool:
        """Whether a value is an object that lists rows, and no row itself."""
        if not isinstance(value, dict) or self.is_row(value):
            return False
        return any(isinstance(value.get(key), list) for key in self._shape.keys)

    def holds_rows(self, value: object) -> bool:
        """Whether rows lie in an object since the brackets that closed a list of it are lost.

        They stand behind what was in that list, and what was in it is no row.
        """
        left = [value]
        while left:
            one = left.pop()
            if isinstance(one, dict):
                left.extend(one.values())
            elif isinstance(one, list):
                if any(map(self.is_row, one)) and not self.is_row(one[0]):
                    return True
                left.extend(one)
        return False

    def next_page(self, position: int) -> re.Match[str] | None:
        """Where the next page lists its rows."""
        return self._page.search(self.text, position)

    def row_behind(self, position: int, *, was_row: bool) -> int | None:
        """Where the list goes on behind a bracket that seems to close it; null if it is its end.

        The bracket is then one of a row whose beginning is lost. If what stood before it is no row,
        more keys of that row may follow it, as those of a page follow its list.
        """
        goes_on = not was_row and _GOES_ON.match(self.text, position) is not None
        if not goes_on and _CLOSED_EARLY.match(self.text, position) is None:
            return None
        row = self.next_row(position)
        if row == len(self.text) or self._page.search(self.text, position, row) is not None:
            return None
        if goes_on and not self._is_behind_a_row(row):
            return None
        return row

    def _is_behind_a_row(self, position: int) -> bool:
        """Whether a comma stands before a row, and not the bracket of another list."""
        comma = self.text.rfind(",", 0, position)
        return comma >= 0 and _AFTER_A_ROW.fullmatch(self.text, comma, position) is not None

    def decode(self, start: int) -> tuple[object, int] | None:
        """The value that begins here, and where it ends; null where none does.

        A short piece is tried before the whole: an error of Python's decoder counts the lines
        before it, so that each would read the text from its beginning.
        """
        size = _SLICE
        while self._left > 0:
            piece = self.text[start : start + size]
            self._left -= len(piece)
            is_all = start + len(piece) == len(self.text)
            try:
                value, length = self._decoder.raw_decode(piece)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(piece) - 10
                if is_all or not is_cut:
                    return None
            except (ValueError, RecursionError):
                return None
            else:
                return value, start + length
            size *= 16
        return None

    def next_row(self, position: int) -> int:
        """Where the next row begins: an object behind a comma or bracket that has what every row
        has.
        """
        for found in _OBJECT_START.finditer(self.text, position):
            if self._left <= 0:
                break
            value = self.decode(found.end())
            if value is not None and self.is_row(value[0]):
                return found.end()
        return len(self.text)
