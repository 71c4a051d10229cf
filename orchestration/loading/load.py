"""The load: landing folder in, raw tables out. One transaction holds a batch of whole files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import duckdb

from orchestration.contracts import Contracts, SatismeterMapping, SurveyMapping
from orchestration.digests import digest_of_file
from orchestration.errors import LandingError
from orchestration.landing import Inventory, LandedFile
from orchestration.landing.archives import (
    NOT_OPENED,
    Limits,
    StoredFile,
    UnreadableArchiveError,
    is_zip,
    list_members,
    not_opened,
)
from orchestration.landing.names import (
    AMPLITUDE_EVENTS,
    AMPLITUDE_MERGES,
    SATISMETER,
    SURVEYS,
    FileName,
    read_name,
)
from orchestration.loading import forgetting, ledger, masking, pseudonyms
from orchestration.loading.amplitude import EventReader, MergeReader
from orchestration.loading.batch import FileCounts, Reader, UnpackedFile
from orchestration.loading.ledger import Entry
from orchestration.loading.repeats import (
    mark_event_repeats,
    mark_row_repeats,
    note_changed_events,
    note_touched_days,
)
from orchestration.loading.rows import stage
from orchestration.loading.satismeter import SatismeterReader
from orchestration.loading.scratch import Scratch
from orchestration.loading.sharing import cut, map_shares
from orchestration.loading.surveys import SurveyReader
from orchestration.loading.warehouse import share_memory
from orchestration.loading.zendesk import ZENDESK_TABLES, ZendeskReader
from orchestration.settings import Settings
from orchestration.tombstones import NOBODY, Tombstones

Progress = Callable[[int, int, str], None]

EVENTS_TABLE = "raw.events"
SOURCE_TABLES: Mapping[str, str] = {
    AMPLITUDE_EVENTS: EVENTS_TABLE,
    AMPLITUDE_MERGES: "raw.amplitude_merges",
    **ZENDESK_TABLES,
    SATISMETER: "raw.satismeter_responses",
    SURVEYS: "raw.survey_responses",
}

# Large enough that repeats are sought seldom and few groups of rows are written half full, to be
# written again; small enough for memory and for the page cache.
_BATCH_INFLATED_BYTES = 2**30
_BATCH_FILES = 4_000
_USUAL_INFLATION = 15
_HASHERS = 2
_NOTHING_IN_IT = "the zip holds no file, or hidden ones only; take it out of the landing folder"
# The source of a file that no reader knows.
_UNKNOWN = "unknown"


@dataclass
class LoadReport:
    """What a load did. Rows are those of the files that were loaded by it."""

    new_files: int = 0
    changed_files: int = 0
    removed_files: int = 0
    unchanged_files: int = 0
    rows_in: int = 0
    loaded: int = 0
    duplicates: int = 0
    quarantined: int = 0
    not_in_plan: int = 0
    erased: int = 0
    table_counts: dict[str, int] = field(default_factory=dict)


def load_landing(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    contracts: Contracts,
    inventory: Inventory,
    run_id: str,
    load_number: int,
    secret: bytes,
    tombstones: Tombstones = NOBODY,
    progress: Progress | None = None,
) -> LoadReport:
    """Bring the raw tables to what the landing folder holds now.

    Args:
        connection: the warehouse, writable, stamped by this run.
        contracts: what `data/sources/` says.
        settings: say where things are, and the reporting zone.
        inventory: the landing folder as it was when the run began.
        run_id: stands in the ledger beside each file that this run loads.
        load_number: of the run's stamp; orders `raw.touched_days`.
        secret: the pseudonym key.
        tombstones: who asked to be forgotten.
        progress: called with files done, files to do, and what is being loaded.

    Raises:
        LandingError: more than half of the loaded files are gone, which looks like a folder that
            is not mounted; nothing has been changed.
    """
    share_memory(connection, settings)
    pseudonyms.install(connection, secret)
    forgetting.install(connection, tombstones)
    _write_contracts(connection, contracts)
    known = ledger.read_entries(connection)
    _refuse_vanished(known, inventory, settings)
    limits = Limits(settings.max_inflated_mb * 2**20, settings.max_inflation_ratio)
    described = _describe(inventory, contracts, known, limits)
    wanted = ledger.choose_owners(_recall(one, tombstones) for one in described)
    plan = ledger.compare(known, wanted)
    report = LoadReport(removed_files=len(plan.remove), unchanged_files=plan.unchanged)
    for entry in (*plan.load, *plan.record):
        if entry.path in known:
            report.changed_files += 1
        else:
            report.new_files += 1

    load = _Load(connection, settings, run_id, load_number, known, wanted)
    total, done = len(plan.load), 0
    load.remove([*plan.remove, *(known[e.path] for e in plan.record if e.path in known)])
    batches = list(_batches(plan.load, contracts))
    wanted_files = ((entries, reader.source == AMPLITUDE_EVENTS) for reader, entries in batches)
    with (
        Scratch(settings.scratch, settings.landing, limits) as scratch,
        closing(scratch.inflate(wanted_files)) as inflated,
    ):
        for (reader, entries), files in zip(batches, inflated, strict=True):
            if progress is not None:
                progress(done, total, f"{reader.source} {Path(entries[-1].path).name}")
            load.replace(reader, entries, files)
            done += len(entries)
    load.record(plan.record)
    ledger.touch(connection, known, wanted, [*plan.load, *plan.record])
    _summarise(connection, report, run_id)
    return report


class _Load:
    """The writes of one load; each public method is one transaction."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: Settings,
        run_id: str,
        load_number: int,
        known: Mapping[str, Entry],
        wanted: Sequence[Entry],
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._run_id = run_id
        self._load_number = load_number
        self._known = known
        # Repeats are ordered by path, also of files that are yet to be loaded or about to go.
        stage(
            connection,
            "file_paths",
            {"file_id": "BIGINT", "path": "VARCHAR"},
            (
                {"file_id": entry.file_id, "path": entry.path}
                for entry in wanted
                if entry.path not in known
            ),
        )
        connection.execute("insert into file_paths select file_id, path from raw.loaded_files")
        note_changed_events(connection, [])

    def remove(self, entries: Sequence[Entry]) -> None:
        """Take files out, with their rows; repeats in other files take their place."""
        if not entries:
            return
        self._connection.begin()
        try:
            by_source: dict[str, list[int]] = {}
            for entry in entries:
                by_source.setdefault(entry.source, []).append(entry.file_id)
            for source, file_ids in by_source.items():
                self._delete(source, file_ids)
                self._finish(source, file_ids, set())
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise

    def replace(
        self, reader: Reader, entries: Sequence[Entry], files: Sequence[UnpackedFile]
    ) -> None:
        """Load files, in the place of what they brought before."""
        file_ids = [entry.file_id for entry in entries]
        reader.prepare(self._connection, files)
        self._connection.begin()
        try:
            before = [e.file_id for e in entries if e.path in self._known]
            if before:
                self._delete(reader.source, before)
            counts = reader.read(self._connection, files)
            if reader.source == AMPLITUDE_EVENTS:
                note_changed_events(self._connection, file_ids)
            unread = {f.file_id for f in files if f.damage and not counts[f.file_id].rows_in}
            self._write_ledger(
                (
                    replace(entry, status=ledger.UNREADABLE) if entry.file_id in unread else entry,
                    counts[entry.file_id],
                )
                for entry in entries
            )
            self._finish(reader.source, file_ids, set(file_ids))
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise

    def record(self, entries: Sequence[Entry]) -> None:
        """Write the ledger rows of files that bring no rows of their own."""
        if not entries:
            return
        rows: dict[str, int] = dict(
            self._connection.execute("select path, rows_in from raw.loaded_files").fetchall()
        )
        self._connection.begin()
        try:
            self._write_ledger(
                (entry, FileCounts(rows_in=rows.get(entry.duplicate_of or "", 0)))
                for entry in entries
            )
            self._connection.execute(
                "update raw.loaded_files set duplicates = rows_in where status = $1",
                [ledger.DUPLICATE],
            )
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise

    # -- parts of a transaction ----------------------------------------------------------------

    def _delete(self, source: str, file_ids: Sequence[int]) -> None:
        if source == AMPLITUDE_EVENTS:
            note_changed_events(self._connection, file_ids)
        tables = ["raw.loaded_files", "raw.quarantined_rows", "raw.unknown_fields"]
        if source in SOURCE_TABLES:
            tables.append(SOURCE_TABLES[source])
        for table in tables:
            self._connection.execute(
                f"delete from {table} where file_id in (select unnest($1))", [list(file_ids)]
            )

    def _finish(self, source: str, file_ids: Sequence[int], loaded: set[int]) -> None:
        """Judge repeats, then count what each file has in the end."""
        if source not in SOURCE_TABLES:
            return
        table = SOURCE_TABLES[source]
        affected = set(loaded)
        if table == EVENTS_TABLE:
            affected |= mark_event_repeats(self._connection)
            note_touched_days(
                self._connection, self._load_number, self._settings.reporting_timezone
            )
        else:
            affected |= mark_row_repeats(self._connection, table, file_ids)
        if affected:
            self._connection.execute(
                f"""
                update raw.loaded_files set loaded = counted.loaded, duplicates = counted.repeats
                from (
                    select file_ids.file_id,
                        count(rows.file_id) filter (duplicate_reason is null) as loaded,
                        count(rows.file_id) filter (duplicate_reason is not null) as repeats
                    from (select unnest($1) as file_id) as file_ids
                    left join {table} as rows using (file_id)
                    group by file_ids.file_id
                ) as counted
                where loaded_files.file_id = counted.file_id
                """,
                [list(affected)],
            )

    def _write_ledger(self, rows: Iterable[tuple[Entry, FileCounts]]) -> None:
        columns = {
            "file_id": "BIGINT",
            "path": "VARCHAR",
            "landed_path": "VARCHAR",
            "source": "VARCHAR",
            "status": "VARCHAR",
            "reason": "VARCHAR",
            "size": "BIGINT",
            "stored_size": "BIGINT",
            "modified_ns": "BIGINT",
            "landed_hash": "VARCHAR",
            "content_hash": "VARCHAR",
            "contract_hash": "VARCHAR",
            "duplicate_of": "VARCHAR",
            "exported_hour": "TIMESTAMP",
            "rows_in": "BIGINT",
            "loaded": "BIGINT",
            "duplicates": "BIGINT",
            "quarantined": "BIGINT",
            "not_in_plan": "BIGINT",
            "erased": "BIGINT",
            "newest_at": "TIMESTAMP",
            "loaded_by": "VARCHAR",
            "origin": "VARCHAR",
        }
        stage(self._connection, "ledger_rows", columns, (self._row(*pair) for pair in rows))
        self._connection.execute(
            f"insert into raw.loaded_files select {', '.join(columns)} from ledger_rows"
        )

    def _row(self, entry: Entry, counts: FileCounts) -> dict[str, Any]:
        # A duplicate has the rows of its owner, which count what was taken out of it.
        erased_before = 0 if entry.status == ledger.DUPLICATE else entry.erased
        return {
            "file_id": entry.file_id,
            "path": entry.path,
            "landed_path": entry.landed_path,
            "source": entry.source,
            "status": entry.status,
            "reason": entry.reason or counts.reason,
            "size": entry.size,
            "stored_size": entry.stored_size,
            "modified_ns": entry.modified_ns,
            "landed_hash": "",  # until the load has come to its end: see `ledger.touch`
            "content_hash": entry.content_hash,
            "contract_hash": entry.contract_hash,
            "duplicate_of": entry.duplicate_of,
            "exported_hour": entry.exported_hour,
            "rows_in": counts.rows_in + erased_before,
            "loaded": 0,
            "duplicates": 0,
            "quarantined": counts.quarantined,
            "not_in_plan": counts.not_in_plan,
            "erased": counts.erased + erased_before,
            "newest_at": counts.newest_at,
            "loaded_by": self._run_id,
            "origin": entry.origin,
        }


