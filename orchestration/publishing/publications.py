"""The folder of publications: which one is current, which ones go.

published/
    northstar.duckdb -> current/northstar.duckdb    what BI tools open
    restricted.duckdb -> current/restricted.duckdb  comments, for the owner of the files alone
    current -> publications/<id>                    the one link that a publication moves
    publications/<id>/northstar.duckdb              read-only, like everything beside it
    publications/<id>/restricted.duckdb             mode 0600: free text, no BI tool's business
    publications/<id>/parquet/<schema>/<table>.parquet
    publications/<id>/publication.json
    publications/.<id>/                             being written, or left by a killed run
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.durable import point_link, sync
from orchestration.publishing.fingerprint import Fingerprint
from orchestration.settings import Settings

# Publications of another layout are not "nothing new": raise it when what is written changes.
LAYOUT = 3
# The catalog that drivers show is the stem of this name.
DATABASE_FILE = "northstar.duckdb"
RESTRICTED_FILE = "restricted.duckdb"

_ID_TIME = "%Y%m%dT%H%M%SZ"
_MANIFEST_FILE = "publication.json"
_log = logging.getLogger(__name__)


class PublishedTable(BaseModel):
    """One table of a publication.

    Attributes:
        relation: `schema.table`.
        rows: how many rows it has.
        checksum: of names, types and all rows, whatever their order.
    """

    model_config = ConfigDict(frozen=True)

    relation: str
    rows: int
    checksum: str


class ChainHead(BaseModel):
    """The newest entry of the chain of what was published, as of a publication.

    Attributes:
        school: demo or own: each has a chain.
        number: of the entry, from 1.
        hash: SHA-256 of the entry's file.
    """

    model_config = ConfigDict(frozen=True)

    school: str
    number: int
    hash: str


class Publication(BaseModel):
    """What was published: the content of `publication.json`.

    Attributes:
        layout: version of the folder's layout.
        id: sorts by time; names the folder.
        run_id: the run that published it.
        as_of: the day as of which the marts judge; None while nothing is loaded.
        published_at: UTC.
        duckdb_version: of the writer.
        fingerprint: what it was made from.
        content: digest of all marts but those of schema `ops`, which tell how they came about:
            the same landing files give the same one.
        tables: what is in it.
        restricted: what is in the file beside it that only its owner may read.
        chain: where the chain of published figures stands with it; None while nothing is told.
    """

    model_config = ConfigDict(frozen=True)

    layout: int
    id: str
    run_id: str
    as_of: date | None
    published_at: datetime
    duckdb_version: str
    fingerprint: Fingerprint
    content: str
    tables: tuple[PublishedTable, ...]
    restricted: tuple[PublishedTable, ...] = ()
    chain: ChainHead | None = None


def published_file(settings: Settings) -> Path:
    """The path that BI tools open; a link to the current publication."""
    return settings.published / DATABASE_FILE


def restricted_file(settings: Settings) -> Path:
    """The path of what only its owner may read; absent when the publication has nothing such."""
    return settings.published / RESTRICTED_FILE


def current_publication(settings: Settings) -> Publication | None:
    """The publication that readers see; None when there is none, or no readable one."""
    if not published_file(settings).is_file():
        return None
    return read_manifest(_current_link(settings))


def nothing_new(settings: Settings, fingerprint: Fingerprint) -> bool:
    """Whether the current publication was made from just these inputs, and is all in place.

    A run that was killed between loading and publishing left the old fingerprint, so it is not
    "nothing new"; neither is a warehouse that was deleted.
    """
    publication = current_publication(settings)
    return (
        publication is not None
        and publication.layout == LAYOUT
        and publication.fingerprint == fingerprint
        and settings.warehouse.is_file()
        and _is_whole(settings, publication)
    )


def _is_whole(settings: Settings, publication: Publication) -> bool:
    """Whether nothing was deleted of what readers are promised beside the file."""
    if publication.restricted and not restricted_file(settings).is_file():
        return False
    current = _current_link(settings)
    return all(parquet_file(current, table.relation).is_file() for table in publication.tables)


def complete_publications(settings: Settings) -> list[Publication]:
    """The publications that are kept, oldest first."""
    found = (read_manifest(folder) for folder in sorted(_complete(settings)))
    return [publication for publication in found if publication is not None]


def roll_forward(settings: Settings, publication_id: str) -> None:
    """Show the publication that the chain's head was written with, if a kill came in between.

    Its entry is its commit: it was complete, checked and on disk before the entry was written.
    Call it under the rebuild lock, before anything that was left is removed.
    """
    current = current_publication(settings)
    if current is not None and publication_id <= current.id:
        return
    final = publications_folder(settings) / publication_id
    draft = final.with_name(f".{publication_id}")
    if current is None and any(folder.name > publication_id for folder in _complete(settings)):
        return  # the link was deleted; this one is old
    if read_manifest(draft) is not None:
        draft.rename(final)
        sync(final.parent)
    if read_manifest(final) is not None:
        make_current(settings, publication_id)


def read_manifest(folder: Path) -> Publication | None:
    """The publication in a folder; None when the folder is not a complete publication."""
    try:
        return Publication.model_validate_json((folder / _MANIFEST_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def parquet_file(folder: Path, relation: str) -> Path:
    """Where a publication's folder keeps the Parquet copy of a table, `schema.table`."""
    schema, _, table = relation.partition(".")
    return folder / "parquet" / schema / f"{table}.parquet"


