"""Finds a person's ids in clear in the landing folder, and takes the person's rows out of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from orchestration.contracts import Contracts
from orchestration.demo.marker import hash_of, read_marker, write_marker
from orchestration.erasing.people import Linked, pseudonym
from orchestration.erasing.stored import Stored, read_landed, remove_drafts, rewrite
from orchestration.erasing.texts import (
    About,
    Id,
    Row,
    Text,
    is_readable,
    read_text,
    rows_of,
    without,
)
from orchestration.landing import take_inventory
from orchestration.landing.archives import UnreadableArchiveError, member_of
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
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_TOKEN: Final = re.compile(r"[^\s\"',;{}\[\]()<>\\]+")
_QUOTED: Final = re.compile(r"\"([^\"\\]*)\"")
_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w.-]+")
_EDGES: Final = ".:=!?/|"
# A shorter id is no proof in a line that cannot be read, and stands in other people's texts.
_SHORTEST: Final = 4
_SHORTEST_QUOTED: Final = 8


@dataclass
class Swept:
    """What was taken out of the landing folder.

    Attributes:
        files: that were rewritten.
        rows: by source.
        broken: lines that could not be read and named the person.
        masked: places in other people's rows that named the person.
        unreadable: files that could not be opened; nobody knows whether the person is in them.
        unknown: files that no reader knows and that name the person.
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
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Look for this text, too."""
        folded = text.strip().lower()
        if folded and folded not in self._texts:
            self._texts.add(folded)
            self._bytes.append(folded.encode(errors="replace"))

    def are_in_bytes(self, raw: bytes) -> bool:
        """Whether one of the texts may stand in a file, in any way in which JSON may write it."""
        folded = raw.lower()
        if any(needle in folded for needle in self._bytes):
            return True
        hides = b"\\" in raw or b"\0" in raw[:64] or not all(n.isascii() for n in self._bytes)
        return hides and self.are_in(
            raw.decode("utf-16" if b"\0" in raw[:64] else "utf-8", errors="ignore")
        )

    def are_in(self, text: str) -> bool:
        """Whether one of the texts stands in a line."""
        folded = plain(text).lower()
        return any(needle in folded for needle in self._texts)


def plain(text: str) -> str:
    """A text without the escapes of JSON that can hide an id."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).replace("\\/", "/")


def data_files(
    landing: Path, on_unreadable: Callable[[str], None]
) -> Iterator[tuple[str, list[Stored]]]:
    """The data files of the landing folder, by landed file."""
    for landed in take_inventory(landing).files:
        try:
            yield landed.path, list(read_landed(landing, landed.path))
        except UnreadableArchiveError:
            on_unreadable(landed.path)


def find_ids(
    landing: Path, contracts: Contracts, linked: Linked, secret: bytes, seeds: Iterable[str]
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
        for _, files in data_files(landing, lambda _: None):
            for file in files:
                if not needles.are_in_bytes(file.content):
                    continue
                text = read_text(file.content, file.name, contracts)
                for row in rows_of(text, file.name, contracts, needles.are_in):
                    for one in row.about.ids if row.about else ():
                        if one not in found and is_theirs(one):
                            found.add(one)
                            needles.add(one[1])
        if len(found) == before:
            return found


def seeds_in_broken_lines(landing: Path, contracts: Contracts, seeds: Iterable[str]) -> bool:
    """Whether somebody whom no good row knows is named by a line that cannot be read."""
    wanted = _pattern(seeds)
    needles = Needles(seeds)
    return wanted is not None and any(
        row.is_broken and wanted.search(plain(text.content[row.start : row.end]))
        for _, files in data_files(landing, lambda _: None)
        for file in files
        if needles.are_in_bytes(file.content)
        for text in [read_text(file.content, file.name, contracts)]
        for row in rows_of(text, file.name, contracts, needles.are_in)
    )


def recover_ids(landing: Path, contracts: Contracts, stone: Tombstone, key: bytes) -> set[Id]:
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

    for _, files in data_files(landing, lambda _: None):
        for file in files:
            text = read_text(file.content, file.name, contracts)
            for row in rows_of(text, file.name, contracts):
                for one in row.about.ids if row.about else ():
                    judge(one)
                if row.is_broken:
                    for token in _tokens(plain(text.content[row.start : row.end])):
                        for kind in _KINDS:
                            judge((kind, token.lower() if kind == "email" else token))
    return found


def _tokens(text: str) -> set[str]:
    found = {match.strip(_EDGES) for match in _TOKEN.findall(text)}
    found |= {part for token in list(found) for part in re.split(r"[:=]", token)}
    return {token for token in {*found, *_QUOTED.findall(text), *_EMAIL.findall(text)} if token}


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
        quoted = [text for text in own if "@" in text or not text.isdigit()]
        self._quoted = _pattern(t for t in quoted if "@" in t or len(t) >= _SHORTEST_QUOTED)

    def needles_for(self, path: str) -> Needles:
        """What to look for in a file; numbers of tickets stand in no file of events."""
        is_amplitude = read_name(path).source in (AMPLITUDE_EVENTS, AMPLITUDE_MERGES)
        return self.needles if is_amplitude else self.all_needles

    def names(self, text: str) -> bool:
        """Whether a text that cannot be read names the person."""
        return self._named is not None and self._named.search(plain(text)) is not None

    def mask(self, text: str) -> tuple[str, int]:
        """Somebody else's row without what names the person in it, and in how many places."""
        return (text, 0) if self._quoted is None else self._quoted.subn(ERASED, text)

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


def _pattern(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Finds the ids as whole words; short ones only as the value of an id."""
    told = sorted({text.strip() for text in texts if text.strip()}, key=lambda t: (-len(t), t))
    if not told:
        return None
    long = [re.escape(text) for text in told if len(text) >= _SHORTEST]
    short = [re.escape(text) for text in told if len(text) < _SHORTEST]
    parts = []
    if long:
        parts.append(rf"(?<![A-Za-z0-9])(?:{'|'.join(long)})(?![A-Za-z0-9])")
    if short:
        parts.append(rf"id\"?\s*[:=]\s*\"?(?:{'|'.join(short)})(?![A-Za-z0-9])")
    return re.compile("|".join(parts), re.IGNORECASE)


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
    landing = settings.landing
    swept = Swept()
    remove_drafts(landing)
    for landed, files in data_files(landing, swept.unreadable.append):
        new: dict[str, bytes] = {}
        removed: dict[str, Removed] = {}
        for file in files:
            if not person.needles_for(file.name).are_in_bytes(file.content):
                continue
            text = read_text(file.content, file.name, contracts)
            if not is_readable(file.name, contracts):
                if person.names(text.content):
                    swept.unknown.append(file.path)
                continue
            content, rows = _sweep_text(text, file, contracts, person, swept)
            if content == text.content:
                continue
            new[file.path] = file.holding(text.encode(content))
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

        rewrite(landing, landed, new, note)
        swept.files += 1
    accept_in_demo(settings, school)
    return swept


def _sweep_text(
    text: Text, file: Stored, contracts: Contracts, person: _Person, swept: Swept
) -> tuple[str, int]:
    gone: list[Row] = []
    changed: dict[tuple[int, int], str] = {}
    rows = 0
    wants = person.needles_for(file.name).are_in
    for row in rows_of(text, file.name, contracts, wants):
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
        if path.is_file() and (found := hash_of(path)) in known[name]:
            files[name] = found
    if files != marker.files:
        write_marker(settings.landing, marker.model_copy(update={"files": files}))
