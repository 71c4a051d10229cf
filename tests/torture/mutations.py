"""Damages good files, and knows which rows it left alone: an oracle that reads nothing.

Every function takes a `random.Random`, so that a seed repeats what it did.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.torture.corpus import CANARY, Template

_HUGE: Final = 10**400
_BLANKS: Final = (
    " \t\r\n\x0b\x0c\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{ZERO WIDTH NO-BREAK SPACE}"
)


@dataclass(frozen=True)
class Mutated:
    """A damaged file, before it is put into a gzip or a zip.

    Attributes:
        template: what it was.
        content: its bytes.
        kept: rows of the template that must be loaded, each with its line; null where the line is
            not known, such as in a page.
        rows_in: rows that it has, where lines tell; else null.
        told: what was done, for whoever reads a failure.
    """

    template: Template
    content: bytes
    kept: Mapping[int, int | None]
    rows_in: int | None
    told: str


# -- values ----------------------------------------------------------------------------------------

_DEEP: Final = tuple(
    opening * depth + inside + closing * depth
    for depth in (50, 500, 5_000)
    for opening, inside, closing in (("[", "1", "]"), ('{"id":', "1", "}"))
)
HOSTILE_VALUES: Final = (
    "null",
    "true",
    "[]",
    "{}",
    '""',
    '" "',
    "0",
    "-1",
    "-0.0",
    "1e400",
    "1e-400",
    "NaN",
    "-Infinity",
    str(2**31),
    str(2**63),
    str(-(2**63) - 1),
    str(_HUGE),
    f'"{2**63}"',
    '"1e308"',
    '"NaN"',
    '"infinity"',
    '"\\u0000"',
    f'"{CANARY}\\u0000{CANARY}"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\uffff"',
    '"\uffff"',
    '"\\u202e\\ufeff"',
    '"\N{FAMILY}\N{VARIATION SELECTOR-16}"',
    f"\"=cmd|' /C {CANARY}'!A0\"",
    f'"\'; drop table raw.events; -- {CANARY}"',
    f'"{{{{ {CANARY} }}}}"',
    f'"{"x" * 40_000}{CANARY}"',
    f'[[{{"{CANARY}": [null]}}]]',
    *_DEEP,
)
TIMES: Final = (
    "0001-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999-15:59",
    "294247-01-10T04:00:54Z",
    "-290308-12-22T00:00:00Z",
    "290309-12-22 (BC) 00:00:00",
    "infinity",
    "-infinity",
    "epoch",
    "now",
    "today",
    "1969-12-31T23:59:59Z",
    "2024-03-31T02:30:00",  # clocks in Paris skip it
    "2024-10-27T02:30:00",  # and show this twice
    "2024-03-10T02:30:00",  # the same in New York
    "2024-11-03T01:30:00",
    "2024-02-30T00:00:00Z",
    "2023-02-29",
    "2024-06-30T23:59:60Z",
    "2024-05-01T25:61:61Z",
    "2024-05-01T10:00:00+99:99",
    "2024-05-01T10:00:00 Mars/Olympus",
    "01/01/0001",
    "31/12/9999",
    "29/02/2023",
    "31/03/2024 02:30",
    "27/10/2024 02:30",
    "1714557600",
    str(10**30),
    "20240501",
    "2024-W18-3",
)
_JUNK: Final = (
    b"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"true",
    b"0",
    b'"text"',
    b"[]",
    b"{}",
    b"[{}]",
    b'{"": ""}',
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"\xc3\x28",
    b"\xed\xa0\x80",  # a lone surrogate, as if it were UTF-8
    b"\xf4\x90\x80\x80",  # beyond Unicode
    b"//",
    b"/* */",
    b"\\",
    b"\x0b",
    b"\x0c",
    b"\x85",
    b"\xc2\xa0",
    b"%s%n%%",
    b"\x1b[31m",
    CANARY.encode(),
)


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _members(row: Mapping[str, Any]) -> list[str]:
    return [f"{_json_text(name)}: {_json_text(value)}" for name, value in row.items()]


def _object(members: Sequence[str]) -> bytes:
    return ("{" + ", ".join(members) + "}").encode(errors="surrogatepass")


def odd_object(chance: random.Random, row: bytes) -> bytes:
    """A row that is still some JSON text on one line, with something about it that is wrong."""
    found = json.loads(row)
    members = _members(found)
    names = list(found)
    at = chance.randrange(len(names))
    match chance.randrange(9):
        case 0 | 1 | 2:
            members[at] = f"{_json_text(names[at])}: {chance.choice(HOSTILE_VALUES)}"
        case 3 | 4:
            value = _json_text(chance.choice(TIMES))
            times = [n for n, name in enumerate(names) if re.search("time|_at|date|created", name)]
            at = chance.choice(times) if times else at
            members[at] = f"{_json_text(names[at])}: {value}"
        case 5:
            members.insert(chance.randrange(len(members) + 1), members[at])  # a key twice
        case 6:
            del members[at]
        case 7:
            members.append(f'"{CANARY}": {chance.choice(HOSTILE_VALUES)}')
        case _:
            whole = ("null", "[]", "{}", "1", '"text"', "[[1]]", "NaN", f'["{CANARY}"]', *_DEEP)
            return chance.choice(whole).encode()
    return _object(members)


def broken_bytes(chance: random.Random, row: bytes) -> bytes:
    """A row whose text is damaged; no newline is put in or taken out."""
    at = chance.randrange(len(row))
    match chance.randrange(6):
        case 0:
            return row[:at]
        case 1:
            return row[at + 1 :] or b"}"
        case 2:
            return row[:at] + row[at + 1 :]
        case 3:
            return row[:at] + bytes([chance.choice([b for b in range(256) if b != 10])]) + row[at:]
        case 4:
            return row[:at] + chance.choice(_JUNK) + row[at:]
        case _:
            return chance.choice((row + row, row + b",", row + b"\r" + row, b"\xef\xbb\xbf" + row))


def odd_record(chance: random.Random, row: bytes, template: Template) -> bytes:
    """A record with a value that nobody expects; it has neither quotes nor newlines more."""
    fields = row.split(template.delimiter)
    at = chance.randrange(len(fields))
    values = (
        *(time.encode() for time in TIMES),
        b"",
        b" ",
        b"NaN",
        b"-1",
        b"1e400",
        str(_HUGE).encode(),
        b"=1+1",
        b"\x00",
        b"\r",
        b"\xff",
        b"\xe9",
        b"x" * 40_000 + CANARY.encode(),
        f"{CANARY}'; drop table raw.events; --".encode(),
        "é世\N{NO-BREAK SPACE}".encode(),
    )
    if b'"' not in fields[at]:
        fields[at] = chance.choice(values)
    if chance.random() < 0.2:
        fields = chance.choice((fields[:-1], [*fields, b"x", b"y"], fields[:1], fields * 3))
    return template.delimiter.join(fields)


# -- rows of a file --------------------------------------------------------------------------------


def _counts_lines(template: Template) -> bool:
    """Whether every line is a row; of histories of tickets every event is one."""
    is_json = template.is_lines and template.kind == "json"
    return is_json and template.table != "raw.zendesk_ticket_events"


def _written(template: Template, rows: Sequence[bytes], changed: set[int], told: str) -> Mutated:
    """A file with some rows changed; none of them has a newline more or less."""
    # A whole list among lines is a page, and in a file of pages rows are numbered, not lines.
    has_lists = template.kind == "json" and any(
        row[:1] == b"[" and row.rstrip()[-1:] == b"]" for row in rows
    )
    kept = {
        index: template.first_line + index if template.is_lines and not has_lists else None
        for index in range(len(rows))
        if index not in changed
    }
    rows_in = None
    # A list among lines is a page, with as many rows as it has.
    is_paged = not template.folder.startswith("amplitude") and any(row[:1] == b"[" for row in rows)
    if _counts_lines(template) and not is_paged:
        rows_in = sum(not is_blank(row) for row in rows)
    return Mutated(template, template.write(rows), kept, rows_in, told)


def is_blank(line: bytes) -> bool:
    """Whether a line holds nothing; what of white space that is, the loader must agree with."""
    try:
        return not line.decode().strip(_BLANKS)
    except UnicodeDecodeError:
        return False


def change_rows(chance: random.Random, template: Template) -> Mutated:
    """Odd rows among good ones; every other row must be loaded."""
    rows = list(template.rows)
    changed = set(chance.sample(range(len(rows)), chance.randint(1, 3)))
    for index in changed:
        if template.kind == "csv":
            rows[index] = odd_record(chance, rows[index], template)
        else:
            rows[index] = odd_object(chance, rows[index])
    return _written(template, rows, changed, f"odd rows {sorted(changed)}")


def break_rows(chance: random.Random, template: Template) -> Mutated:
    """Broken rows among good ones; in a CSV a single one, since quotes reach over lines."""
    rows = list(template.rows)
    count = 1 if template.kind == "csv" else chance.randint(1, 2)
    changed = set(chance.sample(range(len(rows)), count))
    for index in changed:
        rows[index] = broken_bytes(chance, rows[index])
    mutated = _written(template, rows, changed, f"broken rows {sorted(changed)}")
    if template.encoding == "utf-16":
        # What is no UTF-8 was replaced when the rows were encoded, and may be fine now.
        return mutated
    return mutated


def split_rows(chance: random.Random, template: Template) -> Mutated:
    """A newline within rows: two lines of which neither is a row; the others must be loaded."""
    if not template.is_lines:
        return break_rows(chance, template)
    rows = list(template.rows)
    index = chance.randrange(len(rows))
    inside = rows[index].replace(b'"', b"") if template.kind == "csv" else rows[index]
    at = chance.randrange(1, len(inside) - 1)
    halves = [inside[:at], inside[at:]]
    lines = [*rows[:index], *halves, *rows[index + 1 :]]
    first = template.first_line
    kept = {n: first + n + (n > index) for n in range(len(rows)) if n != index}
    rows_in = sum(not is_blank(line) for line in lines) if _counts_lines(template) else None
    return Mutated(template, template.write(lines), kept, rows_in, f"row {index} split")


def quote_newlines(chance: random.Random, template: Template) -> Mutated:
    """Quoted fields with newlines in them: still as many rows, further down; others are loaded."""
    if template.kind != "csv" or not template.has_quotes:
        return split_rows(chance, template)
    rows = list(template.rows)
    changed = set(chance.sample(range(len(rows)), chance.randint(1, 3)))
    kept: dict[int, int | None] = {}
    line = template.first_line
    for index, row in enumerate(rows):
        if index in changed:
            fields = row.split(template.delimiter)
            at = chance.choice([n for n, field in enumerate(fields) if b'"' not in field])
            inside = chance.choice(
                (b"\n", b"a\nb", b'""\n""', b"\n\n\n", b",\n;", fields[at] + b"\n")
            )
            fields[at] = b'"%s"' % inside
            rows[index] = template.delimiter.join(fields)
        else:
            kept[index] = line
        line += 1 + rows[index].count(b"\n")
    told = f"newlines in quotes in rows {sorted(changed)}"
    return Mutated(template, template.write(rows), kept, len(rows), told)


# -- the text of a file ----------------------------------------------------------------------------


def respell(chance: random.Random, template: Template) -> Mutated:
    """Another way of writing the same rows: every one must be loaded."""
    content, rows = template.content, template.rows
    whole = Mutated(template, content, dict.fromkeys(range(len(rows))), None, "")
    if template.encoding == "utf-16":
        text = content.decode("utf-16")
        name = chance.choice(("utf-16", "utf-8-sig", "utf-32"))
        ending = chance.choice(("\n", "\r\n", "\r"))
        return replace(
            whole,
            content=text.replace("\n", ending).encode(name),
            told=f"{name} with line ends {ending!r}",
        )
    ways: dict[str, Callable[[], bytes]] = {
        "CRLF": lambda: content.replace(b"\n", b"\r\n"),
        "no newline at the end": lambda: content.rstrip(b"\n"),
        "newlines at the end": lambda: content + b"\n" * chance.randint(1, 5),
        "blank lines": lambda: content.replace(b"\n", b"\n" * chance.randint(2, 4)),
    }
    if template.encoding == "utf-8":
        ways["BOM"] = lambda: b"\xef\xbb\xbf" + content
        ways["UTF-16"] = lambda: content.decode().encode("utf-16")
        ways["UTF-32"] = lambda: content.decode().encode("utf-32")
    if template.kind == "csv":
        ways["CR"] = lambda: content.replace(b"\n", b"\r")
    told = chance.choice(list(ways))
    return replace(whole, content=ways[told](), told=told)


def cut(chance: random.Random, template: Template) -> Mutated:
    """The file ends early; rows before the cut must be loaded."""
    content = template.content
    at = chance.randrange(len(content))
    kept = {}
    if template.encoding != "utf-16":
        kept = {n: line for n, (_, end, line) in enumerate(_places(template)) if end < at}
    return Mutated(template, content[:at], kept, None, f"cut at {at} of {len(content)}")


def flip(chance: random.Random, template: Template) -> Mutated:
    """Some bytes are others."""
    content = bytearray(template.content)
    places = [chance.randrange(len(content)) for _ in range(chance.randint(1, 4))]
    for at in places:
        content[at] = chance.randrange(256)
    kept: dict[int, int | None] = {}
    if (
        template.kind == "json"
        and template.is_lines
        and b"\n" not in [bytes([content[at]]) for at in places]
    ):
        hit = {at for at in places if template.content[at] != content[at]}
        kept = {
            n: None
            for n, (start, end, _) in enumerate(_places(template))
            if not any(start - 1 <= at <= end for at in hit)
        }
    return Mutated(template, bytes(content), kept, None, f"other bytes at {sorted(places)}")


def shuffle(chance: random.Random, template: Template) -> Mutated:
    """Pieces are lost, repeated, or in the wrong place; nothing is said of the rows."""
    content = template.content
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    piece = content[start:end]
    at = chance.randrange(len(content))
    told, damaged = chance.choice(
        (
            ("a piece is lost", content[:start] + content[end:]),
            ("a piece stands twice", content[:end] + piece + content[end:]),
            ("a piece stands elsewhere", content[:at] + piece + content[at:]),
            (
                "random bytes",
                content[:at] + chance.randbytes(chance.randint(1, 300)) + content[at:],
            ),
            ("backwards", content[::-1]),
            ("zeros", content[:start] + b"\0" * (end - start) + content[end:]),
        )
    )
    return Mutated(template, damaged, {}, None, told)


def replace_all(chance: random.Random, template: Template) -> Mutated:
    """Something else under the name of an export."""
    told, content = chance.choice(
        (
            ("empty", b""),
            ("white space", b" \t\r\n" * chance.randint(1, 50)),
            ("one newline", b"\n"),
            ("no-break spaces", "\N{NO-BREAK SPACE}\n\N{NO-BREAK SPACE}\n".encode()),
            ("zeros", b"\0" * chance.randint(1, 5_000)),
            ("random", chance.randbytes(chance.randint(1, 5_000))),
            ("a web page", f"<!doctype html>\n<p>Sign in, {CANARY}\n".encode() * 5),
            ("an error of an API", b'{"error": "InvalidToken", "description": "expired"}'),
            ("a lone bracket", chance.choice((b"[", b"{", b"]", b"}", b'"', b"\xef\xbb\xbf"))),
            ("deep", chance.choice(_DEEP).encode()),
            ("a line of one letter", b"x" * chance.randint(1, 200_000)),
            ("commas and quotes", b'",' * chance.randint(1, 5_000)),
            ("open brackets", b"{[" * chance.randint(1, 5_000)),
            ("objects that never end", b'},{"id":[' * chance.randint(1, 2_000)),
            ("a picture", b"\x89PNG\r\n\x1a\n" + chance.randbytes(500)),
            ("SQLite", b"SQLite format 3\0" + chance.randbytes(500)),
        )
    )
    return Mutated(template, content, {}, None, told)


def _places(template: Template) -> list[tuple[int, int, int | None]]:
    """Where each row begins and ends in the file, and its line."""
    places: list[tuple[int, int, int | None]] = []
    content, position = template.content, 0
    for index, row in enumerate(template.rows):
        start = content.index(row, position)
        position = start + len(row)
        line = template.first_line + index if template.is_lines else None
        places.append((start, position, line))
    return places


def as_is(_: random.Random, template: Template) -> Mutated:
    """Nothing is changed inside: for damaged archives around it."""
    return _written(template, template.rows, set(), "good")


_WAYS: Final[Sequence[tuple[int, Callable[[random.Random, Template], Mutated]]]] = (
    (5, change_rows),
    (4, break_rows),
    (2, split_rows),
    (2, quote_newlines),
    (2, respell),
    (2, cut),
    (2, flip),
    (2, shuffle),
    (1, replace_all),
    (3, as_is),
)


def mutate(chance: random.Random, template: Template) -> Mutated:
    """Damage a file in one of the ways above."""
    weights = [weight for weight, _ in _WAYS]
    (way,) = chance.choices([way for _, way in _WAYS], weights)
    mutated = way(chance, template)
    return replace(mutated, told=f"{way.__name__}: {mutated.told}")
