"""Finds a person's ids in clear in the landing folder, and takes the person's rows out of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from orchestration.contracts import Contracts
from orchestration.demo.marker import read_marker, write_marker
from orchestration.digests import digest_of_file
from orchestration.erasing.people import Linked, pseudonym
from orchestration.erasing.stored import LandedFiles, Stored, remove_drafts, rewrite
from orchestration.erasing.texts import (
    About,
    Id,
    Row,
    Text,
    encoding_of,
    is_binary,
    is_readable,
    read_text,
    readings,
    rows_of,
    without,
)
from orchestration.landing.archives import Limits, member_of
from orchestration.landing.names import AMPLITUDE_EVENTS, AMPLITUDE_MERGES, read_name
from orchestration.settings import Settings
from orchestration.tombstones import (
    Removed,
    School,
    Tombstone,
    message,
    note_removed,
    read_tombstones,
    tombstone_hash,
)

# What is put in the place of an id in somebody else's row: a word would be an id, too.
ERASED: Final = ""
# Kinds by which a line that cannot be read may name somebody; numbers of tickets say too little.
_KINDS: Final = ("user", "email", "device", "amplitude", "zendesk_user")
THINGS: Final = ("zendesk_ticket", "zendesk_call")
_TOKEN: Final = re.compile(r"[^\s\"',;{}\[\]()<>\\]+")
_QUOTED: Final = re.compile(r"\"((?:[^\"\\]|\\.|\"\")*)\"")
_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w.-]+")
_EDGES: Final = ".:=!?/|"
# A shorter id is no proof in a line that cannot be read, and stands in other people's texts.
_SHORTEST: Final = 4
_SHORTEST_QUOTED: Final = 8
_BEGINS: Final = "(?<![A-Za-z0-9])"
# Behind an escape of JSON that is no letter or digit: a new line, an angle bracket.
_BEGINS_WRITTEN: Final = (
    r"(?<=\\[bfnrt])|(?<=\\u00[0-2ab][0-9a-f])|(?<=\\u003[a-f])|(?<=\\u20[0-9a-f]{2})"
)


@dataclass
class Swept:
    """What was taken out of the landing folder.

    Attributes:
        files: that were rewritten.
        rows: by source.
        broken: lines that could not be read and named the person.
        masked: places in other people's rows that named the person.
        unreadable: files that could not be opened, or are no text: nobody knows whether the person
            is in them.
        unknown: files that no reader knows, or looks at, and that name the person.
    """

    files: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    masked: int = 0
    unreadable: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As a report keeps it."""
        return {
            "files": self.files,
            "rows": dict(sorted(self.rows.items())),
            "broken": self.broken,
            "masked": self.masked,
            "unreadable": self.unreadable,
            "unknown": self.unknown,
        }


class Needles:
    """Texts to look for before anything is parsed: most files and lines hold none of them."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: set[str] = set()
        self._bytes: list[bytes] = []
        self._are_plain = True
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Look for this text, too."""
        folded = text.strip().lower()
        if folded and folded not in self._texts:
            self._texts.add(folded)
            self._bytes.append(folded.encode(errors="replace"))
            is_plain = folded.isascii() and folded.isprintable() and not set("\"'\\") & set(folded)
            self._are_plain = self._are_plain and is_plain

    def are_in_file(self, file: Stored, contracts: Contracts) -> bool:
        """Whether one of the texts may stand in a file, however its source may write it."""
        folded = file.content.lower()
        encoding, _ = encoding_of(file.content, file.name, contracts)
        if encoding == "utf-8":
            if any(needle in folded for needle in self._bytes):
                return True
            # What is plain is written otherwise by these escapes alone.
            if self._are_plain and b"\\u" not in folded and b"\\/" not in folded:
                return False
        return self.are_in(read_text(file.content, file.name, contracts).content)

    def are_in_bytes(self, raw: bytes) -> bool:
        """Whether one of the texts stands in bytes that are no text."""
        folded = raw.lower()
        return any(needle in folded for needle in self._bytes)

    def are_in(self, text: str) -> bool:
        """Whether one of the texts stands in a line, in any reading of it."""
        return any(
            needle in folded for folded in map(str.lower, readings(text)) for needle in self._texts
        )