# -- what there is to load ---------------------------------------------------------------------


def _describe(
    inventory: Inventory, contracts: Contracts, known: Mapping[str, Entry], limits: Limits
) -> Iterator[Entry]:
    """The data files of the landing folder. Unchanged size and time need no look inside."""
    by_landed: dict[str, list[Entry]] = {}
    for entry in known.values():
        by_landed.setdefault(entry.landed_path, []).append(entry)

    def look_at(file: LandedFile) -> list[Entry]:
        if file.problem is not None:
            problem = UnreadableArchiveError(file.problem)
            return [_describe_one(file, "", problem, contracts)]
        before = by_landed.get(file.path, [])
        stored: Sequence[StoredFile | UnreadableArchiveError]
        landed_hash = ""
        if before and (before[0].size, before[0].modified_ns) == (file.size, file.modified_ns):
            landed_hash = before[0].landed_hash
        try:
            landed_hash = landed_hash or digest_of_file(inventory.landing / file.path)
            stored = _stored_files(inventory.landing, file, landed_hash, before, limits)
        except OSError as error:
            stored = [UnreadableArchiveError(not_opened(error))]
        entries = (_describe_one(file, landed_hash, one, contracts) for one in stored)
        return [_as_before(entry, known.get(entry.path), limits) for entry in entries]

    def look_at_all(files: Sequence[LandedFile]) -> list[Entry]:
        return [entry for file in files for entry in look_at(file)]

    # Hashing lets go of the interpreter, so that every core can hash a large file.
    with ThreadPoolExecutor(_HASHERS) as pool:
        for entries in map_shares(pool, look_at_all, inventory.files, size=attrgetter("size")):
            yield from entries


