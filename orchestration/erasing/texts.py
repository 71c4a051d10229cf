"""The rows of a file as spans of its text: whom each is about, and the text without some of them.

Nothing but the spans is cut out: what stays is byte for byte what the vendor exported.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb

from orchestration.contracts import Contracts, SurveyMapping
from orchestration.contracts.survey_mapping import Column
from orchestration.landing.names import (
    AMPLITUDE_EVENTS,
    AMPLITUDE_MERGES,
    SATISMETER,
    SURVEYS,
    read_name,
)
from orchestration.loading.csv_rows import RECORDS, Header, read_header, stage_records
from orchestration.loading.json_rows import Shape, find_elements
from orchestration.loading.satismeter import SHAPE
from orchestration.loading.subjects import SUBJECTS, Subject
from orchestration.loading.text import decode
from orchestration.loading.zendesk import shape_of

Id = tuple[str, str]

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_LARGEST_SECONDS: Final = 7_258_118_399
_LOOKED_AT: Final = 2**20
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - set(b"\t\n\v\f\r\x1a\x1b"))
_TEXT_PER_CONTROL: Final = 50
_HEX: Final = "[0-9a-fA-F]"
_ESCAPED: Final = re.compile(
    rf"\\u([dD][89abAB]{_HEX}{{2}})\\u([dD][c-fC-F]{_HEX}{{2}})|\\u({_HEX}{{4}})|\\(.)"
)
_SHORT_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_UNDECODED: Final = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class About:
    """Whom a row is about.

    Attributes:
        owner: the school's own user id; where there is one, it decides alone.
        others: ids one of which is enough where there is no owner.
        at: when it was, UTC; null where the row does not say.
        newest: a row was there at this time, although its own is later: when it was uploaded.
    """

    owner: Id | None
    others: tuple[Id, ...]
    at: datetime | None
    newest: datetime | None = None

    @property
    def ids(self) -> tuple[Id, ...]:
        """All of them."""
        return self.others if self.owner is None else (self.owner, *self.others)


@dataclass(frozen=True)
class Row:
    """A row of a file.

    Attributes:
        start, end: its place in the text; of a line with its line end.
        about: whom it is about; null when it says nothing of anybody.
        is_broken: it cannot be read, or lacks what every row of its source says.
        rows: as how many rows the loader counts it.
        siblings: the spans of the list that it is an element of, in order; none of a line.
    """

    start: int
    end: int
    about: About | None
    is_broken: bool = False
    rows: int = 1
    siblings: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Text:
    """A file as text, such that its bytes can be had back."""

    content: str
    encoding: str
    bom: bytes = b""

    def encode(self, content: str) -> bytes:
        """A changed text as bytes."""
        return self.bom + content.encode(self.encoding, errors="surrogateescape")


Wants = Callable[[str], bool]


def is_readable(path: str, contracts: Contracts) -> bool:
    """Whether anybody can tell the rows of a data file, by its path."""
    name = read_name(path)
    if name.source == SURVEYS:
        return contracts.survey_mapping_for(path) is not None
    return name.source is not None


def read_text(raw: bytes, path: str, contracts: Contracts) -> Text:
    """Decode a data file as its reader does; any byte can be had back from a UTF-8 text."""
    encoding, bom = encoding_of(raw, path, contracts)
    return _decoded(raw.removeprefix(bom), encoding, bom)


def encoding_of(raw: bytes, path: str, contracts: Contracts) -> tuple[str, bytes]:
    """In which encoding its reader takes a data file to be, and its byte-order mark."""
    is_amplitude = read_name(path).source in (AMPLITUDE_EVENTS, AMPLITUDE_MERGES)
    for bom, encoding in _BOMS[:1] if is_amplitude else _BOMS:  # events are UTF-8 or broken
        if raw.startswith(bom):
            return encoding, bom
    encoding = "utf-8"
    if read_name(path).source == SURVEYS:
        mapping = contracts.survey_mapping_for(path)
        encoding = "utf-8" if mapping is None else codecs.lookup(mapping.format.encoding).name
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le"
    return "utf-8" if encoding in ("ascii", "utf-8-sig") else encoding, b""


def is_binary(raw: bytes, encoding: str) -> bool:
    """Whether bytes are no text, such as those of a spreadsheet, or packed ones.

    Of random bytes one in nine is a control character that no text has.
    """
    if encoding.startswith(("utf-16", "utf-32")):
        return False
    head = raw[:_LOOKED_AT]
    return (len(head) - len(head.translate(None, _CONTROLS))) * _TEXT_PER_CONTROL > len(head)


def readings(text: str) -> Iterator[str]:
    """What a text may say: as it stands, and as JSON and CSV may write it otherwise."""
    yield text
    if "\\" in text:
        yield _ESCAPED.sub(_unescaped, text)
    for doubled in ('""', "''"):
        if doubled in text:
            yield text.replace(doubled, doubled[0])
    if not text.isascii() and _UNDECODED.search(text):  # Latin-1 in a file that should be UTF-8
        yield text.encode("utf-8", errors="surrogateescape").decode("latin-1")


def _unescaped(found: re.Match[str]) -> str:
    high, low, one, short = found.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return chr(int(one, 16)) if one else _SHORT_ESCAPES.get(short, short)


def _decoded(raw: bytes, encoding: str, bom: bytes) -> Text:
    try:
        return Text(raw.decode(encoding, errors="surrogateescape"), encoding, bom)
    except UnicodeDecodeError:  # half a character at the end of a UTF-16 text
        return Text(raw.decode(encoding, errors="replace"), encoding, bom)


def rows_of(
    text: Text, path: str, contracts: Contracts, scratch: Path, wants: Wants | None = None
) -> Iterator[Row]:
    """The rows of a data file, in order; none of a file that no reader knows.

    Args:
        text: its content.
        path: says what it is.
        contracts: say where the ids are.
        scratch: a private folder that the next run empties, if this process cannot; made if absent.
        wants: which lines are worth being read; others may be passed over.
    """
    source = read_name(path).source or ""
    if source == AMPLITUDE_EVENTS:
        return _lines(text.content, _event_reader(path, contracts), wants)
    if source == AMPLITUDE_MERGES:
        return _lines(text.content, _read_merge, wants)
    if source == SURVEYS:
        mapping = contracts.survey_mapping_for(path)
        return iter(()) if mapping is None else _records(text, mapping, scratch)
    shape = SHAPE if source == SATISMETER else shape_of(source)
    return iter(()) if shape is None else _objects(text.content, shape, SUBJECTS.get(source))


def without(content: str, gone: Sequence[Row], changed: Mapping[tuple[int, int], str]) -> str:
    """The text without some rows, and with others (by their span) written otherwise."""
    cuts = [(row.start, row.end) for row in gone if not row.siblings]
    lists: dict[tuple[tuple[int, int], ...], set[tuple[int, int]]] = {}
    for row in gone:
        if row.siblings:
            lists.setdefault(row.siblings, set()).add((row.start, row.end))
    for siblings, missing in lists.items():
        cuts += _cuts(siblings, missing)
    edits = [(start, end, "") for start, end in cuts]
    edits += [(start, end, new) for (start, end), new in changed.items()]
    pieces, position = [], 0
    for start, end, new in sorted(edits):
        if start >= position:
            pieces += [content[position:start], new]
        position = max(position, end)
    return "".join([*pieces, content[position:]])


def _cuts(
    siblings: Sequence[tuple[int, int]], missing: set[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """What to cut so that the list stays one: elements with the comma that goes with them."""
    kept_end: int | None = None
    for number, span in enumerate(siblings):
        if span not in missing:
            kept_end = span[1]
        elif any(later not in missing for later in siblings[number + 1 :]):
            yield span[0], siblings[number + 1][0]
        else:
            yield (span[0] if kept_end is None else kept_end), siblings[-1][1]
            return


# -- lines -----------------------------------------------------------------------------------------


def _line_spans(content: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(content):
        newline = content.find("\n", start)
        end = len(content) if newline < 0 else newline + 1
        if content[start:end].strip():
            yield start, end
        start = end


def _lines(
    content: str, read: Callable[[dict[str, Any]], About | None], wants: Wants | None
) -> Iterator[Row]:
    for start, end in _line_spans(content):
        line = content[start:end]
        if wants is None or wants(line):
            value = parse(line)
            about = read(value) if isinstance(value, dict) else None
            yield Row(start, end, about, is_broken=about is None)


def parse(text: str) -> Any:
    """A text as JSON; null if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _event_reader(path: str, contracts: Contracts) -> Callable[[Any], About | None]:
    plan = contracts.tracking_plan_for(read_name(path).project or "")
    plans = contracts.tracking_plans if plan is None else [plan]
    emails = [_pointer(place) for one in plans for place in one.roles.get("email", ())]

    def read(event: dict[str, Any]) -> About | None:
        others: list[Id] = []
        for kind, name in (("device", "device_id"), ("amplitude", "amplitude_id")):
            others += _id(kind, event.get(name))
        address = next((found for place in emails if (found := _at_path(event, place))), None)
        others += _id("email", address)
        owner = next(iter(_id("user", event.get("user_id"))), None)
        at, uploaded = _time(event.get("event_time")), _time(event.get("server_upload_time"))
        return _about(owner, others, at, uploaded)

    return read


