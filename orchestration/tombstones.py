"""Who asked to be forgotten: keyed hashes of their ids, so that no later export brings them back.

state/tombstones/key                  the hashes' own key; `make rotate-key` leaves it alone
state/tombstones/<school>/000001.json     one file per erasure, never written again
state/tombstones/<school>/000001.swept    its rows are out of the landing folder
state/tombstones/<school>/000001.done     and out of everything else: what was removed from where
state/tombstones/<school>/removed.jsonl   how many rows each file has lost; appended only

A tombstone is written before anything is removed, so that whatever ends an erasure in the middle,
the next run knows of it and completes it. It holds no id in clear. Whoever has the whole folder can
tell whether an id that they know already was erased, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.durable import sync, write_file
from orchestration.errors import ErasureError
from orchestration.settings import Settings

School = Literal["demo", "own"]
LAYOUT = 1
_OWNER_READS = 0o400
_OWNER_ONLY = 0o600
_REMOVED = "removed.jsonl"


class Trace(BaseModel):
    """One id of somebody who was erased.

    Attributes:
        hash: keyed hash of the id with its kind.
        since, until: rows from the one instant (any, if null) to before the other are erased, UTC.
            An id that others use too is the person's for some time only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: uuid.UUID
    since: datetime | None = None
    until: datetime


class Tombstone(BaseModel):
    """One erasure: what stands in its file.

    Attributes:
        number: from 1, in the order of writing.
        id: names the erasure in runs and reports; tells nothing about the person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: int = LAYOUT
    number: int
    id: uuid.UUID
    written_at: datetime
    traces: tuple[Trace, ...]


@dataclass(frozen=True)
class Removed:
    """What a file of the landing folder has lost to erasures.

    Attributes:
        rows: over all erasures.
        origin: keyed hash of the content it had at first: two files that have become equal, such as
            empty, are not the same file.
        landed_hash: SHA-256 of the file on disk after it was rewritten.
    """

    rows: int
    origin: str
    landed_hash: str


@dataclass(frozen=True)
class Tombstones:
    """All erasures of a school.

    Attributes:
        stones: in the order of writing.
        key: of the hashes; empty while nobody was erased.
        removed: by path and content hash of a data file.
    """

    stones: tuple[Tombstone, ...] = ()
    key: bytes = field(default=b"", repr=False)
    removed: Mapping[tuple[str, str], Removed] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the erasures: what is loaded depends on them. Empty without any."""
        if not self.stones:
            return ""
        told = "\n".join(str(stone.id) for stone in self.stones)
        return hashlib.sha256(told.encode()).hexdigest()

    def removed_from(self, path: str, content_hash: str) -> Removed | None:
        """What a data file with this content has lost; null for nothing."""
        return self.removed.get((path, content_hash))


NOBODY = Tombstones()


def message(kind: str, text: str) -> str | None:
    """An id as it is written before it is hashed; null for nothing. Loading does the same in SQL.

    Args:
        kind: user, email, device, amplitude, zendesk_user, zendesk_ticket, zendesk_call, or
            respondent:<survey>.
        text: the id.
    """
    text = text.strip(" ")
    if kind == "email":
        text = text.lower()
    return f"{kind}:{text}" if text else None


def tombstone_hash(key: bytes, text: str) -> uuid.UUID:
    """The keyed hash of a message: the first 128 bits of HMAC-SHA256.

    Halves of characters, which no id has but broken exports may, count as question marks.
    """
    told = text.encode(errors="replace")
    return uuid.UUID(hex=hmac.new(key, told, hashlib.sha256).hexdigest()[:32])


def read_tombstones(settings: Settings, school: School) -> Tombstones:
    """Read all erasures of a school.

    Raises:
        ErasureError: a file cannot be read, or the key is gone: erased people could come back.
    """
    stones = tuple(_read(path) for path in sorted(_folder(settings, school).glob("*.json")))
    key_file = _key_file(settings)
    if stones and not key_file.exists():
        raise ErasureError(
            f"{key_file} is gone, so nobody can tell who was erased. Put the folder back from the "
            "backup of the state folder. Nothing was changed."
        )
    key = key_file.read_bytes() if key_file.exists() else b""
    return Tombstones(stones, key, _read_removed(settings, school))