def landed_files(
    settings: Settings, on_unreadable: Callable[[str], None] = lambda _: None
) -> LandedFiles:
    """The landing folder, within the limits that loading has, too."""
    limits = Limits(settings.max_inflated_mb * 2**20, settings.max_inflation_ratio)
    return LandedFiles(settings.landing, limits, on_unreadable)


def find_ids(
    settings: Settings, contracts: Contracts, linked: Linked, secret: bytes, seeds: Iterable[str]
) -> set[Id]:
    """The ids of a person in clear, from the keys that are linked.

    Every link of the identity rules comes from a row in which both ids stand: so whatever is linked
    is found by reading rows that hold an id found before, until no more come.
    """
    judged: dict[Id, bool] = {}

    def is_theirs(one: Id) -> bool:
        if one not in judged:
            kind, text = one
            if kind in THINGS:
                numbers = linked.tickets if kind == "zendesk_ticket" else linked.calls
                judged[one] = text.isdigit() and int(text) in numbers
            else:
                key = pseudonym(secret, kind, text)
                judged[one] = key in linked.keys or key in linked.shared
        return judged[one]

    needles = Needles(seeds)
    found = {("zendesk_ticket", str(number)) for number in linked.tickets}
    found |= {("zendesk_call", str(number)) for number in linked.calls}
    while True:
        before = len(found)
        for _, files in landed_files(settings).read():
            for file in files:
                if file.is_passed_over or not needles.are_in_file(file, contracts):
                    continue
                text = read_text(file.content, file.name, contracts)
                for row in rows_of(text, file.name, contracts, settings.scratch, needles.are_in):
                    for one in row.about.ids if row.about else ():
                        if one not in found and is_theirs(one):
                            found.add(one)
                            needles.add(one[1])
        if len(found) == before:
            return found


def seeds_in_broken_lines(settings: Settings, contracts: Contracts, seeds: Iterable[str]) -> bool:
    """Whether somebody whom no good row knows is named by a line that cannot be read."""
    wanted = _pattern(seeds)
    needles = Needles(seeds)
    return wanted is not None and any(
        row.is_broken and _finds(wanted, text.content[row.start : row.end])
        for _, files in landed_files(settings).read()
        for file in files
        if not file.is_passed_over and needles.are_in_file(file, contracts)
        for text in [read_text(file.content, file.name, contracts)]
        for row in rows_of(text, file.name, contracts, settings.scratch, needles.are_in)
    )


def recover_ids(settings: Settings, contracts: Contracts, stone: Tombstone, key: bytes) -> set[Id]:
    """The ids of a tombstone in clear, as far as the landing folder still holds them.

    Slower than `find_ids`, since every row has to be read: for an erasure that was killed.
    """
    hashes = {trace.hash for trace in stone.traces}
    judged: dict[Id, bool] = {}
    found: set[Id] = set()

    def judge(one: Id) -> None:
        if one not in judged:
            told = message(*one)
            judged[one] = told is not None and tombstone_hash(key, told) in hashes
        if judged[one]:
            found.add(one)

    for _, files in landed_files(settings).read():
        for file in files:
            if file.is_passed_over:
                continue
            text = read_text(file.content, file.name, contracts)
            for row in rows_of(text, file.name, contracts, settings.scratch):
                for one in row.about.ids if row.about else ():
                    judge(one)
                if row.is_broken:
                    for token in _tokens(text.content[row.start : row.end]):
                        for kind in _KINDS:
                            judge((kind, token.lower() if kind == "email" else token))
    return found


def _tokens(text: str) -> set[str]:
    """What may be an id in a line that cannot be read."""
    found = {written for quoted in _QUOTED.findall(text) for written in readings(quoted)}
    for reading in readings(text):
        words = {match.strip(_EDGES) for match in _TOKEN.findall(reading)}
        words |= {part for token in list(words) for part in re.split(r"[:=]", token)}
        found |= {*words, *_EMAIL.findall(reading)}
    return found - {""}


