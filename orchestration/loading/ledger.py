"""The ledger makes loading exactly-once: what was loaded, and what is to be done now.

A data file is its path in the landing folder. It is loaded again when its content or its contract
changes, and taken out when it goes. Of several files with the same content the one with the
smallest path is loaded, whatever the order of arrival; the others are its duplicates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import duckdb

from orchestration.loading.rows import stage

LOADED = "loaded"
DUPLICATE = "duplicate"
UNREADABLE = "unreadable"
UNRECOGNISED = "unrecognised"


@dataclass(frozen=True)
class Entry:
    """One row of `raw.loaded_files`, without its counts. See schema.sql for the columns.

    Attributes:
        landed_hash: SHA-256 of the landed file, which may be a zip of many; empty until a load has
            come to its end, since a kill before it leaves some of them unloaded.
        erased: rows that erasures took out of the file; of an entry that was read from the ledger
            it is not known.
    """

    path: str
    landed_path: str
    source: str
    status: str
    reason: str | None
    size: int
    stored_size: int
    modified_ns: int
    landed_hash: str
    content_hash: str
    contract_hash: str
    duplicate_of: str | None = None
    exported_hour: datetime | None = None
    origin: str | None = None
    erased: int = 0

    @cached_property
    def file_id(self) -> int:
        """Stable over time and machines: the first 63 bits of the path's SHA-256."""
        return int.from_bytes(hashlib.sha256(self.path.encode()).digest()[:8], "big") >> 1

    @property
    def identity(self) -> tuple[str, str, str, str | None]:
        """Two files with the same identity bring the same rows, and brought the same at first."""
        return self.source, self.content_hash, self.contract_hash, self.origin


@dataclass
class Plan:
    """What a load has to do.

    Attributes:
        load: entries whose rows are to be (re)loaded.
        record: entries without rows of their own, whose ledger row is new or has changed.
        remove: entries whose file or member is gone, or is no longer to be loaded.
        unchanged: number of data files that stay as they are.
    """

    load: list[Entry] = field(default_factory=list)
    record: list[Entry] = field(default_factory=list)
    remove: list[Entry] = field(default_factory=list)
    unchanged: int = 0


_COLUMNS = (
    "path, landed_path, source, status, reason, size, stored_size, modified_ns, landed_hash, "
    "content_hash, contract_hash, duplicate_of, exported_hour, origin"
)


def read_entries(connection: duckdb.DuckDBPyConnection) -> dict[str, Entry]:
    """The ledger as it stands, by path."""
    rows = connection.execute(f"select {_COLUMNS} from raw.loaded_files").fetchall()
    return {row[0]: Entry(*row) for row in rows}


def choose_owners(entries: Iterable[Entry]) -> list[Entry]:
    """Mark all but the smallest path of each content as duplicates of it."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    owners: dict[tuple[str, str, str, str | None], str] = {}
    chosen: list[Entry] = []
    for entry in ordered:
        if entry.status not in (LOADED, DUPLICATE):
            chosen.append(entry)
            continue
        owner = owners.setdefault(entry.identity, entry.path)
        if owner == entry.path:
            is_owner = entry.status == LOADED and entry.duplicate_of is None
            chosen.append(entry if is_owner else replace(entry, status=LOADED, duplicate_of=None))
        else:
            reason = f"the same content as {owner}"
            chosen.append(replace(entry, status=DUPLICATE, duplicate_of=owner, reason=reason))
    return chosen


def compare(known: Mapping[str, Entry], wanted: Sequence[Entry]) -> Plan:
    """Hold the ledger against what the landing folder holds now."""
    plan = Plan()
    wanted_paths = {entry.path for entry in wanted}
    plan.remove = [entry for path, entry in known.items() if path not in wanted_paths]
    for entry in wanted:
        before = known.get(entry.path)
        if before is not None and _same(before, entry):
            plan.unchanged += 1
        elif entry.status == LOADED:
            plan.load.append(entry)
        else:
            plan.record.append(entry)
    return plan


def _same(before: Entry, entry: Entry) -> bool:
    if (before.identity, before.status) != (entry.identity, entry.status):
        return False
    # A loaded file's reason is what its reader said; that of the others is part of the plan.
    return entry.status == LOADED or before.reason == entry.reason


def _landed(entry: Entry) -> tuple[int, int, str]:
    return entry.size, entry.modified_ns, entry.landed_hash


def touch(
    connection: duckdb.DuckDBPyConnection,
    known: Mapping[str, Entry],
    wanted: Sequence[Entry],
    written: Iterable[Entry],
) -> None:
    """Note size, time and hash of the landed files, once everything in them is loaded.

    Until then a zip is not known by its hash, and is listed again: its files are loaded in several
    transactions, and those that a kill left out stand in no ledger. Files that were touched, but
    hold the same bytes, get their new size and time here, too.

    Args:
        connection: the warehouse.
        known: the ledger before the load, by path.
        wanted: what the landing folder holds now.
        written: those of them whose rows of the ledger this load has written.
    """
    new = {entry.path for entry in written}
    touched = (
        entry
        for entry in wanted
        if entry.path in new or _landed(known[entry.path]) != _landed(entry)
    )
    columns = {
        "path": "VARCHAR",
        "size": "BIGINT",
        "modified_ns": "BIGINT",
        "landed_hash": "VARCHAR",
    }
    rows = ({name: getattr(entry, name) for name in columns} for entry in touched)
    stage(connection, "landed_files", columns, rows)
    connection.execute(
        """
        update raw.loaded_files
        set size = landed.size, modified_ns = landed.modified_ns, landed_hash = landed.landed_hash
        from landed_files as landed
        where landed.path = loaded_files.path
        """
    )
