"""What was published, for ever: a chain of entries that nobody can change unnoticed.

state/published/<school>/000001.json    one file per entry, never written again
state/published/<school>/000002.json    names the SHA-256 of 000001.json, and so on

An entry holds the figures that differ from what the entries before it say, and the restatements of
that publication. Demo and own exports have a chain each (`school`), since both can live in one data
folder, one after the other.

An entry is a file of its own, renamed into place once it is on disk: after a kill it is there or it
is not. It is the commit of a publication: what readers see is in the chain, always, and a run that
is killed before it shows its publication is rolled forward by the next one. The chain alone cannot
tell that its newest entries were taken away; the publications can, which name the head that they
were published with, and so can anybody who wrote down the head that each run prints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.durable import write_file
from orchestration.errors import ChainError
from orchestration.publishing.figures import Key
from orchestration.publishing.fingerprint import Fingerprint
from orchestration.publishing.publications import ChainHead, complete_publications
from orchestration.settings import Settings

School = Literal["demo", "own"]
SCHOOLS: Sequence[School] = ("own", "demo")
LAYOUT = 1
_OWNER_READS = 0o400


class Told(BaseModel):
    """A published figure from this entry on.

    Attributes:
        by: what it is told by besides the month; empty for the total.
        value: null where it is withheld (it is too small), or where there is nothing to tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    relation: str
    figure: str
    month: date
    by: dict[str, str]
    value: int | float | None
    withheld: bool

    @property
    def key(self) -> Key:
        """What it is the value of."""
        return self.relation, self.figure, str(self.month), tuple(sorted(self.by.items()))


class Restatement(BaseModel):
    """A figure that had been published otherwise, and one of the causes.

    Attributes:
        month_was_over: on the as-of day of the publication before; a running month grows anyway.
        old_value, new_value: null where withheld or nothing.
        old_withheld, new_withheld: the value is too small to be told.
        change: new - old; null where it would tell a withheld value.
        standing_since: the publication in which the old value was first told.
        cause: null for the parts of a total, whose causes are told of the total only.
        cause_change: what the cause adds to the figure; all causes together make up `change`.
        reports: how many reports it acts upon; null where something is withheld.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    relation: str
    figure: str
    month: date
    by: dict[str, str]
    month_was_over: bool
    old_value: int | float | None
    old_withheld: bool
    new_value: int | float | None
    new_withheld: bool
    change: int | float | None
    standing_since: str | None
    standing_since_at: datetime | None
    cause: str | None
    cause_change: int | float | None
    reports: int | None


class Entry(BaseModel):
    """One entry: what a publication changed.

    Attributes:
        number: from 1.
        previous: SHA-256 of the file of the entry before; null for the first.
        inputs: what the publication was made from.
        figures: those that differ from what the entries before say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: int
    school: School
    number: int
    previous: str | None
    publication: str
    published_at: datetime
    as_of: date | None
    inputs: Fingerprint
    figures: tuple[Told, ...]
    restatements: tuple[Restatement, ...]

    def to_bytes(self) -> bytes:
        """The canonical form, whose SHA-256 is the entry's hash."""
        told = self.model_dump(mode="json")
        text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return f"{text}\n".encode()


@dataclass(frozen=True)
class Standing:
    """A figure as it stands after an entry, and the entry that said so first."""

    told: Told
    since: Entry


@dataclass(frozen=True)
class Chain:
    """The entries of a chain that hold together, and their hashes."""

    school: School
    entries: tuple[Entry, ...] = ()
    hashes: tuple[str, ...] = ()

    @property
    def head(self) -> ChainHead | None:
        """The newest entry's number and hash; null for an empty chain."""
        if not self.entries:
            return None
        return ChainHead(school=self.school, number=len(self.entries), hash=self.hashes[-1])

    @property
    def standing(self) -> dict[Key, Standing]:
        """Every figure as it was told last."""
        found: dict[Key, Standing] = {}
        for entry in self.entries:
            for told in entry.figures:
                found[told.key] = Standing(told, entry)
        return found

    def extended(self, entry: Entry) -> Chain:
        """The chain with one more entry, not written yet."""
        digest = hashlib.sha256(entry.to_bytes()).hexdigest()
        return Chain(self.school, (*self.entries, entry), (*self.hashes, digest))