class _Person:
    """Judges rows by the ids of a tombstone in clear."""

    def __init__(self, stone: Tombstone, key: bytes, ids: Iterable[Id]) -> None:
        traces: dict[Any, list[tuple[datetime | None, datetime]]] = {}
        for trace in stone.traces:
            traces.setdefault(trace.hash, []).append((trace.since, trace.until))
        self._times: dict[Id, list[tuple[datetime | None, datetime]]] = {}
        for one in ids:
            told = message(*one)
            if told is not None and (times := traces.get(tombstone_hash(key, told))):
                self._times[one] = times
        own = [
            text
            for (kind, text), times in self._times.items()
            if kind not in THINGS and all(since is None for since, _ in times)
        ]
        self.needles = Needles(text for (kind, text) in self._times if kind not in THINGS)
        self.all_needles = Needles(text for _, text in self._times)
        self._named = _pattern(own)
        words = [text for text in own if "@" in text or not text.isdigit()]
        quoted = [t for t in words if "@" in t or len(t) >= _SHORTEST_QUOTED]
        self._quoted = _pattern(quoted, is_written=True)
        self._quoted_needles = Needles(quoted)

    def needles_for(self, path: str) -> Needles:
        """What to look for in a file; numbers of tickets stand in no file of events."""
        is_amplitude = read_name(path).source in (AMPLITUDE_EVENTS, AMPLITUDE_MERGES)
        return self.needles if is_amplitude else self.all_needles

    def names(self, text: str) -> bool:
        """Whether a text that cannot be read names the person."""
        return self._named is not None and _finds(self._named, text)

    def mask(self, text: str) -> tuple[str, int]:
        """Somebody else's row without what names the person in it, and in how many places."""
        if self._quoted is None or not self._quoted_needles.are_in(text):
            return text, 0
        return self._quoted.subn(ERASED, text)

    def is_before(self, about: About | None) -> bool:
        """Whether a row may have been there when the person was erased."""
        first = None if about is None else _first(about)
        return first is None or any(
            first < until for times in self._times.values() for _, until in times
        )

    def is_in(self, about: About) -> bool:
        """Whether a row is the person's: by its user id alone, if it has one."""
        ids = about.others if about.owner is None else (about.owner,)
        return any(self._is_theirs(one, about) for one in ids)

    def _is_theirs(self, one: Id, about: About) -> bool:
        first = _first(about)
        return any(
            (first is None or first < until)
            and (since is None or about.at is None or about.at >= since)
            for since, until in self._times.get(one, ())
        )


def _first(about: About) -> datetime | None:
    return min((time for time in (about.at, about.newest) if time), default=None)


def _finds(wanted: re.Pattern[str], text: str) -> bool:
    return any(wanted.search(reading) for reading in readings(text))


def _pattern(texts: Iterable[str], *, is_written: bool = False) -> re.Pattern[str] | None:
    """Finds the ids as whole words; short ones only as the value of an id.

    Args:
        texts: the ids.
        is_written: find them as JSON and CSV may write them, rather than in a reading of a text.
    """
    told = sorted({text.strip() for text in texts if text.strip()}, key=lambda t: (-len(t), t))
    if not told:
        return None
    writes = _written if is_written else re.escape
    long = [writes(text) for text in told if len(text) >= _SHORTEST]
    short = [writes(text) for text in told if len(text) < _SHORTEST]
    parts = []
    if long:
        begins = rf"(?:{_BEGINS}|{_BEGINS_WRITTEN})" if is_written else _BEGINS
        parts.append(rf"{begins}(?:{'|'.join(long)})(?![A-Za-z0-9])")
    if short:
        parts.append(rf"id\"?\s*[:=]\s*\"?(?:{'|'.join(short)})(?![A-Za-z0-9])")
    return re.compile("|".join(parts), re.IGNORECASE)


def _written(text: str) -> str:
    """A pattern of all ways in which JSON and CSV may write a text."""
    return "".join(_written_letter(letter) for letter in text)


def _written_letter(letter: str) -> str:
    ways = {re.escape(f"\\{letter}"), re.escape(letter * 2)} if letter in "\"'\\/" else set()
    for one in (letter, letter.lower(), letter.upper()):
        units = one.encode("utf-16-be", errors="surrogatepass").hex()
        ways.add("".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)))
    longest = sorted(ways, key=lambda way: (-len(way), way))
    return f"(?:{'|'.join([*longest, re.escape(letter)])})"


