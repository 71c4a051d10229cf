"""An erasure from the request to the report, and what completes one that was ended in the middle.

1. Who is meant: ids that the warehouse links, and what they are in clear in the landing folder.
2. The tombstone is written. From here on every run knows of the erasure and completes it.
3. The rows are taken out of the landing folder; then the warehouse is removed as a whole, since
   DuckDB keeps the bytes of deleted rows in its file.
4. An ordinary rebuild loads what is left, and publishes it.
5. The publications of before are removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.contracts import read_contracts
from orchestration.durable import sync
from orchestration.erasing.people import Linked, is_built, link, pseudonym
from orchestration.erasing.sweeping import (
    THINGS,
    accept_in_demo,
    find_ids,
    recover_ids,
    seeds_in_broken_lines,
    sweep,
)
from orchestration.erasing.texts import Id
from orchestration.errors import ErasureError
from orchestration.inputs import school_of
from orchestration.loading import connect
from orchestration.publishing.publications import (
    complete_publications,
    current_publication,
    prune,
    publications_folder,
    remove_leftovers,
)
from orchestration.settings import Settings
from orchestration.tombstones import (
    School,
    Tombstone,
    Trace,
    mark,
    message,
    read_tombstones,
    told_of,
    tombstone_hash,
    tombstone_key,
    unfinished,
    unswept,
    write_tombstone,
)


@dataclass(frozen=True)
class Request:
    """One person to be erased, found.

    Attributes:
        ids: in clear.
        linked: as the warehouse knows them.
    """

    ids: frozenset[Id]
    linked: Linked


def find_person(settings: Settings, seed: str, secret: bytes) -> tuple[Request | None, datetime]:
    """Find all ids of a person, without changing anything. Call it under the rebuild lock.

    Returns:
        The person, null if nobody is known by this id; and the instant before which all rows that
        are there now are dated.

    Raises:
        ErasureError: the warehouse does not know who is who.
    """
    contracts = read_contracts(settings.sources)
    with connect(settings) as connection:
        if not is_built(connection):
            raise ErasureError(
                "The warehouse has not been built, and only it knows which ids belong to one "
                "person. Run `make run`, and then `make erase` again. Nothing was changed."
            )
        linked = link(connection, [seed], secret, settings.reporting_timezone)
        # Not the newest event: somebody's clock may have stood in the next century.
        newest = connection.execute("select max(newest_at) from raw.loaded_files").fetchone()
    until = datetime.now(UTC)
    if newest and newest[0] is not None:
        # A clock that is behind that of the exports must not let rows of before count as of after.
        until = max(until, newest[0].replace(tzinfo=UTC) + timedelta(seconds=1))
    ids = find_ids(settings, contracts, linked, secret, [seed])
    if not ids and not seeds_in_broken_lines(settings, contracts, [seed]):
        return None, until
    asked = {("user", seed.strip(" ")), ("email", seed.strip(" ").lower())}
    return Request(frozenset(ids | _unless_somebody_elses(asked, ids)), linked), until


def _unless_somebody_elses(asked: set[Id], ids: set[Id]) -> set[Id]:
    """What was asked for, as the kind that it is; as both where nothing tells."""
    kinds = {kind for kind, text in asked if (kind, text) in ids}
    return {one for one in asked if not kinds or one[0] in kinds}


def write_down(
    settings: Settings, school: School, request: Request, secret: bytes, until: datetime
) -> Tombstone:
    """Write the tombstone of a person; the erasure has begun."""
    key = tombstone_key(settings)
    traces: list[Trace] = []
    for kind, text in request.ids:
        told = message(kind, text)
        if told is None:
            continue
        hashed = tombstone_hash(key, told)
        known = None if kind in THINGS else pseudonym(secret, kind, text)
        shared = None if known is None else request.linked.shared.get(known)
        if shared is None:
            traces.append(Trace(hash=hashed, until=until))
        else:
            traces += [
                Trace(hash=hashed, since=since, until=min(end, until))
                for since, end in shared
                if since < until
            ]
    return write_tombstone(settings, school, written_at=datetime.now(UTC), traces=traces)


def take_out(
    settings: Settings, school: School, stone: Tombstone, ids: Iterable[Id], told: dict[str, Any]
) -> dict[str, Any]:
    """Take a person out of landing folder and warehouse, and write down that it is done.

    Args:
        settings: say where everything is.
        school: whose exports they are.
        stone: the erasure, written down before.
        ids: the person's, in clear.
        told: what is known of the person's rows in the warehouse, for the report.

    Returns:
        The report so far.
    """
    swept = sweep(settings, school, read_contracts(settings.sources), stone, ids)
    remove_warehouse(settings)
    report = {"landing": swept.told(), "warehouse": told, "before": publications_now(settings)}
    mark(settings, school, stone, "swept", report)
    return report


def resume(settings: Settings) -> list[Tombstone]:
    """Take out whom an erasure that was killed has left. Call it under the rebuild lock.

    Returns:
        The erasures that were resumed.
    """
    school = school_of(settings)
    stones = unswept(settings, school)
    for stone in stones:
        contracts = read_contracts(settings.sources)
        key = read_tombstones(settings, school).key
        ids = recover_ids(settings, contracts, stone, key)
        take_out(settings, school, stone, ids, {})
    return stones


def finish(settings: Settings) -> list[str]:
    """Remove the publications of before an erasure, once there is one of after it.

    Call it under the rebuild lock, at the end of a run and of one with nothing new.

    Returns:
        The report of each erasure that is complete by this: whoever calls it, tells it.
    """
    school = school_of(settings)
    waiting = unfinished(settings, school)
    if not waiting:
        return []
    accept_in_demo(settings, school)
    reports = []
    for stone in waiting:
        swept = told_of(settings, school, stone, "swept")
        if not swept or not is_published_since(settings, swept):
            continue
        done = {**swept, "publications": remove_old_publications(settings)}
        mark(settings, school, stone, "done", done)
        reports.append("\n".join(["", f"Erased (tombstone {stone.id})", *render(done)]))
    return reports


def publications_now(settings: Settings) -> list[str]:
    """The ids of all publications that are there, and of what a killed run was writing.

    None of them is of after what begins now: a draft may yet be shown, if it was complete.
    """
    folder = publications_folder(settings)
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return sorted({name.removeprefix(".") for name in names})


def is_published_since(settings: Settings, told: Mapping[str, Any]) -> bool:
    """Whether readers see a publication that was not there yet.

    Args:
        settings: say where publications are.
        told: holds, as `before`, what `publications_now` was then; `publication` in older ones.
    """
    current = current_publication(settings)
    before = told.get("before", [told.get("publication")])
    return current is not None and current.id not in before


def remove_old_publications(settings: Settings) -> list[str]:
    """Remove all publications but the current one; returns their ids.

    Raises:
        ErasureError: one cannot be removed.
    """
    before = {publication.id for publication in complete_publications(settings)}
    remove_leftovers(settings)
    prune(settings, keep=1)
    remove_leftovers(settings)
    current = current_publication(settings)
    left = {publication.id for publication in complete_publications(settings)}
    left -= {current.id} if current is not None else set()
    if left:
        raise ErasureError(
            f"The old publication {min(left)} in {settings.published} cannot be removed. Let the "
            "account that runs northstar write there, and run `make run`, which completes it."
        )
    return sorted(before - ({current.id} if current is not None else set()))


def remove_warehouse(settings: Settings) -> None:
    """Remove the warehouse with everything that DuckDB writes beside it; landing brings it back."""
    folder = settings.warehouse.parent
    for path in (settings.warehouse, Path(f"{settings.warehouse}.wal")):
        path.unlink(missing_ok=True)
    for name in (settings.scratch, folder / "spill"):
        shutil.rmtree(name, ignore_errors=True)
    if folder.is_dir():
        sync(folder)


def render(report: Mapping[str, Any]) -> list[str]:
    """What was removed from where, in sentences. Counts and files only."""
    landing = report["landing"]
    rows = landing["rows"]
    lines = [f"Landing folder      {sum(rows.values()):,} rows in {landing['files']} files"]
    lines += [f"  {source:<28}{count:>8,}" for source, count in rows.items()]
    if landing["broken"]:
        lines.append(f"  lines that cannot be read   {landing['broken']:>8,}")
    if landing["masked"]:
        lines.append(f"  masked in others' rows      {landing['masked']:>8,}")
    if report["warehouse"]:
        lines.append("Warehouse           removed and built anew; it held")
        lines += [f"  {name:<28}{count:>8,}" for name, count in report["warehouse"].items()]
    else:
        lines.append("Warehouse           removed and built anew")
    removed = report["publications"]
    lines.append(f"Publications        {len(removed)} removed, with their Parquet copies")
    lines += [f"  Look yourself: {path} cannot be opened" for path in landing["unreadable"]]
    lines += [
        f"  Look yourself: {path} names the person, and no reader or contract explains it"
        for path in landing["unknown"]
    ]
    return lines