def _pointer(place: str) -> tuple[str, ...]:
    scope, name = place.split(".", 1)
    return {"event": ("event_properties", name), "user": ("user_properties", name)}.get(
        scope, (name,)
    )


def _read_merge(merge: dict[str, Any]) -> About | None:
    others = [
        found
        for name in ("amplitude_id", "merged_amplitude_id")
        for found in _id("amplitude", merge.get(name))
    ]
    milliseconds = merge.get("merge_server_time", merge.get("merge_time"))
    at = None
    if isinstance(milliseconds, int) and 0 <= milliseconds <= 1000 * _LARGEST_SECONDS:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return _about(None, others, at)


def _about(
    owner: Id | None, others: Iterable[Id], at: datetime | None, newest: datetime | None = None
) -> About | None:
    told = tuple(others)
    return About(owner, told, at, newest) if owner is not None or told else None


def _id(kind: str, value: Any) -> list[Id]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return []
    text = str(value).strip(" ")
    return [(kind, text.lower() if kind == "email" else text)] if text else []


def _time(value: Any) -> datetime | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_SECONDS:
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        return None


# -- objects and pages -----------------------------------------------------------------------------


def _objects(content: str, shape: Shape, subject: Subject | None) -> Iterator[Row]:
    """Rows of a file of pages or objects, told apart as `json_rows` does."""
    listed = "|".join(re.escape(key) for key in shape.keys)
    begins = re.compile(rf'^\s*\[|"(?:{listed})"\s*:\s*\[')
    whole = _document(content, 0, len(content), shape)
    if whole is not None:
        yield from _rows_of_spans(content, whole, subject)
        return
    spans = list(_line_spans(content))
    documents = [_document(content, start, end, shape) for start, end in spans]
    if spans and documents[0] is None and begins.search(content):
        yield from _damaged(content, 0, len(content), shape, subject)
        return
    for (start, end), document in zip(spans, documents, strict=True):
        if document is not None:
            yield from _rows_of_spans(content, document, subject)
        elif begins.search(content[start:end]):
            yield from _damaged(content, start, end, shape, subject)
        else:
            yield Row(start, end, None, is_broken=True)