def _recall(entry: Entry, tombstones: Tombstones) -> Entry:
    """The entry with what earlier erasures took out of its file."""
    removed = tombstones.removed_from(entry.path, entry.content_hash)
    if removed is None:
        return entry
    return replace(entry, origin=removed.origin, erased=removed.rows)


def _stored_files(
    landing: Path,
    file: LandedFile,
    landed_hash: str,
    before: Sequence[Entry],
    limits: Limits,
) -> list[StoredFile | UnreadableArchiveError]:
    if not is_zip(file.path):
        return [StoredFile(file.path, None, file.size, landed_hash)]
    readable = all(entry.status != ledger.UNREADABLE for entry in before)
    if before and readable and before[0].landed_hash == landed_hash:
        return [
            StoredFile(e.path, e.path.partition("::")[2], e.stored_size, e.content_hash)
            for e in before
        ]
    try:
        members = list_members(landing / file.path, file.path, limits)
    except UnreadableArchiveError as error:
        return [error]
    return members or [UnreadableArchiveError(_NOTHING_IN_IT)]


def _describe_one(
    file: LandedFile,
    landed_hash: str,
    stored: StoredFile | UnreadableArchiveError,
    contracts: Contracts,
) -> Entry:
    described = partial(
        Entry,
        landed_path=file.path,
        size=file.size,
        modified_ns=file.modified_ns,
        landed_hash=landed_hash,
    )
    if isinstance(stored, UnreadableArchiveError):
        return described(
            path=stored.path or file.path,
            source=_UNKNOWN,
            status=ledger.UNREADABLE,
            reason=str(stored),
            stored_size=file.size,
            content_hash=landed_hash,
            contract_hash="",
        )
    # Some programs write zips with backslashes between folders.
    path = stored.path.replace("\\", "/")
    name = read_name(path.replace("::", "/"))
    contract_hash, remedy = _contract_of(name, path, contracts)
    return described(
        path=stored.path,
        source=name.source or _UNKNOWN,
        status=ledger.UNRECOGNISED if remedy else ledger.LOADED,
        reason=remedy,
        stored_size=stored.size,
        content_hash=stored.content_hash,
        contract_hash=contract_hash,
        exported_hour=name.hour,
    )


