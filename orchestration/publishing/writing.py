"""Write, check, show: a publication is complete before readers see it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.durable import sync, write_file
from orchestration.errors import PublishingError
from orchestration.lock import rebuild_lock
from orchestration.modes import make_folder
from orchestration.publishing.causes import CAUSES
from orchestration.publishing.chain import Chain, School, append, read_chain
from orchestration.publishing.figures import Figure
from orchestration.publishing.fingerprint import Fingerprint
from orchestration.publishing.publications import (
    DATABASE_FILE,
    LAYOUT,
    RESTRICTED_FILE,
    Publication,
    PublishedTable,
    current_publication,
    make_current,
    manifest_file,
    next_id,
    parquet_file,
    prune,
    publications_folder,
    remove_leftovers,
    roll_forward,
)
from orchestration.publishing.records import HISTORY, RESTATEMENTS, write_records
from orchestration.publishing.remembering import extend_chain, publication_before
from orchestration.publishing.tables import (
    Relation,
    identifier,
    literal,
    read_columns,
    read_comments,
    refuse_unreadable_types,
    summarise,
    write_comments,
)
from orchestration.reducing import reduced
from orchestration.settings import Settings

# Opens in drivers from 0.10.3 on; the default of DuckDB 2 opens in none of the older ones.
_STORAGE_VERSION = "v1.0.0"
_ATTACHED = "publication"
_RESTRICTED = "restricted"
_AS_OF = Relation("intermediate", "int_as_of")
_PUBLISHED_AT = Relation("ops", "published_at")
_READABLE_BY_ALL = 0o444
_OWNER_ONLY = 0o600
_FOLDER_MODE = 0o755

Progress = Callable[[str], None]


def _tell_nobody(_: str) -> None: ...


def publish(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    run_id: str,
    relations: Sequence[str],
    fingerprint: Fingerprint,
    restricted: Sequence[str] = (),
    figures: Sequence[Figure] = (),
    school: School = "own",
    progress: Progress | None = None,
) -> Publication:
    """Copy marts from the warehouse into a new publication and show it to readers.

    The copy is checked before it is shown: it is opened again, read-only, and every table must
    have the rows that the warehouse has. Until the last step readers keep the old publication.
    Takes the rebuild lock, which the run that publishes holds anyway.

    Its entry in the chain of published figures is its commit: written once the publication is
    complete, checked and on disk, and before readers see it. A kill after it is rolled forward by
    the next run, so that nothing is ever seen that the chain does not hold.

    Args:
        connection: to the warehouse; must see what the run has committed.
        settings: say where `published` is, and how many publications to keep.
        run_id: the run; the warehouse must carry its stamp.
        relations: `schema.table` of tables or views to publish.
        fingerprint: the inputs that the run has read, not those that lie there by now.
        restricted: `schema.table` of what goes to a file of its own, mode 0600, and nowhere else.
        figures: what is told of the marts for ever.
        school: whose chain of published figures this belongs to.
        progress: called with the name of a table when it has been copied, exported or checked,
            and without a name before each of that.

    Raises:
        ChainError: what was once published has been changed. The old publication stays.
        PublishingError: the warehouse was written by another run, a relation is missing or has
            types that readers cannot open, or the check of the copy failed. The old publication
            stays.
    """
    wanted = _parse(relations)
    private = sorted({Relation.parse(text) for text in restricted})
    if shared := set(wanted) & set(private):
        raise PublishingError(
            f"{min(shared)} is both published and restricted: readers would see what only the "
            "owner may. Let its `meta` say one of the two."
        )
    told = progress or _tell_nobody
    with rebuild_lock(settings, run_id):
        make_folder(settings.published)
        make_folder(publications_folder(settings))
        chain = read_chain(settings, school)
        if chain.entries:
            roll_forward(settings, chain.entries[-1].publication)
        remove_leftovers(settings)
        published_at = _time_after(chain, current_publication(settings))
        publication_id = next_id(settings, run_id, published_at)
        draft = publications_folder(settings) / f".{publication_id}"
        make_folder(draft)
        try:
            publication, extended = _write(
                connection,
                settings,
                draft,
                publication_id,
                published_at,
                run_id,
                wanted,
                fingerprint,
                figures,
                chain,
                told,
            )
            publication = publication.model_copy(
                update={"restricted": _write_restricted(connection, draft, run_id, private)}
            )
            _check(draft, publication, settings, told)
            _seal(draft, publication)
            if extended is not chain:
                append(settings, extended.entries[-1])
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise PublishingError(
                f"Writing the publication failed: {error.strerror} ({error.filename or draft}). "
                "The old publication stays; correct the cause, such as a full disk, and run again."
            ) from error
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        final = publications_folder(settings) / publication_id
        draft.rename(final)
        sync(final.parent)
        make_current(settings, publication_id)
        prune(settings)
        return publication


def _time_after(chain: Chain, current: Publication | None) -> datetime:
    """Now; or, where a clock went backwards, just after the newest publication.

    Each value was published until the next one was: if time went backwards in between, no day
    would find it in the history.
    """
    told = [entry.published_at for entry in chain.entries[-1:]]
    told += [] if current is None else [current.published_at]
    now = datetime.now(UTC)
    newest = max(told, default=None)
    return now if newest is None or now > newest else newest + timedelta(seconds=1)


def _parse(relations: Sequence[str]) -> list[Relation]:
    wanted = sorted({Relation.parse(text) for text in relations})
    if not wanted:
        raise PublishingError(
            "There is nothing to publish: no relation was named. A mart is published when its "
            "folder's `meta` says `published: true`."
        )
    for own in (_PUBLISHED_AT, RESTATEMENTS, HISTORY):
        if own in wanted:
            raise PublishingError(
                f"{own} is written by publishing itself. Give the mart another name."
            )
    return wanted


def _write(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    draft: Path,
    publication_id: str,
    published_at: datetime,
    run_id: str,
    wanted: Sequence[Relation],
    fingerprint: Fingerprint,
    figures: Sequence[Figure],
    chain: Chain,
    progress: Progress,
) -> tuple[Publication, Chain]:
    """Write the database and the Parquet files of a publication into its draft folder.

    Returns:
        The publication, and the chain with its entry, if it changes a figure.
    """
    path = draft / DATABASE_FILE
    current = current_publication(settings)
    try:
        with (
            connection.cursor() as cursor,
            _attached(cursor, path),
            publication_before(cursor, settings, current) as before,
        ):
            warehouse = str(cursor.execute("select current_database()").fetchall()[0][0])
            # One transaction: the stamp and all tables come from one state of the warehouse.
            with _transaction(cursor):
                _refuse_another_runs_tables(cursor, warehouse, run_id)
                as_of = _read_as_of(cursor, warehouse)
                comments = read_comments(cursor, warehouse)
                tables = []
                progress("")
                for relation in wanted:
                    tables.append(_copy(cursor, warehouse, relation, comments.get(relation, ())))
                    progress(str(relation))
                chain = extend_chain(
                    cursor,
                    chain,
                    figures,
                    catalog=_ATTACHED,
                    before=before,
                    current=current,
                    publication_id=publication_id,
                    published_at=published_at,
                    as_of=as_of,
                    inputs=fingerprint,
                )
                publication = Publication(
                    layout=LAYOUT,
                    id=publication_id,
                    run_id=run_id,
                    as_of=as_of,
                    published_at=published_at,
                    duckdb_version=duckdb.__version__,
                    fingerprint=fingerprint,
                    content=_content(tables),
                    tables=tuple(tables),
                    chain=chain.head,
                )
                told = _write_records(cursor, chain) if figures else []
                told.append(_write_published_at(cursor, publication))
            publication = publication.model_copy(update={"tables": (*tables, *told)})
            cursor.execute(f"checkpoint {_ATTACHED}")
            progress("")
            for table in publication.tables:
                _export(cursor, Relation.parse(table.relation), draft)
                progress(table.relation)
    except duckdb.Error as error:
        raise PublishingError(
            f"Writing the publication failed: {reduced(error)}. The old publication stays; "
            "correct the cause, such as a full disk, and run again."
        ) from None
    return publication, chain


def _write_records(cursor: duckdb.DuckDBPyConnection, chain: Chain) -> list[PublishedTable]:
    """Write the tables that tell what was published before."""
    return [
        summarise(cursor, _ATTACHED, relation, read_columns(cursor, _ATTACHED, relation))
        for relation in write_records(cursor, _ATTACHED, chain, CAUSES)
    ]


def _write_restricted(
    connection: duckdb.DuckDBPyConnection, draft: Path, run_id: str, wanted: Sequence[Relation]
) -> tuple[PublishedTable, ...]:
    """Write the file that only its owner may read; none without anything to write.

    It grows in a folder that nobody else may enter, since DuckDB makes files by the umask.
    """
    if not wanted:
        return ()
    folder = draft / _RESTRICTED
    folder.mkdir(mode=0o700)
    path = folder / RESTRICTED_FILE
    try:
        with connection.cursor() as cursor, _attached(cursor, path, _RESTRICTED):
            warehouse = str(cursor.execute("select current_database()").fetchall()[0][0])
            with _transaction(cursor):
                _refuse_another_runs_tables(cursor, warehouse, run_id)
                comments = read_comments(cursor, warehouse)
                tables = tuple(
                    _copy(cursor, warehouse, relation, comments.get(relation, ()), _RESTRICTED)
                    for relation in wanted
                )
            cursor.execute(f"checkpoint {_RESTRICTED}")
    except duckdb.Error as error:
        raise PublishingError(
            f"Writing the restricted file failed: {reduced(error)}. The old publication stays; "
            "correct the cause, such as a full disk, and run again."
        ) from None
    path.chmod(_OWNER_ONLY)
    path.rename(draft / RESTRICTED_FILE)
    folder.rmdir()
    return tables


@contextmanager
def _attached(
    cursor: duckdb.DuckDBPyConnection, path: Path, catalog: str = _ATTACHED
) -> Iterator[None]:
    """Attach a new file, and let go of it whatever happens: it is attached for all cursors."""
    cursor.execute(
        f"attach {literal(str(path))} as {catalog} (storage_version '{_STORAGE_VERSION}')"
    )
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # the first error is the one to tell
            cursor.execute(f"detach {catalog}")
        raise
    cursor.execute(f"detach {catalog}")


@contextmanager
def _transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    cursor.begin()
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):
            cursor.rollback()
        raise
    cursor.commit()


def _refuse_another_runs_tables(
    cursor: duckdb.DuckDBPyConnection, warehouse: str, run_id: str
) -> None:
    stamp = Relation("raw", "run_stamp")
    stamps = (
        {run for (run,) in cursor.execute(f"select run_id from {stamp.sql(warehouse)}").fetchall()}
        if read_columns(cursor, warehouse, stamp)
        else set()
    )
    if stamps != {run_id}:
        found = ", ".join(sorted(stamps)) or "no run"
        raise PublishingError(
            f"The warehouse carries the stamp of {found}, not of run {run_id}: its tables are "
            "not this run's to publish. The old publication stays; run the rebuild again."
        )


def _read_as_of(cursor: duckdb.DuckDBPyConnection, warehouse: str) -> date | None:
    if not read_columns(cursor, warehouse, _AS_OF):
        raise PublishingError(
            f"{_AS_OF} is not in the warehouse, so nobody can tell as of when the marts judge. "
            "Build the whole dbt project and run again."
        )
    rows = cursor.execute(f"select as_of_date from {_AS_OF.sql(warehouse)}").fetchall()
    if len(rows) != 1:
        raise PublishingError(f"{_AS_OF} must have one row, but has {len(rows)}.")
    as_of = rows[0][0]
    return as_of if isinstance(as_of, date) else None


def _copy(
    cursor: duckdb.DuckDBPyConnection,
    warehouse: str,
    relation: Relation,
    comments: Iterable[tuple[str | None, str]],
    catalog: str = _ATTACHED,
) -> PublishedTable:
    """Copy one relation without its constraints, which older drivers cannot all read."""
    columns = read_columns(cursor, warehouse, relation)
    if not columns:
        raise PublishingError(
            f"{relation} is not in the warehouse. Build it, or take it out of what is published."
        )
    refuse_unreadable_types(relation, columns)
    cursor.execute(f"create schema if not exists {catalog}.{identifier(relation.schema)}")
    cursor.execute(f"create table {relation.sql(catalog)} as from {relation.sql(warehouse)}")
    write_comments(cursor, catalog, relation, comments)
    return summarise(cursor, warehouse, relation, columns)


def _content(tables: Sequence[PublishedTable]) -> str:
    """Digest of what is published about the school; schema `ops` tells of runs and files."""
    digest = hashlib.sha256()
    for table in tables:
        if Relation.parse(table.relation).schema != _PUBLISHED_AT.schema:
            digest.update(f"{table.relation} {table.rows} {table.checksum}\n".encode())
    return digest.hexdigest()


def _write_published_at(
    cursor: duckdb.DuckDBPyConnection, publication: Publication
) -> PublishedTable:
    """Write the table that tells a reader of the file what it is looking at."""
    fingerprint = publication.fingerprint
    columns: list[tuple[str, str, object, str]] = [
        ("publication_id", "varchar", publication.id, "Sorts by time; names the folder."),
        ("run_id", "varchar", publication.run_id, "The Dagster run that published it."),
        ("as_of", "date", publication.as_of, "Everything is judged as of this day."),
        (
            "published_at",
            "timestamp",
            publication.published_at.replace(tzinfo=None),
            "When it was published, UTC.",
        ),
        ("landing_digest", "varchar", fingerprint.landing, "The exports that were loaded."),
        ("contracts_digest", "varchar", fingerprint.contracts, "Tracking plans and mappings."),
        ("dbt_digest", "varchar", fingerprint.dbt, "The dbt project."),
        ("settings_digest", "varchar", fingerprint.settings, "The settings that change figures."),
        ("asked_as_of", "date", fingerprint.as_of, "The as-of that was asked for, if any."),
        ("content_digest", "varchar", publication.content, "The marts, whatever their row order."),
        ("duckdb_version", "varchar", publication.duckdb_version, "Of the writer."),
        (
            "chain_entries",
            "bigint",
            None if publication.chain is None else publication.chain.number,
            "Entries in the chain of published figures (data/state), with this publication.",
        ),
        (
            "chain_head",
            "varchar",
            None if publication.chain is None else publication.chain.hash,
            "SHA-256 of the newest of them: a past that was changed would change it.",
        ),
    ]
    cursor.execute(f"create schema if not exists {_ATTACHED}.{_PUBLISHED_AT.schema}")
    table = _PUBLISHED_AT.sql(_ATTACHED)
    cursor.execute(
        f"create table {table} ({', '.join(f'{name} {kind}' for name, kind, _, _ in columns)})"
    )
    cursor.execute(
        f"insert into {table} values ({', '.join('?' for _ in columns)})",
        [value for _, _, value, _ in columns],
    )
    comments: list[tuple[str | None, str]] = [(name, comment) for name, _, _, comment in columns]
    comments.append((None, "One row: what this file is, from which inputs, and when."))
    write_comments(cursor, _ATTACHED, _PUBLISHED_AT, comments)
    return summarise(
        cursor, _ATTACHED, _PUBLISHED_AT, read_columns(cursor, _ATTACHED, _PUBLISHED_AT)
    )


def _export(cursor: duckdb.DuckDBPyConnection, relation: Relation, draft: Path) -> None:
    path = parquet_file(draft, str(relation))
    path.parent.mkdir(parents=True, exist_ok=True)
    cursor.execute(
        f"copy (from {relation.sql(_ATTACHED)}) to {literal(str(path))} "
        "(format parquet, compression zstd)"
    )


def _check(draft: Path, publication: Publication, settings: Settings, progress: Progress) -> None:
    """Open the copies as a reader does and compare each table with what the warehouse holds."""
    _check_database(draft / DATABASE_FILE, publication.tables, settings, progress, draft)
    if publication.restricted:
        _check_database(draft / RESTRICTED_FILE, publication.restricted, settings, progress)


def _check_database(
    path: Path,
    tables: Sequence[PublishedTable],
    settings: Settings,
    progress: Progress,
    with_parquet_in: Path | None = None,
) -> None:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit
    }
    if settings.threads is not None:
        config["threads"] = settings.threads
    try:
        with duckdb.connect(str(path), read_only=True, config=config) as reader:
            catalog = path.stem
            progress("")
            for table in tables:
                relation = Relation.parse(table.relation)
                columns = read_columns(reader, catalog, relation)
                found = summarise(reader, catalog, relation, columns)
                if found != table:
                    raise PublishingError(
                        f"{relation} has {table.rows} rows in the warehouse (checksum "
                        f"{table.checksum}) and {found.rows} in its copy ({found.checksum}). The "
                        "old publication stays; run again, and look at the disk if it comes back."
                    )
                if with_parquet_in is not None:
                    _check_parquet(reader, parquet_file(with_parquet_in, str(relation)), table)
                progress(table.relation)
    except duckdb.Error as error:
        raise PublishingError(
            f"The copy cannot be read: {reduced(error)}. The old publication stays; run again, "
            "and look at the disk if it comes back."
        ) from None


def _check_parquet(reader: duckdb.DuckDBPyConnection, path: Path, table: PublishedTable) -> None:
    # A path with brackets or stars in it is a path, no pattern.
    exact = re.sub(r"[*?[]", r"[\g<0>]", str(path))
    (found,) = reader.execute("select num_rows from parquet_file_metadata(?)", [exact]).fetchall()
    rows = found[0]
    if rows != table.rows:
        raise PublishingError(
            f"{table.relation} has {table.rows} rows in the warehouse and {rows} in {path.name}. "
            "The old publication stays; run again, and look at the disk if it comes back."
        )


def _seal(draft: Path, publication: Publication) -> None:
    """Flush everything to disk, make it read-only, and write down what it is, last of all.

    The restricted file keeps the mode that hides it from everybody but its owner.
    """
    for folder, _, names in os.walk(draft):
        for name in names:
            path = Path(folder) / name
            path.chmod(_OWNER_ONLY if name == RESTRICTED_FILE else _READABLE_BY_ALL)
            sync(path)
        Path(folder).chmod(_FOLDER_MODE)
        sync(Path(folder))
    write_file(
        manifest_file(draft),
        (publication.model_dump_json(indent=2) + "\n").encode(),
        _READABLE_BY_ALL,
    )