@dataclass(frozen=True)
class _Spans:
    """The rows of one document; `is_list` where they are elements of it."""

    spans: tuple[tuple[int, int], ...]
    is_list: bool


def _document(content: str, start: int, end: int, shape: Shape) -> _Spans | None:
    """Where the rows of one JSON document are; null when the span is no document."""
    decoder = json.JSONDecoder()
    begin = _skip(content, start)
    try:
        value, stop = decoder.raw_decode(content, begin)
        if content[stop:end].strip():
            return None
        if isinstance(value, list):
            return _Spans(_elements(decoder, content, begin), True)
        if isinstance(value, dict):
            key = next((key for key in shape.keys if isinstance(value.get(key), list)), None)
            if key is not None:
                return _Spans(
                    _elements(decoder, content, _value_at(decoder, content, begin, key)), True
                )
    except (ValueError, RecursionError, IndexError):
        return None
    return _Spans(((start, end),), False)


def _value_at(decoder: json.JSONDecoder, content: str, begin: int, wanted: str) -> int:
    """Where the value of a key of the object at `begin` starts."""
    position = _skip(content, begin + 1)
    found = position
    while content[position] != "}":
        key, position = decoder.raw_decode(content, position)
        position = _skip(content, _skip(content, position) + 1)
        if key == wanted:
            found = position
        _, position = decoder.raw_decode(content, position)
        position = _skip(content, position)
        if content[position] == ",":
            position = _skip(content, position + 1)
    return found


def _elements(decoder: json.JSONDecoder, content: str, begin: int) -> tuple[tuple[int, int], ...]:
    spans = []
    position = _skip(content, begin + 1)
    while content[position] != "]":
        _, end = decoder.raw_decode(content, position)
        spans.append((position, end))
        position = _skip(content, end)
        if content[position] == ",":
            position = _skip(content, position + 1)
    return tuple(spans)


def _skip(content: str, position: int) -> int:
    found = _SPACE.match(content, position)
    return found.end() if found else position