def _as_before(entry: Entry, before: Entry | None, limits: Limits) -> Entry:
    """A file of which nothing could be read is not tried again until something has changed."""
    if (
        before is None
        or (before.status, entry.status) != (ledger.UNREADABLE, ledger.LOADED)
        or before.identity != entry.identity
        or before.reason is None
        or before.reason.startswith(NOT_OPENED)
        or ("NORTHSTAR_MAX_INFLAT" in before.reason and before.reason != limits.told)
    ):
        return entry
    return replace(entry, status=ledger.UNREADABLE, reason=before.reason)


def _contract_of(name: FileName, path: str, contracts: Contracts) -> tuple[str, str | None]:
    """The fingerprint of the contract a file is read with, or what to do where there is none."""
    if name.source is None:
        return "", name.remedy
    if name.source == AMPLITUDE_EVENTS:
        plan = contracts.tracking_plan_for(name.project or "")
        if plan is None:
            return "", (
                f"no tracking plan in data/sources names project {name.project}; "
                "add it under `projects:`"
            )
        return plan.fingerprint, None
    if name.source == SURVEYS:
        mapping = contracts.survey_mapping_for(path)
        if mapping is None:
            return "", "no survey mapping in data/sources matches this path; write one"
        return _survey_reading(mapping, contracts), None
    if name.source == SATISMETER:
        return _satismeter_reading(contracts), None
    return "", None


def _survey_reading(mapping: SurveyMapping, contracts: Contracts) -> str:
    """What decides how a survey is read; themes and masking only where it has comments."""
    if "comment" not in mapping.columns:
        return mapping.fingerprint
    return _reading_with_comments(mapping.fingerprint, contracts)


def _satismeter_reading(contracts: Contracts) -> str:
    mapping = contracts.satismeter or SatismeterMapping()
    if not mapping.comments:
        return mapping.fingerprint
    return _reading_with_comments(mapping.fingerprint, contracts)