def tombstone_key(settings: Settings) -> bytes:
    """The key of the hashes; made when it is asked for first."""
    path = _key_file(settings)
    if not path.exists():
        _make_folder(settings, path.parent)
        write_file(path, secrets.token_hex(32).encode(), _OWNER_ONLY)
    return path.read_bytes()


def write_tombstone(
    settings: Settings, school: School, *, written_at: datetime, traces: Iterable[Trace]
) -> Tombstone:
    """Write down an erasure before it begins; it is on disk when this returns."""
    folder = _folder(settings, school)
    _make_folder(settings, folder)
    numbers = [int(path.stem) for path in folder.glob("*.json")]
    stone = Tombstone(
        number=max(numbers, default=0) + 1,
        id=uuid.uuid4(),
        written_at=written_at,
        traces=tuple(sorted(traces, key=lambda trace: (trace.hash.hex, str(trace.since)))),
    )
    content = f"{stone.model_dump_json()}\n".encode()
    write_file(folder / f"{stone.number:06}.json", content, _OWNER_READS)
    return stone


def unswept(settings: Settings, school: School) -> list[Tombstone]:
    """Erasures whose rows may still be in the landing folder, oldest first."""
    return _without(settings, school, "swept")


def unfinished(settings: Settings, school: School) -> list[Tombstone]:
    """Erasures that were begun and are not known to be complete, oldest first."""
    return _without(settings, school, "done")


def mark(
    settings: Settings,
    school: School,
    stone: Tombstone,
    what: Literal["swept", "done"],
    told: Mapping[str, Any],
) -> None:
    """Write down how far an erasure is, with what is to be told of it (counts, no ids)."""
    path = _folder(settings, school) / f"{stone.number:06}.{what}"
    write_file(path, f"{json.dumps(told, sort_keys=True)}\n".encode(), _OWNER_READS)


def told_of(
    settings: Settings, school: School, stone: Tombstone, what: Literal["swept", "done"]
) -> dict[str, Any]:
    """What `mark` wrote; empty where it has not."""
    path = _folder(settings, school) / f"{stone.number:06}.{what}"
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def note_removed(
    settings: Settings,
    school: School,
    rows: Sequence[tuple[str, str, Removed]],
) -> None:
    """Append what files are about to lose: (path, content hash from then on, what).

    On disk before the file is replaced: a count without its file does no harm, a file without its
    count would not add up.
    """
    path = _folder(settings, school) / _REMOVED
    lines = "".join(
        json.dumps(
            {
                "path": name,
                "content_hash": content_hash,
                "rows": removed.rows,
                "origin": removed.origin,
                "landed_hash": removed.landed_hash,
            },
            sort_keys=True,
        )
        + "\n"
        for name, content_hash, removed in rows
    )
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _OWNER_ONLY), "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":  # a line that a kill has cut off
                lines = f"\n{lines}"
        file.write(lines.encode())
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def _read(path: Path) -> Tombstone:
    try:
        return Tombstone.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ErasureError(
            f"{path} cannot be read ({type(error).__name__}), so people who were erased could come "
            "back. Put the folder back from the backup of the state folder. Nothing was changed."
        ) from None


def _read_removed(settings: Settings, school: School) -> dict[tuple[str, str], Removed]:
    path = _folder(settings, school) / _REMOVED
    found: dict[tuple[str, str], Removed] = {}
    if not path.exists():
        return found
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            told = json.loads(line)
            removed = Removed(told["rows"], told["origin"], told["landed_hash"])
            found[told["path"], told["content_hash"]] = removed
        except (ValueError, KeyError, TypeError):
            continue  # cut off by a kill, and so before its file was replaced
    return found


def _without(settings: Settings, school: School, suffix: str) -> list[Tombstone]:
    paths = sorted(_folder(settings, school).glob("*.json"))
    return [_read(path) for path in paths if not path.with_suffix(f".{suffix}").exists()]


def _folder(settings: Settings, school: School) -> Path:
    return settings.state / "tombstones" / school


def _key_file(settings: Settings) -> Path:
    return settings.state / "tombstones" / "key"


def _make_folder(settings: Settings, folder: Path) -> None:
    settings.state.parent.mkdir(parents=True, exist_ok=True)
    for made in (settings.state, settings.state / "tombstones", folder):
        if not made.is_dir():
            made.mkdir(mode=0o700)
            sync(made.parent)