def manifest_file(folder: Path) -> Path:
    """Where a publication's folder keeps what it is."""
    return folder / _MANIFEST_FILE


def publications_folder(settings: Settings) -> Path:
    """The folder with one folder per publication."""
    return settings.published / "publications"


def next_id(settings: Settings, run_id: str, now: datetime) -> str:
    """An id that sorts after all others, even when the clock went backwards."""
    folder = publications_folder(settings)
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    taken = [_time_of_id(name) for name in names]
    newest = max((time for time in taken if time is not None), default=None)
    time = now.astimezone(UTC).replace(microsecond=0)
    if newest is not None and time <= newest:
        time = newest + timedelta(seconds=1)
    letters = "".join(letter for letter in run_id.lower() if letter.isalnum() and letter.isascii())
    return f"{time:{_ID_TIME}}-{letters[:8] or 'run'}"


def make_current(settings: Settings, publication_id: str) -> None:
    """Show a publication to readers. One rename: they see the old one or this one."""
    # The outer links first: once `current` points to the publication, all is done.
    _link_outside(published_file(settings))
    if (publications_folder(settings) / publication_id / RESTRICTED_FILE).is_file():
        _link_outside(restricted_file(settings))
    else:
        restricted_file(settings).unlink(missing_ok=True)
    point_link(_current_link(settings), Path("publications") / publication_id)


def _link_outside(link: Path) -> None:
    """Let a file of `published/` be that of the current publication."""
    target = Path("current") / link.name
    if not link.is_symlink() or link.readlink() != target:
        point_link(link, target)


def remove_leftovers(settings: Settings) -> None:
    """Remove what killed publications left; call it under the rebuild lock."""
    folder = publications_folder(settings)
    kept = {entry.resolve() for entry in _complete(settings)} | {_current_link(settings).resolve()}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.resolve() not in kept:
            _remove(entry)


def prune(settings: Settings, keep: int | None = None) -> None:
    """Keep the newest publications, as many as the settings say, and always the current one.

    Args:
        settings: say where they are.
        keep: how many to keep instead.
    """
    current = _current_link(settings).resolve()
    complete = sorted(_complete(settings), key=lambda folder: folder.name)
    for folder in complete[: -(keep or settings.keep_publications)]:
        if folder.resolve() == current:
            continue
        # Hidden first: a kill in the middle leaves a leftover, not a publication with holes.
        doomed = folder.with_name(f".{folder.name}")
        try:
            folder.rename(doomed)
        except OSError as error:
            _log.warning("The old publication %s stays: %s", folder, error.strerror)
            continue
        _remove(doomed)


def _complete(settings: Settings) -> Iterator[Path]:
    folder = publications_folder(settings)
    for entry in folder.iterdir() if folder.is_dir() else ():
        if not entry.name.startswith(".") and (entry / _MANIFEST_FILE).is_file():
            yield entry


def _remove(entry: Path) -> None:
    """Remove a folder or file; what cannot be removed is no reason to fail a publication."""
    try:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    except OSError as error:
        _log.warning("%s cannot be removed: %s", entry, error.strerror)


def _current_link(settings: Settings) -> Path:
    return settings.published / "current"


def _time_of_id(publication_id: str) -> datetime | None:
    try:
        return datetime.strptime(publication_id.split("-")[0], _ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