def _damaged(
    content: str, start: int, end: int, shape: Shape, subject: Subject | None
) -> Iterator[Row]:
    """The elements of damaged pages, good ones and others, and what stands around them."""
    part = content[start:end]
    spans, position = [], 0
    for element, _ in find_elements(part, shape):
        if element:
            begin = part.index(element, position)
            position = begin + len(element)
            spans.append((start + begin, start + position))
    if not spans:
        yield Row(start, end, None, is_broken=True)
        return
    yield from _rows_of_spans(content, _Spans(tuple(spans), True), subject)


def _rows_of_spans(content: str, found: _Spans, subject: Subject | None) -> Iterator[Row]:
    for start, end in found.spans:
        value = parse(content[start:end])
        about, rows = None, 1
        if isinstance(value, dict) and subject is not None:
            about, rows = _read_object(value, subject)
        is_broken = not isinstance(value, dict) or (subject is not None and about is None)
        yield Row(start, end, about, is_broken, rows, found.spans if found.is_list else ())


def _read_object(value: dict[str, Any], subject: Subject) -> tuple[About | None, int]:
    owner = (
        None
        if subject.owner is None
        else next(iter(_id("user", _at_path(value, _parts(subject.owner)))), None)
    )
    others = [
        found
        for kind, pointer in subject.others
        for found in _id(kind, _at_path(value, _parts(pointer)))
    ]
    times = (_time(_at_path(value, _parts(pointer))) for pointer in subject.at)
    at = next((time for time in times if time is not None), None)
    lists = (_at_path(value, _parts(pointer)) for pointer in subject.parts)
    parts = next((found for found in lists if isinstance(found, list)), ())
    return _about(owner, others, at), max(1, len(parts))


def _parts(pointer: str) -> tuple[str, ...]:
    return tuple(pointer.removeprefix("/").split("/"))


def _at_path(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


# -- records of a CSV ------------------------------------------------------------------------------


def _records(text: Text, mapping: SurveyMapping, scratch: Path) -> Iterator[Row]:
    """The records of a CSV with its mapping.

    Where none of the columns that say whose row it is has a value, an address in any cell does. In
    other rows it is what somebody else wrote.
    """
    content = text.content
    newline = "\n" if "\n" in content else "\r"
    starts = [0]
    for found in re.finditer(newline, content):
        starts.append(found.end())
    starts.append(len(content))
    header, records = _read_records(text, mapping, scratch)
    if header is None:
        for start, end in _line_spans(content):
            yield Row(start, end, None, is_broken=True)
        return
    places = {
        role: _position(mapping.columns[role], header)  # type: ignore[index]
        for role in ("user_id", "email", "respondent_id")
        if role in mapping.columns
    }
    lines = [line for line, _, _ in records]
    for number, (line, record, problem) in enumerate(records):
        start = starts[line - 1]
        end = starts[lines[number + 1] - 1] if number + 1 < len(lines) else len(content)

        def answer(role: str, cells: Sequence[str] = record) -> str | None:
            place = places.get(role)
            return cells[place - 1] if place is not None and place <= len(cells) else None

        if problem is not None:
            yield Row(start, end, None, is_broken=True)
            continue
        owner = next(iter(_id("user", (answer("user_id") or "").strip())), None)
        others = _id("email", (answer("email") or "").strip())
        others += _id(f"respondent:{mapping.survey}", (answer("respondent_id") or "").strip())
        if owner is None and not others:
            cells = [cell.strip().lower() for cell in record]
            others = [("email", cell) for cell in cells if _EMAIL.fullmatch(cell)]
        yield Row(start, end, _about(owner, others, None))


def _position(column: Column, header: Header) -> int | None:
    if column.constant is not None:
        return None
    if column.position is not None:
        return column.position
    name = (column.header or "").strip()
    return header.names.index(name) + 1 if name in header.names else None


def _read_records(
    text: Text, mapping: SurveyMapping, scratch: Path
) -> tuple[Header | None, list[tuple[int, list[str], str | None]]]:
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch) as folder, duckdb.connect() as connection:
        path = Path(folder) / "content.csv"
        # Surrogates stand for bytes that are no text; the reader has a mark of its own for them.
        path.write_bytes(text.content.encode("utf-8", errors="replace"))
        decoded = decode(1, path, returns_end_lines=True)
        header = read_header(decoded, mapping.format)
        if header is None:
            return None, []
        stage_records(connection, decoded, mapping.format, header)
        records = connection.execute(
            f"select line_number, record, problem from {RECORDS} order by line_number"
        ).fetchall()
    return header, records