def sweep(
    settings: Settings, school: School, contracts: Contracts, stone: Tombstone, ids: Iterable[Id]
) -> Swept:
    """Take a person's rows out of the landing folder; what is gone already is no matter.

    Args:
        settings: say where landing and state are.
        school: whose exports they are.
        contracts: say where the ids are.
        stone: the erasure, written down before.
        ids: the person's, in clear.

    Raises:
        ErasureError: a file cannot be written; the erasure is completed by a later run.
    """
    tombstones = read_tombstones(settings, school)
    person = _Person(stone, tombstones.key, ids)
    swept = Swept()
    remove_drafts(settings.landing)
    landing = landed_files(settings, swept.unreadable.append)
    for landed, files in landing.read():
        new: dict[str, bytes] = {}
        removed: dict[str, Removed] = {}
        for file in files:
            content, rows = _sweep_file(file, settings, contracts, person, swept)
            if content is None:
                continue
            new[file.path] = content
            before = tombstones.removed_from(file.path, file.content_hash)
            removed[file.path] = Removed(
                rows=rows + (before.rows if before else 0),
                origin=before.origin
                if before
                else tombstone_hash(tombstones.key, f"content:{file.content_hash}").hex,
                landed_hash="",
            )
        if not new:
            continue

        def note(
            landed_hash: str, hashes: Mapping[str, str], lost: Mapping[str, Removed] = removed
        ) -> None:
            note_removed(
                settings,
                school,
                [
                    (path, hashes[path], Removed(one.rows, one.origin, landed_hash))
                    for path, one in lost.items()
                ],
            )

        rewrite(settings.landing, landed, new, note)
        swept.files += 1
    for file in landing.read_passed_over():
        _sweep_file(file, settings, contracts, person, swept)
    accept_in_demo(settings, school)
    return swept


def _sweep_file(
    file: Stored, settings: Settings, contracts: Contracts, person: _Person, swept: Swept
) -> tuple[bytes | None, int]:
    """What to store in the place of a file, null to leave it, and how many rows it loses.

    What stays and may hold the person, as far as anybody can tell, is noted to be looked at.
    """
    needles = person.needles_for(file.name)
    has_rows = not file.is_passed_over and is_readable(file.name, contracts)
    if needles.are_in_file(file, contracts):
        text = read_text(file.content, file.name, contracts)
        if has_rows:
            content, rows = _sweep_text(text, file, settings, contracts, person, swept)
            if content != text.content:
                return file.holding(text.encode(content)), rows
        elif person.names(text.content):
            swept.unknown.append(file.path)
            return None, 0
    encoding, _ = encoding_of(file.content, file.name, contracts)
    is_closed = file.is_partly_closed or is_binary(file.content, encoding)
    if needles.are_in_bytes(file.rest) or (is_closed and not file.is_of_system):
        swept.unreadable.append(file.path)
    return None, 0


def _sweep_text(
    text: Text,
    file: Stored,
    settings: Settings,
    contracts: Contracts,
    person: _Person,
    swept: Swept,
) -> tuple[str, int]:
    gone: list[Row] = []
    changed: dict[tuple[int, int], str] = {}
    rows = 0
    wants = person.needles_for(file.name).are_in
    for row in rows_of(text, file.name, contracts, settings.scratch, wants):
        part = text.content[row.start : row.end]
        if row.about is not None and person.is_in(row.about):
            gone.append(row)
            rows += row.rows
            swept.rows[read_name(file.name).source or "unknown"] += row.rows
        elif row.is_broken:
            if person.names(part):
                gone.append(row)
                # Where a page is cut off the loader counts a row, whatever is left of it.
                rows += 0 if row.siblings and not text.content[row.end :].strip(" \t\r\n,") else 1
                swept.broken += 1
        elif person.is_before(row.about):
            masked, places = person.mask(part)
            if places:
                changed[row.start, row.end] = masked
                swept.masked += places
    return without(text.content, gone, changed), rows


def accept_in_demo(settings: Settings, school: School) -> None:
    """Let the demo's marker know its files as an erasure has left them: they are still its own."""
    marker = read_marker(settings.landing) if school == "demo" else None
    if marker is None:
        return
    known: dict[str, set[str]] = {}
    for (name, _), removed in read_tombstones(settings, school).removed.items():
        known.setdefault(member_of(name)[0], set()).add(removed.landed_hash)
    files = dict(marker.files)
    for name in known.keys() & files.keys():
        path = settings.landing / name
        if path.is_file() and (found := digest_of_file(path)) in known[name]:
            files[name] = found
    if files != marker.files:
        write_marker(settings.landing, marker.model_copy(update={"files": files}))
