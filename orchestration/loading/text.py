"""Files as text: decoded to UTF-8 in the scratch folder, and their physical lines in a table.

DuckDB reads UTF-8 only, knows no line numbers, and one wrong byte fails a whole statement, which
ends the caller's transaction. So every file is looked through once (at the speed of memory), and
what cannot be decoded is marked before DuckDB meets it.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import IO

import duckdb

from orchestration.loading.rows import stage
from orchestration.loading.sql import file_literal

# Stands for bytes that are not text. It is no character of any language (Unicode: noncharacter).
UNDECODABLE = "\uffff"
# Begins what stands for a line that is too long to be read; behind it is a hash of the line.
TOO_LONG = f"\ufffe{UNDECODABLE}"
# DuckDB reads a text of 100 MB as JSON with more than 2 GB. No page of an API is so large.
LONGEST_LINE = 16 * 2**20
_HANDLER = "northstar-undecodable"
_CHUNK = 4 * 2**20
_PART_BYTES = 32 * 2**20
_BATCH_FILES = 500
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, which begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error(_HANDLER, _mark)


@dataclass(frozen=True)
class DecodedFile:
    """A file as UTF-8 text.

    Attributes:
        file_id: its id in `raw.loaded_files`.
        path: the text: the file itself if it was UTF-8 already, else a copy beside it.
        lines: physical lines; a last one without a line end counts.
        is_clean: no byte was undecodable or zero.
        has_lone_returns: carriage returns that end no line stand in it.
        ends_with_newline: the last line is whole.
    """

    file_id: int
    path: Path
    lines: int
    is_clean: bool
    has_lone_returns: bool
    ends_with_newline: bool


@dataclass
class _Census:
    newlines: int = 0
    returns: int = 0
    pairs: int = 0
    zeros: int = 0
    undecodable: int = 0
    size: int = 0
    last: bytes = b""

    def add(self, chunk: bytes) -> None:
        if not chunk:
            return
        self.newlines += chunk.count(b"\n")
        self.zeros += chunk.count(b"\0")
        # Most exports need no more than this, and counting pairs of bytes is slow.
        if returns := chunk.count(b"\r"):
            self.returns += returns
            self.pairs += chunk.count(b"\r\n")
        self.pairs += self.last == b"\r" and chunk.startswith(b"\n")
        if not chunk.isascii():
            self.undecodable += chunk.count(_UNDECODABLE_BYTES)
        self.size += len(chunk)
        self.last = chunk[-1:]


_UNDECODABLE_BYTES = UNDECODABLE.encode()


def decode(
    file_id: int,
    path: Path,
    encoding: str = "utf-8",
    *,
    returns_end_lines: bool = False,
    longest: int = LONGEST_LINE,
) -> DecodedFile:
    """Make a scratch file readable as UTF-8. A byte-order mark wins over `encoding`.

    Args:
        file_id: its id.
        path: the scratch file; copies are written beside it.
        encoding: as Python names it.
        returns_end_lines: whether a file without any newline has lines that end in carriage
            returns, as old spreadsheets write them.
        longest: bytes of a line; in the place of a longer one stands `TOO_LONG`.
    """
    return _shortened(_decode(file_id, path, encoding, returns_end_lines), longest)


def _decode(file_id: int, path: Path, encoding: str, returns_end_lines: bool) -> DecodedFile:
    with path.open("rb") as file:
        head = file.read(4)
    bom, encoding = next(
        ((bom, found) for bom, found in _BOMS if head.startswith(bom)), (b"", encoding)
    )
    name = codecs.lookup(encoding).name
    if not bom and name in ("utf-16", "utf-32"):
        encoding = f"{name}-le"  # nothing tells the order of bytes: the usual one
    is_utf8 = name in ("utf-8", "utf-8-sig", "ascii")
    if is_utf8 and not bom:
        census = _census_of_utf8(path)
        if census is not None and not (returns_end_lines and _has_only_returns(census)):
            return _decoded(file_id, path, census)
    copy = path.with_name(f"{path.name}.utf8")
    encoding = "utf-8-sig" if is_utf8 else encoding
    census = _transcode(path, copy, encoding, "\n")
    if returns_end_lines and _has_only_returns(census):
        census = _transcode(path, copy, encoding, "\r")
    return _decoded(file_id, copy, census)


def _shortened(file: DecodedFile, longest: int) -> DecodedFile:
    """The file, or a copy without the lines that are too long."""
    if file.path.stat().st_size <= longest:
        return file
    with file.path.open("rb") as lines:
        if all(len(line) <= longest for line in _lines(lines, longest)):
            return file
    copy = file.path.with_name(f"{file.path.name}.short")
    with file.path.open("rb") as lines, copy.open("wb") as output:
        digest = None
        for piece in _lines(lines, longest):
            if len(piece) > longest and digest is None:
                digest = hashlib.sha256()
            if digest is None:
                output.write(piece)
                continue
            digest.update(piece)
            if piece.endswith(b"\n"):
                output.write(f"{TOO_LONG}{digest.hexdigest()}\n".encode())
                digest = None
        if digest is not None:
            output.write(f"{TOO_LONG}{digest.hexdigest()}".encode())
    return replace(file, path=copy, is_clean=False)


def _lines(file: IO[bytes], longest: int) -> Iterator[bytes]:
    """Lines; one that is too long in pieces, of which the first is longer than `longest`."""
    while line := file.readline(longest + 1):
        yield line


def _has_only_returns(census: _Census) -> bool:
    return census.newlines == 0 and census.returns > 0


def _decoded(file_id: int, path: Path, census: _Census) -> DecodedFile:
    return DecodedFile(
        file_id=file_id,
        path=path,
        lines=census.newlines + (census.size > 0 and census.last != b"\n"),
        is_clean=census.undecodable == 0,
        has_lone_returns=census.returns > census.pairs,
        ends_with_newline=census.last == b"\n",
    )


def _census_of_utf8(path: Path) -> _Census | None:
    """Count what matters in a UTF-8 file; null when some of it is not UTF-8, or zero bytes."""
    census = _Census()
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            for chunk in _chunks(file):
                decoder.decode(chunk)
                census.add(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return None if census.zeros else census


def _transcode(path: Path, copy: Path, encoding: str, line_end: str) -> _Census:
    """Write the text as UTF-8, marking what cannot be decoded; `line_end` becomes a newline."""
    census = _Census()
    decoder = codecs.getincrementaldecoder(encoding)(errors=_HANDLER)
    with path.open("rb") as file, copy.open("wb") as output:
        for chunk in chain(_chunks(file), [b""]):
            text = decoder.decode(chunk, final=not chunk)
            text = text.replace("\0", UNDECODABLE).replace(line_end, "\n")
            # Half of a surrogate pair can be decoded from some encodings, but never be written.
            content = text.encode(errors="surrogatepass").decode(errors=_HANDLER).encode()
            census.add(content)
            output.write(content)
    return census


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


@dataclass(frozen=True)
class _Part:
    file_id: int
    path: Path
    first_line: int
    size: int
    is_copy: bool = False


def stage_lines(
    connection: duckdb.DuckDBPyConnection, files: Iterable[DecodedFile], table: str
) -> None:
    """(Re)create a temporary table with all physical lines of the files.

    Columns: file_id, line_number (from 1), line (without its newline; a carriage return stays).
    """
    connection.execute(
        f"create or replace temp table {table} (file_id bigint, line_number bigint, line varchar)"
    )
    for parts in _batches(part for file in files for part in _parts(file)):
        stage(
            connection,
            "text_parts",
            {"file_id": "BIGINT", "path": "VARCHAR", "first_line": "BIGINT"},
            (
                {"file_id": part.file_id, "path": str(part.path), "first_line": part.first_line}
                for part in parts
            ),
        )
        connection.execute(
            f"""
            insert into {table}
            with split as (
                select file_id, first_line, string_split(content, chr(10)) as lines
                from read_text([{", ".join(file_literal(part.path) for part in parts)}])
                join text_parts on text_parts.path = filename
            ),
            numbered as (
                select file_id, first_line, len(lines) as last,
                    unnest(lines) as line, generate_subscripts(lines, 1) as ordinal
                from split
            )
            select file_id, first_line + ordinal - 1, line
            from numbered
            where ordinal < last or line <> ''
            """
        )
        for part in parts:
            if part.is_copy:
                part.path.unlink()


def _parts(file: DecodedFile) -> Iterator[_Part]:
    """The file itself, or copies of its pieces, cut at line ends, when it is large."""
    size = file.path.stat().st_size
    if size <= _PART_BYTES:
        if size:
            yield _Part(file.file_id, file.path, 1, size)
        return
    line = 1
    with file.path.open("rb") as source:
        for number in count(1):
            content = source.read(_PART_BYTES) + source.readline()
            if not content:
                return
            path = file.path.with_name(f"{file.path.name}.part{number}")
            path.write_bytes(content)
            yield _Part(file.file_id, path, line, len(content), is_copy=True)
            line += content.count(b"\n")


def _batches(parts: Iterable[_Part]) -> Iterator[list[_Part]]:
    """Parts in groups of bounded size, so that memory is bounded, too."""
    batch: list[_Part] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += part.size
        if size > _PART_BYTES or len(batch) == _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def without_return(line: str) -> str:
    """A line (SQL) without the carriage return at its end."""
    return f"case when ends_with({line}, chr(13)) then {line}[:-2] else {line} end"


def is_blank(text: str) -> str:
    """Whether a text (SQL) is white space; no-break spaces and byte-order marks are, too."""
    return rf"regexp_full_match({text}, '[\s\x{{a0}}\x{{202f}}\x{{feff}}]*')"