def read_chain(settings: Settings, school: School) -> Chain:
    """Read a chain of which every entry is as it was written.

    Raises:
        ChainError: it is not; with all that is wrong.
    """
    chain, wrong = verify(settings, school)
    if wrong:
        raise ChainError(
            f"{_folder(settings, school)}: what was once published has been changed. "
            f"{' '.join(wrong)} Put the folder back from the backup of the state folder. If that "
            "is older, or there is none, keep a copy of what is left elsewhere, put the older one "
            "in its place, or nothing, and go on from there with `make clean` and `make run`. "
            "Nothing was published."
        )
    return chain


def verify(settings: Settings, school: School) -> tuple[Chain, list[str]]:
    """The part of a chain that holds, and what is wrong with it, a sentence for each finding."""
    chain, wrong = _read(settings, school)
    return chain, wrong or list(_against_publications(settings, chain))


def append(settings: Settings, entry: Entry) -> None:
    """Write an entry, durably. Call it under the rebuild lock, with the chain that was read.

    Raises:
        ChainError: there is such an entry.
    """
    folder = _folder(settings, entry.school)
    path = folder / f"{entry.number:06}.json"
    if path.exists():
        raise ChainError(f"{path} is there already. Nothing is ever written over; run again.")
    settings.state.parent.mkdir(parents=True, exist_ok=True)
    settings.state.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*.json.*"):
        leftover.unlink()
    write_file(path, entry.to_bytes(), _OWNER_READS)


def _read(settings: Settings, school: School) -> tuple[Chain, list[str]]:
    """The entries that hold together, and what is wrong with the one after them."""
    chain: Chain = Chain(school)
    wrong: list[str] = []
    for path in _files(settings, school):
        number = len(chain.entries) + 1
        if path.name != f"{number:06}.json":
            wrong.append(f"Entry {number} is missing: {path.name} follows entry {number - 1}.")
            break
        try:
            content = path.read_bytes()
            entry = Entry.model_validate_json(content)
        except (OSError, ValidationError):
            wrong.append(f"Entry {number} ({path.name}) cannot be read as an entry.")
            break
        said = chain.hashes[-1] if chain.hashes else None
        if entry.previous != said and entry.number == number and number > 1:
            wrong.append(
                f"Entry {number - 1} or the link to it was changed: its SHA-256 is {said}, and "
                f"entry {number} names {entry.previous}."
            )
            break
        if entry.number != number or entry.school != school or entry.previous != said:
            wrong.append(
                f"{path.name} holds entry {entry.number} of the chain {entry.school}, where entry "
                f"{number} of {school} should be."
            )
            break
        if entry.to_bytes() != content:
            wrong.append(f"Entry {number} ({path.name}) is not written as it was.")
            break
        chain = chain.extended(entry)
    return chain, wrong


def _against_publications(settings: Settings, chain: Chain) -> Iterator[str]:
    """What the publications that are kept know of the chain's head, which it cannot know itself."""
    for publication in complete_publications(settings):
        head = publication.chain
        if head is None or head.school != chain.school:
            continue
        if head.number > len(chain.entries):
            missing = f"{len(chain.entries) + 1} to {head.number}"
            yield (
                f"Entries {missing} are missing: publication {publication.id} was made with entry "
                f"{head.number}, {head.hash}."
            )
        elif chain.hashes[head.number - 1] != head.hash:
            yield (
                f"Entry {head.number} was changed: its SHA-256 is {chain.hashes[head.number - 1]}, "
                f"and publication {publication.id} was made with {head.hash}."
            )


def _files(settings: Settings, school: School) -> list[Path]:
    return sorted(
        path for path in _folder(settings, school).glob("*.json") if not path.name.startswith(".")
    )


def _folder(settings: Settings, school: School) -> Path:
    return settings.state / "published" / school