def _reading_with_comments(fingerprint: str, contracts: Contracts) -> str:
    themes = "" if contracts.themes is None else contracts.themes.fingerprint
    return hashlib.sha256(f"{fingerprint} {themes} {masking.VERSION}".encode()).hexdigest()


def _batches(
    entries: Sequence[Entry], contracts: Contracts
) -> Iterator[tuple[Reader, list[Entry]]]:
    """Entries in batches of one reader, oldest first, so that repeats are close together."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.source, entry.contract_hash), []).append(entry)
    for (source, contract_hash), group in sorted(groups.items(), key=lambda item: item[0]):
        reader = _reader(source, contract_hash, contracts)
        group.sort(key=lambda entry: (str(entry.exported_hour or ""), entry.path))
        for batch in cut(
            group, _inflated, most_items=_BATCH_FILES, most_bytes=_BATCH_INFLATED_BYTES
        ):
            yield reader, batch


def _inflated(entry: Entry) -> int:
    """About how many bytes a file has, inflated."""
    return entry.stored_size * (_USUAL_INFLATION if entry.path.endswith(".gz") else 1)


def _reader(source: str, contract_hash: str, contracts: Contracts) -> Reader:
    if source == AMPLITUDE_EVENTS:
        plans = {plan.fingerprint: plan for plan in contracts.tracking_plans}
        return EventReader(plans[contract_hash])
    if source == AMPLITUDE_MERGES:
        return MergeReader()
    if source == SURVEYS:
        mappings = {_survey_reading(one, contracts): one for one in contracts.survey_mappings}
        return SurveyReader(mappings[contract_hash], contracts.themes)
    if source == SATISMETER:
        return SatismeterReader(contracts.satismeter, contracts.themes)
    return ZendeskReader(source)


def _refuse_vanished(known: Mapping[str, Entry], inventory: Inventory, settings: Settings) -> None:
    landed = {entry.landed_path for entry in known.values()}
    gone = landed - {file.path for file in inventory.files}
    if 2 * len(gone) > len(landed) and not settings.allow_missing_files:
        raise LandingError(
            f"{len(gone)} of {len(landed)} loaded files are no longer in {inventory.landing}, "
            f"such as {min(gone)}. Is the folder there? If they were removed on purpose, run once "
            "with NORTHSTAR_ALLOW_MISSING_FILES=1: their rows then leave the figures."
        )


def _write_contracts(connection: duckdb.DuckDBPyConnection, contracts: Contracts) -> None:
    """Tell the models what events mean and which courses there are."""
    stage(
        connection,
        "planned_events",
        {"app": "VARCHAR", "event_type": "VARCHAR", "meaning": "VARCHAR", "description": "VARCHAR"},
        (
            {"app": app, "event_type": name, "meaning": meaning, "description": event.description}
            for plan in contracts.tracking_plans
            for app in plan.projects
            for name, event in plan.events.items()
            for meaning in event.meanings or ("none",)
        ),
    )
    stage(
        connection,
        "planned_courses",
        {"course_id": "VARCHAR", "title": "VARCHAR", "language": "VARCHAR"},
        (
            {"course_id": course.course_id, "title": course.title, "language": course.language}
            for course in contracts.courses
        ),
    )
    connection.begin()
    connection.execute("delete from raw.tracking_plan")
    connection.execute("insert into raw.tracking_plan select * from planned_events")
    connection.execute("delete from raw.courses")
    connection.execute("insert into raw.courses select * from planned_courses")
    connection.commit()


def _summarise(connection: duckdb.DuckDBPyConnection, report: LoadReport, run_id: str) -> None:
    row = connection.execute(
        """
        select coalesce(sum(rows_in), 0)::bigint, coalesce(sum(loaded), 0)::bigint,
            coalesce(sum(duplicates), 0)::bigint, coalesce(sum(quarantined), 0)::bigint,
            coalesce(sum(not_in_plan), 0)::bigint, coalesce(sum(erased), 0)::bigint
        from raw.loaded_files where loaded_by = $1
        """,
        [run_id],
    ).fetchone()
    if row is not None:
        (
            report.rows_in,
            report.loaded,
            report.duplicates,
            report.quarantined,
            report.not_in_plan,
            report.erased,
        ) = row
    for table in sorted({*SOURCE_TABLES.values(), "raw.loaded_files", "raw.quarantined_rows"}):
        found = connection.execute(f"select count(*) from {table}").fetchone()
        report.table_counts[table] = found[0] if found else 0
